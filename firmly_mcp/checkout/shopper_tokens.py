"""The token of the shopper's own device. While an order may still be read with it, nothing writes over the only copy.

A session that Firmly refuses to renew is replaced, and its carts are gone for the shopper. The old token goes to the
attempts that were sent with it: a later reading may be let in again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from firmly_mcp.errors import NotAllowed, WalletError

from .journal.journal import Journal
from .models import StoredText


class ShopperTokens:
    """Keeps the device's token in the keyring; `of_attempt` is where an attempt's own token is kept."""

    def __init__(
        self,
        kept: StoredText,
        of_attempt: Callable[[str], StoredText],
        journal: Callable[[], Awaitable[Journal]],
    ) -> None:
        self._kept = kept
        self._of_attempt = of_attempt
        self._journal = journal

    async def load(self) -> str | None:
        """The token's text, or None if there is none."""
        return await self._kept.load()

    async def save(self, text: str) -> None:
        """Keep the token.

        Raises:
            WalletError: it was not kept, and the one before it is still there.
        """
        before = await self._kept.load()
        if before is not None and _device(before) not in {None, _device(text)}:
            await self._hand_over(before)
        await self._kept.save(text)

    async def _hand_over(self, before: str) -> None:
        try:
            journal = await self._journal()
            attempts = await journal.read_further() if journal.exists else []
        except NotAllowed as error:
            raise WalletError(f"The session's token was not replaced: {error.message}") from error
        for attempt in attempts:
            entry = self._of_attempt(attempt.id)
            if not attempt.on_own_device and await entry.load() is None:
                await entry.save(before)


def _device(text: str) -> str | None:
    try:
        return str(json.loads(text)["device_id"])
    except (ValueError, TypeError, KeyError):
        return None
