"""What is on record: attempts and approvals, read, brought up to date, settled. Nothing here places an order.

Where a person has accepted to where such requests go, the store is read for every attempt that it may still show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import anyio

from firmly_mcp.api.encoding import store_name
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import FirmlyError, NotAllowed, OrderInProgress
from firmly_mcp.money import Money
from firmly_mcp.settings import PAGES_AN_HOUR
from firmly_mcp.wallet.pin import ApprovalProof, require_person

from .deps import Deps
from .earlier import RECENT, Earlier, earlier_order
from .execution import Executor
from .journal.journal import Journal
from .journal.lookup import PurchaseKeys
from .models import IN_DOUBT, Approval, Attempt, OrderIntent, ProgressLog, State
from .policy.evaluate import OrderFacts, SpendingHistory
from .settlement import WATCH, Reading, Settlement

_HOUR: Final = timedelta(hours=1)
# The answer may come from another program, over the same journal. In seconds.
_LOOK_EVERY: Final = 0.3


class Records:
    """The attempts and approvals of one shopper."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._executor = Executor(deps)
        self._settlement = Settlement(deps)

    @property
    def journal(self) -> Journal:
        """The journal of orders."""
        return self._deps.journal

    # Attempts.

    async def attempt(self, attempt_id: str, *, asks_store: bool = True) -> Attempt | None:
        """Return an attempt as it is now; one in doubt is read again at the store, unless there is no time for that."""
        if (unrecorded := await self._executor.unrecorded(attempt_id)) is not None:
            return unrecorded
        found = await self.journal.attempt(attempt_id)
        if found is None:
            return None
        return await (self.settled(found) if asks_store else self._executor.with_current_state(found))

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Return attempts, newest first; `before` is the number of the last one that was seen."""
        found = await self.journal.attempts(limit=limit, before=before)
        return [await self._executor.with_current_state(one) for one in found]

    async def of_approval(self, approval_id: str) -> Attempt | None:
        """Return the attempt that this approval authorized, as it is now."""
        found = await self.journal.of_approval(approval_id)
        return None if found is None else await self._executor.with_current_state(found)

    def progress(self, attempt: Attempt) -> ProgressLog | None:
        """Return the progress of an attempt that this process is sending; None for any other."""
        return self._executor.progress_of(attempt.id)

    async def outcome_elsewhere(self, attempt_id: str) -> None:
        """Wait until an attempt that another program sends has its outcome, or that program is gone."""
        while True:
            found = await self.attempt(attempt_id, asks_store=False)
            if found is None or found.state is not State.SENDING:
                return
            await anyio.sleep(_LOOK_EVERY)

    async def store_of(self, record_id: str) -> str | None:
        """Return the store of the attempt or approval of this id; only the journal is read."""
        if (found := await self.journal.attempt(record_id)) is not None:
            return found.store
        approval = await self.journal.approvals.get(record_id)
        return None if approval is None else approval.store

    async def earlier_at(self, store: str | None) -> Earlier | None:
        """Return the order at this store (None: at any) that is in doubt or was placed within a day."""
        return await earlier_order(self.journal, store)

    async def alarms(self) -> Sequence[Attempt]:
        """Return the attempts of which the store shows something else than a person recorded, newest first."""
        return await self.journal.alarms(within=WATCH)

    async def history(self, order: OrderFacts) -> SpendingHistory:
        """Return what the rules would look back at if this were ordered now."""
        return await self.journal.history(order)

    async def require_last_journal(self) -> None:
        """Raise NotAllowed where the journal is another one or an older copy: earlier orders may be missing from it."""
        await self.journal.require_last()

    async def drain(self, seconds: float) -> None:
        """Begin no more sends, and let those in flight end for at most this long; then they are in doubt."""
        await self._executor.drain(seconds)

    async def let_end(self, seconds: float) -> None:
        """Let the sends that are in flight now end, for at most this long; others may begin meanwhile."""
        await self._executor.let_end(seconds)

    # Approvals.

    async def approval(self, approval_id: str) -> Approval | None:
        """Return an approval by its id, open or not."""
        return await self.journal.approvals.get(approval_id)

    async def open_approvals(self) -> Sequence[Approval]:
        """Return the approvals that a person can answer now."""
        return await self.journal.approvals.open()

    def is_open(self, approval: Approval) -> bool:
        """Whether a person can still answer it."""
        return approval.is_open(self._deps.now())

    async def answered(self, approval_id: str) -> Approval | None:
        """Wait until an approval is not open any more, here or in another program; return it as it is then."""
        while True:
            found = await self.approval(approval_id)
            if found is None or not self.is_open(found):
                return found
            await anyio.sleep(_LOOK_EVERY)

    async def decline_unseen(self, approval_id: str, channel: str) -> None:
        """Record that a person declined without opening the page. An approval that is not open stays as it is."""
        await self.journal.approvals.decline(approval_id, channel)

    async def may_open_page(self) -> bool:
        """Whether a page may open by itself: a person is not worn down by pages, however often they are asked."""
        return await self.journal.approvals.asked_since(self._deps.now() - _HOUR) <= PAGES_AN_HOUR

    # The attempt that an order call belongs to.

    async def find_by_intent(self, intent: OrderIntent, window: timedelta) -> Attempt | None:
        """Return the attempt a call belongs to, by its store and refs alone; placed ones count for `window`."""
        if intent.items is None and (in_flight := await self._cart_in_flight(intent.store)) is not None:
            return in_flight
        keys = PurchaseKeys(intent.store, intent_key=intent.intent_key, reference=intent.reference)
        found = await self.journal.find(keys, window, repeat=intent.repeat)
        return None if found is None else await self.settled(found)

    async def order_of_cart(self, store: str, cart: Cart | None) -> Attempt:
        """Return the order that used up this very cart, which reads as submitted, empty or gone.

        Raises:
            NotAllowed: no order of the last day did; so the cart is empty, or was ordered long ago or elsewhere.
        """
        found = await self.journal.on_cart(store, cart.cart_id if cart is not None else None)
        is_submitted = cart is not None and cart.submitted
        if found is not None and cart is not None and is_submitted:
            found = await self._settlement.conclude(await self._executor.with_current_state(found), cart)
        elif found is not None:
            found = await self.settled(found)
        if found is not None and (found.state in IN_DOUBT or self._is_recent(found)):
            return await self._executor.with_current_state(found)
        what = "was ordered before, and not by this call" if is_submitted else "is empty"
        raise NotAllowed(f"The cart at {store} {what}. Nothing was sent.", next="add_line_item")

    async def order_turns_up(self, store: str) -> bool:
        """Read what a person ended as not placed at this store; whether an order exists after all."""
        ended = [one for one in await self.journal.read_further(store) if one.state is State.NOT_PLACED]
        read = [await self.settled(one) for one in ended]
        return any(one.state is State.PLACED for one in read)

    async def _cart_in_flight(self, store: str) -> Attempt | None:
        """Return the attempt that is paying the shopper's cart at this store now."""
        for attempt in await self.journal.sending(store):
            if not attempt.on_own_device:
                found = await self._executor.with_current_state(attempt)
                if found.state is State.SENDING:
                    return found
        return None

    def _is_recent(self, attempt: Attempt) -> bool:
        return attempt.state is State.PLACED and (attempt.ended_at or attempt.begun_at) > self._deps.now() - RECENT

    # Doubts.

    async def settled(self, attempt: Attempt) -> Attempt:
        """Return the attempt as it is now; what the store may still show of it is read."""
        return (await self._read(attempt)).attempt

    async def read_before_change(self, store: str | None) -> None:
        """Read what became of orders that were sent with the shopper's cart here (None: anywhere) before it changes.

        Raises:
            OrderInProgress: the cart is being paid at this moment.
            NotAllowed: it could not be read, and a change could take away the only evidence.
        """
        for found in await self.journal.read_further(store if store is None else store_name(store)):
            if found.on_own_device:
                continue
            reading = await self._read(found)
            if reading.attempt.state is State.SENDING:
                raise OrderInProgress("An order is being placed with this cart. It cannot be changed until then.")
            if reading.problem is not None and not reading.elsewhere and reading.attempt.state is State.UNKNOWN:
                raise _unread(reading.attempt, reading.problem)

    async def settle_all(self, report: Callable[[int, int], None] | None = None) -> Sequence[Attempt]:
        """Read every attempt in doubt again, and those that a person ended; return those in doubt afterwards.

        `report` is called before each one with how many were read, of how many.
        """
        await self._settlement.let_go()
        doubts = await self.journal.read_further()
        settled: list[Attempt] = []
        for found in doubts:
            if report is not None:
                report(len(settled), len(doubts))
            settled.append(await self.settled(found))
        return [attempt for attempt in settled if attempt.money_moved == "unknown"]

    async def _read(self, attempt: Attempt) -> Reading:
        current = await self._executor.with_current_state(attempt)
        try:
            await self._deps.policy.require_accepted_destination()
        except FirmlyError as error:
            return Reading(current, error.message)
        return await self._settlement.read(current)

    # What only a person may do.

    async def settle_manually(
        self, attempt: Attempt, order_number: str | None, charged: Money | None = None, *, proof: ApprovalProof
    ) -> Attempt:
        """End a doubt as a person states: placed under this number, for this amount if they know it; or not placed.

        Raises:
            NotAllowed: it is being sent at this moment, here or by another program; or the number is blank.
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        if order_number is not None and not order_number.strip():
            raise NotAllowed("The order number is blank. Nothing was changed.", money_moved="unknown")
        await require_person(proof, self._deps.wallet.pin, money_moved=attempt.money_moved)
        current = await self._executor.with_current_state(attempt)
        if current.state is State.SENDING:
            raise NotAllowed(
                "This order is being sent at this moment, and the store's answer will say how it ended. Look again "
                "in a few minutes.",
                money_moved="unknown",
                next="firmly-mcp orders list",
            )
        return await self._settlement.settle_manually(current, order_number, charged)

    async def accept_journal(self, proof: ApprovalProof) -> None:
        """Take the journal at its path as the right one.

        Raises:
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        await require_person(proof, self._deps.wallet.pin)
        await self.journal.accept()

    async def unlock_card(self, label: str, proof: ApprovalProof) -> bool:
        """Let a card pay again after two declined payments; False if it was not locked.

        Raises:
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        await require_person(proof, self._deps.wallet.pin)
        return await self.journal.unlock_card(label)


def _unread(attempt: Attempt, problem: str) -> NotAllowed:
    error = NotAllowed(
        f"An earlier order at {attempt.store} is in doubt and could not be checked yet. The cart is not changed "
        f"until it is, because only this cart shows how that order ended. {problem}",
        money_moved="unknown",
        next="get_order_status",
    )
    error.attempt = attempt.id
    return error
