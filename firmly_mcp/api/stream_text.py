"""Whether a stream's last event is whole, which httpx2's parser does not tell: it drops a block that nothing ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


class StreamText:
    """A stream's text on its way to httpx2's parser: as much of a response as the parser looks at."""

    def __init__(self, response: httpx2.Response) -> None:
        self.headers = response.headers
        self.request = response.request
        self.is_over = False
        self._response = response
        self._last = "\n\n"

    async def aiter_text(self) -> AsyncIterator[str]:
        """Hand the text on."""
        async for text in self._response.aiter_text():
            # Two line ends are at most four characters.
            self._last = (self._last + text)[-5:]
            yield text
        self.is_over = True

    @property
    def ends_with_a_block(self) -> bool:
        """Whether a blank line came last."""
        return self._last.replace("\r\n", "\n").replace("\r", "\n").endswith("\n\n")
