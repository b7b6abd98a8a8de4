"""Finding out how an attempt in doubt ended, by reading. It never sends an order request.

A submitted cart with an order number is proof of an order. A cart that reads active is evidence and no proof: a charge
may lie between the store and its cart. Only a person ends such a doubt, and the store is read further after that: an
order that turns up is there, whatever a person said of it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CartNotFound, FirmlyError, WalletError
from firmly_mcp.money import Money

from .deps import Deps
from .models import BY_A_PERSON, Attempt, Outcome, State, plain_number
from .proof import outcome_of_answer

# How long the store is read after a person ended an attempt. Firmly's sessions live no longer.
WATCH: Final = timedelta(days=30)
_THEN: Final = "Check with the store, then end the doubt with `firmly-mcp orders settle`."
_READS_ACTIVE: Final = f"The cart still reads as not ordered, so it probably was not; that is no proof. {_THEN}"
_NO_NUMBER: Final = f"The cart reads as ordered, but without an order number, so that is no proof. {_THEN}"
_CART_GONE: Final = f"The store no longer has this order's cart, so reading it proves nothing. {_THEN}"
_CART_REPLACED: Final = f"Another cart took the place of this order's cart, so reading it proves nothing. {_THEN}"
_DEVICE_GONE: Final = f"The keyring no longer has the session that can read this order. {_THEN}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """An attempt after its cart was read, and what kept the store from answering, if something did.

    `elsewhere`: it is not the cart that the shopper has at the store now.
    """

    attempt: Attempt
    problem: str | None = None
    elsewhere: bool = False


class Settlement:
    """Reads what became of attempts, each on the device that sent it."""

    def __init__(self, deps: Deps) -> None:
        self._stores = deps.stores
        self._journal = deps.journal

    async def read(self, attempt: Attempt) -> Reading:
        """Read the attempt's cart, and write down what that proves. What proves nothing leaves it as it was."""
        if attempt.state is State.SENDING or (attempt.state is not State.UNKNOWN and attempt.watched_until is None):
            return Reading(attempt)
        elsewhere = False
        try:
            kept = await self._stores.kept(attempt.id)
            elsewhere = kept is not None
            if kept is None and attempt.on_own_device:
                # A new device would see a cart of its own.
                return Reading(await self._unreadable(attempt))
            cart = await (kept or await self._stores.shopper()).get_cart(attempt.store)
        except CartNotFound:
            return Reading(await self._explained(attempt, _CART_GONE))
        except FirmlyError as error:
            return Reading(attempt, error.message, elsewhere)
        return Reading(await self.conclude(attempt, cart))

    async def conclude(self, attempt: Attempt, cart: Cart) -> Attempt:
        """Write down what a cart that was read proves of an attempt."""
        if not attempt.on_own_device and cart.cart_id != attempt.cart_id:
            return await self._explained(attempt, _CART_REPLACED)
        outcome = outcome_of_answer(cart)
        if not cart.submitted or outcome.state is not State.PLACED:
            return await self._explained(attempt, _NO_NUMBER if cart.submitted else _READS_ACTIVE)
        ended = await self._placed(attempt, outcome)
        if ended.state is State.PLACED and ended.watched_until is None:
            with suppress(WalletError):
                await self._stores.forget(attempt.id)
        return ended

    async def settle_manually(
        self, attempt: Attempt, order_number: str | None, charged: Money | None = None
    ) -> Attempt:
        """End a doubt as a person says: with the order's number and amount, or without a number as not placed.

        Firmly tells no amount for an order number, so without the person's word it stays not known until the cart
        shows it. What reading it takes is kept until then.
        """
        state = State.NOT_PLACED if order_number is None else State.PLACED
        outcome = Outcome(state, order_number=order_number, charged=charged, reason=BY_A_PERSON)
        return await self._journal.end(attempt, outcome, watch=WATCH)

    async def let_go(self) -> None:
        """Forget what reads attempts that a person ended so long ago that the store is read no further for them."""
        for attempt in await self._journal.no_longer_read():
            # A keyring that is locked now is asked again by the next start.
            with suppress(WalletError):
                await self._stores.forget(attempt.id)
                await self._journal.unwatch(attempt)

    async def _placed(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        if attempt.state is State.PLACED:
            return await self._journal.note(attempt, *_noted(attempt, outcome)) if attempt.watched_until else attempt
        ended = await self._journal.end(attempt, outcome, is_reading=True)
        if ended.alarm:
            _log.warning("attempt %s was recorded as not placed, and the store has the order", attempt.id)
        elif ended.state is State.NOT_PLACED and ended.watched_until is not None:
            # The number is another attempt's: this cart has shown all that it can.
            ended = await self._journal.unwatch(ended)
        return ended

    async def _explained(self, attempt: Attempt, reason: str) -> Attempt:
        if attempt.state is not State.UNKNOWN or attempt.outcome.reason == reason:
            return attempt
        return await self._journal.explain(attempt, reason)

    async def _unreadable(self, attempt: Attempt) -> Attempt:
        if attempt.state is State.UNKNOWN:
            return await self._explained(attempt, _DEVICE_GONE)
        return await self._journal.unwatch(attempt)


def _noted(attempt: Attempt, shown: Outcome) -> tuple[Money | None, str]:
    """What was charged for an order that a person ended as placed, and what about it contradicts the person."""
    said = attempt.outcome
    differences = []
    if said.order_number != shown.order_number:
        number = plain_number(shown.order_number)
        differences.append(f"under the number {number}" if number else "under another number")
    if said.charged is not None and shown.charged is not None and said.charged != shown.charged:
        differences.append(f"with a charge of {shown.charged}")
    alarm = f"You ended this order as placed, and the store has it {' and '.join(differences)}. Ask the store."
    return _higher(said.charged, shown.charged), alarm if differences else ""


def _higher(said: Money | None, shown: Money | None) -> Money | None:
    if said is None or shown is None:
        return shown or said
    return shown if said.currency == shown.currency and shown > said else said
