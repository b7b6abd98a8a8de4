"""The person: says yes or no to what is asked, unlocks the card, and ends doubts after asking the store."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from pydantic import SecretStr

from firmly_mcp.app import Services
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Attempt, State
from firmly_mcp.errors import FirmlyError
from firmly_mcp.money import Money
from firmly_mcp.simulator import Simulator
from tests.proofs import BY_PERSON, until_recorded

from .wishes import Wished, cents

OUTCOME_SECONDS: Final = 30.0
# More doubts than this, and the person asks the stores about the oldest ones.
BEARABLE: Final = 3
CODE: Final = SecretStr("123")


class Person:
    """Sits at a desk of their own, which is one more process's rooms over the same journal."""

    def __init__(self, desk: Services, simulator: Simulator, rng: Random) -> None:
        self._desk = desk
        self._simulator = simulator
        self._rng = rng
        self.unlocked = 0
        # Purchases of which the person once believed, wrongly, that they were not placed.
        self.mistaken: set[tuple[str, int]] = set()

    async def answer(self, approval: str, wish: Wished) -> int | None:
        """Say yes to a question, mostly; the total that was said yes to, in cents, or None."""
        placement = await self._desk.placement()
        try:
            review = await placement.review(approval)
            if review.previous is not None or self._rng.random() < 0.2:
                await placement.decline(review, "terminal")
                return None
            placing = await placement.approve(review, CODE, BY_PERSON)
        except FirmlyError:
            return None
        async with asyncio.timeout(OUTCOME_SECONDS):
            await until_recorded(placement, placing)
        return cents(review.quote.total.amount) if placing.is_new else None

    async def look_after_doubts(self) -> None:
        """Settle what can be read; of many doubts that are left, end the older ones as the stores' books say."""
        placement = await self._desk.placement()
        try:
            doubts = sorted(await placement.settle_all(), key=lambda attempt: attempt.number)
        except FirmlyError:
            return
        for doubt in doubts[:-BEARABLE]:
            await self._end(placement, doubt)
        for doubt in doubts[-BEARABLE:]:
            if self._appears_late(doubt) and self._rng.random() < 0.5:
                self.mistaken.add((doubt.store, _quantity(doubt)))
                await placement.settle_manually(doubt, None, proof=BY_PERSON)

    async def unlock_the_card(self) -> None:
        """Let it pay again, where payments that stores declined have locked it."""
        vault, placement = await self._desk.vault(), await self._desk.placement()
        for card in await vault.cards():
            self.unlocked += await placement.unlock_card(card.label, BY_PERSON)

    async def _end(self, placement: Checkout, doubt: Attempt) -> None:
        """Ask the store, which looks into its books, and write down what it says."""
        if doubt.state is not State.UNKNOWN or self._simulator_is_busy():
            return
        quantity = _quantity(doubt)
        known = (
            charge
            for charge in self._simulator.books.charges
            if charge.store == doubt.store and charge.lines[0].quantity == quantity
        )
        charge = next(known, None)
        if charge is None:
            await placement.settle_manually(doubt, None, proof=BY_PERSON)
        else:
            charged = Money.from_minor(charge.amount, doubt.total.currency)
            await placement.settle_manually(doubt, charge.order_number, charged, proof=BY_PERSON)

    def _appears_late(self, doubt: Attempt) -> bool:
        """Whether the store has the order, does not show it yet, and will show it on the attempt's own device."""
        if doubt.state is not State.UNKNOWN or doubt.cart_id is not None:
            return False
        charges = [
            charge
            for charge in self._simulator.books.charges
            if charge.store == doubt.store and charge.lines[0].quantity == _quantity(doubt)
        ]
        carts, now = self._simulator.world.carts, self._simulator.world.now().timestamp()
        hidden = [carts._carts[charge.cart_id] for charge in charges]
        until = [max(cart.hidden_until or 0, cart.gone_until or 0) for cart in hidden]
        return bool(until) and now < until[0] < float("inf")

    def _simulator_is_busy(self) -> bool:
        return any(
            fault.action in {"delay", "delay-answer", "stall-stream"} for fault in self._simulator.faults.waiting
        )


def _quantity(attempt: Attempt) -> int:
    return sum(int(line.partition(" x ")[0]) for line in attempt.lines)
