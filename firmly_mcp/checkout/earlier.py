"""What is stated about money comes from the journal, not from the call at hand alone.

An error at a store says "nothing was sent" of its own call. An order that is in doubt there, or was placed there a
short while ago, is stated with it, so that nothing concludes from the error that nothing was ordered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from firmly_mcp.api.encoding import store_name
from firmly_mcp.errors import FirmlyError, InvalidRequest, MoneyMoved

from .journal.journal import Journal
from .models import IN_DOUBT, Attempt, State, plain_number

# An order that was placed longer ago is no news for a call of now.
RECENT: Final = timedelta(days=1)

_NEXT: Final = "get_order_status"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A sentence about an earlier order at a store, and what is known of its money; `attempt` is its id, if known."""

    words: str
    money_moved: MoneyMoved
    attempt: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether it may be there and may not."""
        return self.money_moved == "unknown"

    @property
    def next(self) -> str | None:
        """The tool that tells more, where something has to be told before anything else is done."""
        return _NEXT if self.in_doubt and self.attempt is not None else None

    @classmethod
    def of(cls, attempt: Attempt) -> Earlier:
        """What to say of an attempt that is in doubt, or placed."""
        at = f"{attempt.begun_at:%Y-%m-%d %H:%M} UTC"
        number = plain_number(attempt.outcome.order_number)
        if attempt.state is State.SENDING:
            words = f"An order at {attempt.store} of {at} ({attempt.total}) was sent, and its outcome is not known yet."
        elif attempt.state in IN_DOUBT:
            words = (
                f"An earlier order at {attempt.store} of {at} ({attempt.total}) is in doubt: it may have been placed. "
                "Do not order it again."
            )
        else:
            named = f"number {number}, " if number else ""
            paid = attempt.outcome.charged or attempt.total
            words = f"An order at {attempt.store} was placed at {at} ({named}{paid}); no other order was sent."
        return cls(words, attempt.money_moved, attempt.id)


_UNREADABLE: Final = Earlier(
    "The journal of orders cannot be read, so it is not known here whether an earlier order was placed.", "unknown"
)


async def earlier_order(journal: Journal, store: str | None) -> Earlier | None:
    """The order that an error at this store (None: at any) must state: one in doubt, or one placed within a day.

    A journal that cannot be read is stated too, and hides no error.
    """
    try:
        store = None if store is None else store_name(store)
    except InvalidRequest:
        return None
    try:
        found = await journal.earlier_at(store, within=RECENT)
    except FirmlyError:
        return _UNREADABLE
    return None if found is None else Earlier.of(found)


@asynccontextmanager
async def stating_earlier(journal: Journal, store: str) -> AsyncIterator[None]:
    """Let an error in this block state the order that is in doubt at this store, or was placed there within a day."""
    try:
        yield
    except FirmlyError as error:
        _state(error, await earlier_order(journal, store))
        raise


def _state(error: FirmlyError, earlier: Earlier | None) -> None:
    """Let an error state the earlier order, unless it names an attempt already."""
    if earlier is None or error.attempt is not None or earlier.words in error.message:
        return
    error.restate(
        f"{error.message} {earlier.words}",
        next=earlier.next or error.next,
        retry_safe=error.retry_safe and not earlier.in_doubt,
    )
    error.attempt = earlier.attempt
    if earlier.in_doubt:
        error.money_moved = "unknown"
