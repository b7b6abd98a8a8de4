"""Finding out how an attempt in doubt ended, by reading. It never sends an order request.

A submitted cart with an order number is proof of an order. A cart that reads active is evidence and no proof: a charge
may lie between the store and its cart. Only a person ends such a doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CartNotFound, FirmlyError
from firmly_mcp.money import Money

from .attempts import Attempt, Outcome, State
from .journal import Journal
from .proof import outcome_of_answer
from .purchases import SendingDevices

_READS_ACTIVE: Final = (
    "The cart still reads as not ordered, so it probably was not; that is no proof. Check with the store, then end the "
    "doubt with `firmly-mcp orders settle`."
)


class Settling:
    """Reads what became of attempts, each on the device that sent it."""

    def __init__(
        self,
        *,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        senders: SendingDevices,
        journal: Callable[[], Awaitable[Journal]],
    ) -> None:
        self._firmly = firmly
        self._senders = senders
        self._journal = journal

    async def settle(self, attempt: Attempt) -> Attempt:
        """Read the attempt's cart, and write down what that proves. What proves nothing leaves it as it was."""
        if attempt.state is not State.UNKNOWN:
            return attempt
        journal = await self._journal()
        own_device = attempt.draft.cart_id is None
        try:
            firmly = await (self._senders.of_attempt(attempt.id) if own_device else self._firmly())
            cart = await firmly.get_cart(attempt.draft.store)
        except CartNotFound:
            return attempt
        except FirmlyError:
            return attempt
        if not self._is_the_attempts(cart, attempt):
            return attempt
        if cart.submitted and cart.platform_order_number:
            outcome = outcome_of_answer(cart)
            ended = await journal.end(attempt, outcome)
            if own_device and ended.state is State.PLACED:
                await self._senders.forget(attempt.id)
            return ended
        return attempt if attempt.outcome.reason == _READS_ACTIVE else await journal.explain(attempt, _READS_ACTIVE)

    async def by_hand(self, attempt: Attempt, order_number: str | None, charged: Money | None = None) -> Attempt:
        """End a doubt as a person says: with the order's number and amount, or without a number as not placed.

        Firmly tells no amount for an order number, so without the person's word it stays not known.
        """
        journal = await self._journal()
        state = State.NOT_PLACED if order_number is None else State.PLACED
        outcome = Outcome(state, order_number=order_number, charged=charged, reason="settled by a person")
        ended = await journal.end(attempt, outcome)
        if attempt.draft.cart_id is None and ended.state is state:
            await self._senders.forget(attempt.id)
        return ended

    @staticmethod
    def _is_the_attempts(cart: Cart, attempt: Attempt) -> bool:
        return attempt.draft.cart_id is None or cart.cart_id == attempt.draft.cart_id
