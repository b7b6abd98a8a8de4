"""A secret that is given out once, so that it does not outlive its use and cannot be sent twice.

An order waits for its answer for minutes, and every caller's frame waits with it. What those frames hold is one of
these objects, which is empty once the request was written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol


class SealedCard(Protocol):
    """A JWE that does not show itself, such as pydantic's SecretStr."""

    def get_secret_value(self) -> str:
        """Return the JWE in compact form."""


class OneUseCard:
    """A sealed card for one order request; the second reading raises RuntimeError."""

    __slots__ = ("_sealed",)

    def __init__(self, sealed: SealedCard) -> None:
        self._sealed: SealedCard | None = sealed

    def get_secret_value(self) -> str:
        """Return the JWE, and forget it."""
        sealed, self._sealed = self._sealed, None
        if sealed is None:
            raise RuntimeError("a sealed card is read once")
        return sealed.get_secret_value()


class OneUseBody:
    """The body of one request, as an asynchronous iterable of one chunk; the second reading raises RuntimeError."""

    __slots__ = ("_content", "length")

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content: bytes | None = content

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield self._taken()

    def _taken(self) -> bytes:
        content, self._content = self._content, None
        if content is None:
            raise RuntimeError("the body of an order request is sent once")
        return content
