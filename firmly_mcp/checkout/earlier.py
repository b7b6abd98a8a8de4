"""What is stated about money comes from the journal, not from the call at hand alone.

An error at a store says "nothing was sent" of its own call. An order that is in doubt there, or was placed there a
short while ago, is stated with it, so that nothing concludes from the error that nothing was ordered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from firmly_mcp.api.encoding import store_name
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import FirmlyError, InvalidRequest, MoneyMoved, NotAllowed, OrderInProgress

from .execution import Executor
from .journal.journal import Journal
from .journal.lookup import PurchaseKeys
from .models import IN_DOUBT, Attempt, OrderIntent, State, plain_number
from .settlement import Reading, Settlement

# An order that was placed longer ago is no news for a call of now.
FRESH: Final = timedelta(days=1)

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


async def earlier_order(journal: Callable[[], Awaitable[Journal]], store: str | None) -> Earlier | None:
    """The order that an error at this store (None: at any) must state: one in doubt, or one placed within a day.

    A journal that cannot be read is stated too, and hides no error.
    """
    try:
        store = None if store is None else store_name(store)
    except InvalidRequest:
        return None
    try:
        found = await (await journal()).earlier_at(store, within=FRESH)
    except FirmlyError:
        return _UNREADABLE
    return None if found is None else Earlier.of(found)


@asynccontextmanager
async def stating_earlier(journal: Callable[[], Awaitable[Journal]], store: str) -> AsyncIterator[None]:
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


# The attempt that an order call belongs to.


class Lookup:
    """Finds attempts, and has them read where a person accepted to where such requests go."""

    def __init__(
        self,
        *,
        journal: Callable[[], Awaitable[Journal]],
        sending: Executor,
        settling: Settlement,
        may_order: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._sending = sending
        self._settling = settling
        self._may_order = may_order
        self._now = now

    async def of_call(self, wish: OrderIntent, window: timedelta) -> Attempt | None:
        """The attempt that a call belongs to, as far as its store and refs tell; placed ones count for `window`."""
        if wish.items is None and (in_flight := await self._being_sent(wish.store)) is not None:
            return in_flight
        keys = PurchaseKeys(wish.store, intent_key=wish.intent_key, reference=wish.reference)
        found = await (await self._journal()).find(keys, window, repeat=wish.repeat)
        return None if found is None else await self.settled(found)

    async def of_cart(self, store: str, cart: Cart | None) -> Attempt:
        """The order that used up this very cart, which reads as submitted, empty or gone.

        Raises:
            NotAllowed: no order of the last day did; so the cart is empty, or was ordered long ago or elsewhere.
        """
        found = await (await self._journal()).on_cart(store, cart.cart_id if cart is not None else None)
        is_submitted = cart is not None and cart.submitted
        if found is not None and cart is not None and is_submitted:
            found = await self._settling.conclude(await self._sending.as_it_stands(found), cart)
        elif found is not None:
            found = await self.settled(found)
        if found is not None and (found.state in IN_DOUBT or self._is_fresh(found)):
            return found
        what = "was ordered before, and not by this call" if is_submitted else "is empty"
        raise NotAllowed(f"The cart at {store} {what}. Nothing was sent.", next="add_line_item")

    async def turns_up(self, store: str) -> bool:
        """Read what a person ended as not placed at this store; whether an order is there after all."""
        ended = [one for one in await (await self._journal()).read_further(store) if one.state is State.NOT_PLACED]
        read = [await self.settled(one) for one in ended]
        return any(one.state is State.PLACED for one in read)

    async def before_change(self, store: str | None) -> None:
        """Read what became of orders that were sent with the shopper's cart here (None: anywhere) before it changes.

        Raises:
            OrderInProgress: the cart is being paid at this moment.
            NotAllowed: it could not be read, and a change could take away the only evidence.
        """
        for found in await (await self._journal()).read_further(store if store is None else store_name(store)):
            if found.on_own_device:
                continue
            reading = await self._read(found)
            if reading.attempt.state is State.SENDING:
                raise OrderInProgress("An order is being placed with this cart. It cannot be changed until then.")
            if reading.problem is not None and not reading.elsewhere and reading.attempt.state is State.UNKNOWN:
                raise _unread(reading.attempt, reading.problem)

    async def settled(self, attempt: Attempt) -> Attempt:
        """The attempt as it now stands; what the store may still show of it is read."""
        return (await self._read(attempt)).attempt

    async def _read(self, attempt: Attempt) -> Reading:
        stands = await self._sending.as_it_stands(attempt)
        try:
            await self._may_order()
        except FirmlyError as error:
            return Reading(stands, error.message)
        return await self._settling.read(stands)

    async def _being_sent(self, store: str) -> Attempt | None:
        """The attempt that is paying the cart of this store at this moment."""
        for attempt in await (await self._journal()).sending(store):
            if not attempt.on_own_device:
                found = await self._sending.as_it_stands(attempt)
                if found.state is State.SENDING:
                    return found
        return None

    def _is_fresh(self, attempt: Attempt) -> bool:
        return attempt.state is State.PLACED and (attempt.ended_at or attempt.begun_at) > self._now() - FRESH


def _unread(attempt: Attempt, problem: str) -> NotAllowed:
    error = NotAllowed(
        f"An earlier order at {attempt.store} is in doubt and could not be checked yet. The cart is not changed "
        f"until it is, because only this cart shows how that order ended. {problem}",
        money_moved="unknown",
        next="get_order_status",
    )
    error.attempt = attempt.id
    return error
