"""The attempt that an order call belongs to. It is looked up before anything is read or sent for a new order.

The journal alone says whether there is one. A reading can only end a doubt, and one that fails leaves the attempt as it
is: neither a store nor a keyring nor rules that cannot be read hide an earlier order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from firmly_mcp.api.models import Cart
from firmly_mcp.api.names import store_name
from firmly_mcp.errors import BeingPaid, FirmlyError, NotAllowed

from .attempts import IN_DOUBT, Attempt, State
from .belonging import PurchaseKeys
from .earlier import FRESH
from .journal import Journal
from .sending import Placing, Sending
from .settling import Reading, Settling
from .wishes import Wish


class Lookup:
    """Finds attempts, and has them read where a person accepted to where such requests go."""

    def __init__(
        self,
        *,
        journal: Callable[[], Awaitable[Journal]],
        sending: Sending,
        settling: Settling,
        may_order: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._sending = sending
        self._settling = settling
        self._may_order = may_order
        self._now = now

    async def of_call(self, wish: Wish, window: timedelta) -> Placing | None:
        """The attempt that a call belongs to, as far as its store and refs tell; placed ones count for `window`."""
        if wish.items is None and (in_flight := await self._being_sent(wish.store)) is not None:
            return in_flight
        keys = PurchaseKeys(wish.store, intent_key=wish.intent_key, reference=wish.reference)
        found = await (await self._journal()).find(keys, window, repeat=wish.repeat)
        return None if found is None else await self._sending.join(await self.settled(found))

    async def of_cart(self, store: str, cart: Cart | None) -> Placing:
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
            return await self._sending.join(found)
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
            BeingPaid: the cart is being paid at this moment.
            NotAllowed: it could not be read, and a change could take away the only evidence.
        """
        for found in await (await self._journal()).read_further(store if store is None else store_name(store)):
            if found.draft.on_own_device:
                continue
            reading = await self._read(found)
            if reading.attempt.state is State.SENDING:
                raise BeingPaid("An order is being placed with this cart. It cannot be changed until then.")
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

    async def _being_sent(self, store: str) -> Placing | None:
        """The attempt that is paying the cart of this store at this moment."""
        for attempt in await (await self._journal()).sending(store):
            if not attempt.draft.on_own_device:
                joined = await self._sending.join(attempt)
                if joined.attempt.state is State.SENDING:
                    return joined
        return None

    def _is_fresh(self, attempt: Attempt) -> bool:
        return attempt.state is State.PLACED and (attempt.ended_at or attempt.begun_at) > self._now() - FRESH


def _unread(attempt: Attempt, problem: str) -> NotAllowed:
    error = NotAllowed(
        f"An earlier order at {attempt.draft.store} is in doubt and could not be checked yet. The cart is not changed "
        f"until it is, because only this cart shows how that order ended. {problem}",
        money_moved="unknown",
        next="get_order_status",
    )
    error.attempt = attempt.id
    return error
