"""What an order call gets: the attempt it belongs to, a question for a person, or an order by the person's own rules.

A model cannot approve: nothing here that places an order takes a consent from a tool. The yes comes from rules that a
person wrote, or from a desk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import anyio
from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.encoding import store_name
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CardRefused, FirmlyError, NotAllowed
from firmly_mcp.money import Money
from firmly_mcp.redaction import OneUse, code_problem
from firmly_mcp.system.files import SenderLocks
from firmly_mcp.wallet.pin import ApprovalProof, require_person
from firmly_mcp.wallet.wallet import Wallet

from .earlier import Earlier, Lookup, earlier_order, stating_earlier
from .execution import Executor, Yes, new_attempt
from .journal.journal import PLACED_WINDOW, Journal, Permit
from .models import Approval, Attempt, OrderIntent, ProgressLog, State
from .policy.acceptance import Policy
from .policy.evaluate import Allow, Ask, Deny, History, Order, Verdict
from .quote import Quote
from .quoting import Quoting, tidied_on_error
from .requests import OrderRequest, SendingDevices
from .review import LOOK_EVERY, Desk
from .ruling import Decision, Ruling, in_practice, refuse_denied, refuse_unallowed
from .settlement import WATCH, Settlement

# Where rules say yes alone, a program may repeat a call for hours; a person would have said yes twice.
_UNATTENDED_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would be, what would become of it, and an earlier order at its store that must be known.

    `verdict` is the rules' and all that comes after them.
    """

    quote: Quote
    verdict: Verdict
    earlier: Earlier | None = None


class Checkout:
    """Places orders, each at most once. `desk` is where a person answers what it asks.

    What is handed in as a function is asked for when it is first needed. `firmly` is the shopper's own device;
    `security_code` is None where no command prints it; `may_order` raises where no order may be placed at all.
    """

    def __init__(
        self,
        *,
        vault: Wallet,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        quoting: Quoting,
        devices: SendingDevices,
        journal: Callable[[], Awaitable[Journal]],
        rules: Callable[[], Awaitable[Policy]],
        security_code: Callable[[], Awaitable[SecretStr]] | None,
        may_order: Callable[[], Awaitable[None]],
        senders: SenderLocks,
        order_ended: Callable[[Attempt], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._pin = vault.pin
        self._quoting = quoting
        self._journal = journal
        self._security_code = security_code
        self._may_order = may_order
        self._ruling = Ruling(rules, quoting)
        self._sending = Executor(vault=vault, firmly=firmly, journal=journal, senders=senders, order_ended=order_ended)
        self._settling = Settlement(firmly=firmly, senders=devices, journal=journal)
        self._lookup = Lookup(
            journal=journal, sending=self._sending, settling=self._settling, may_order=may_order, now=now
        )
        self.desk = Desk(
            vault=vault,
            quoting=quoting,
            sending=self._sending,
            ruling=self._ruling,
            journal=journal,
            may_order=may_order,
            now=now,
        )

    async def order(self, wish: OrderIntent, *, max_total: Decimal | None = None) -> Attempt | Approval:
        """Place what is wished for if the rules say yes, ask if they say so, or find the attempt it belongs to.

        The attempt is looked up first, by the store and the refs: whatever fails after that hides no earlier order.
        `max_total` is in the cart's currency and can only refuse.

        Raises:
            RuleDenied, NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was
            sent. An earlier order at the store is stated.
        """
        wish = replace(wish, store=store_name(wish.store))
        if (earlier := await self._lookup.of_call(wish, PLACED_WINDOW)) is not None:
            return earlier
        async with stating_earlier(self._journal, wish.store):
            try:
                return await self._ordered(wish, max_total)
            except FirmlyError:
                # What failed may be what would have said that rules allow alone, and then the order counts for longer.
                alone = self._security_code is not None
                if not alone or (earlier := await self._lookup.of_call(wish, _UNATTENDED_WINDOW)) is None:
                    raise
                return earlier

    async def preview(self, wish: OrderIntent) -> Preview:
        """What the order would be. It charges nothing; for items it builds a cart, so the store learns the address.

        Raises:
            NotAllowed: what is missing, and the tool that supplies it.
        """
        async with stating_earlier(self._journal, wish.store):
            purchase = await self._quoting.purchase(wish)
            try:
                cart = await self._quoting.priced(purchase)
                quoted = await self._quoting.quoted(purchase, wish, cart)
                verdict = await self._foreseen(purchase, quoted, wish, cart)
                return Preview(quoted, verdict, await self.earlier_at(purchase.store))
            finally:
                await purchase.tidy()

    async def earlier_at(self, store: str | None) -> Earlier | None:
        """The order at this store (None: at any) that is in doubt or was placed within a day, if there is one."""
        return await earlier_order(self._journal, store)

    async def store_of(self, attempt_id: str) -> str | None:
        """The store of an attempt, or of the question of this id; the journal alone is read."""
        journal = await self._journal()
        if (found := await journal.attempt(attempt_id)) is not None:
            return found.store
        asked = await journal.approvals.get(attempt_id)
        return None if asked is None else asked.store

    async def read_before_change(self, store: str | None) -> None:
        """Read what became of orders that were sent with the shopper's cart here (None: anywhere) before it changes.

        Raises:
            OrderInProgress, NotAllowed: the cart must not be changed now.
        """
        await self._lookup.before_change(store)

    async def _foreseen(self, purchase: OrderRequest, quoted: Quote, wish: OrderIntent, cart: Cart | None) -> Verdict:
        """What an order of this would meet now, in the order in which `order` looks at it."""
        decision = await self._ruling.over(wish, cart, quoted)
        try:
            await self._may_order()
        except NotAllowed as stopped:
            return Deny("not_accepted", stopped.message)
        history = await (await self._journal()).history(new_attempt("", purchase, quoted, wish.reference))
        verdict = in_practice(decision(history), prints_code=self._security_code is not None)
        declined = None if isinstance(verdict, Deny) else await self.desk.declined(quoted)
        if declined is not None:
            until = f"{declined.expires_at:%H:%M} UTC"
            return Deny("declined", f"The person declined this order; their no holds until {until}.")
        return verdict

    async def history(self, order: Order) -> History:
        """What the rules would look back at, were this ordered now."""
        return await (await self._journal()).history(order)

    async def attempt(self, attempt_id: str, *, asks_store: bool = True) -> Attempt | None:
        """An attempt as it now stands; one in doubt is read again at the store, unless there is no time for that."""
        unrecorded = await self._sending.unrecorded(attempt_id)
        if unrecorded is not None:
            return unrecorded
        found = await (await self._journal()).attempt(attempt_id)
        if found is None:
            return None
        return await (self._lookup.settled(found) if asks_store else self._sending.as_it_stands(found))

    async def outcome_elsewhere(self, attempt_id: str) -> None:
        """Wait until an attempt that another program sends has its outcome in the journal, or that program is gone."""
        while True:
            found = await self.attempt(attempt_id, asks_store=False)
            if found is None or found.state is not State.SENDING:
                return
            await anyio.sleep(LOOK_EVERY)

    async def of_approval(self, approval_id: str) -> Attempt | None:
        """What a person's yes to this question began, as it now stands."""
        found = await (await self._journal()).of_approval(approval_id)
        return None if found is None else await self._sending.as_it_stands(found)

    def progress(self, attempt: Attempt) -> ProgressLog | None:
        """Return the progress of an attempt that this process is sending; None for any other."""
        return self._sending.progress_of(attempt.id)

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Attempts, newest first; `before` is the number of the last one that was seen."""
        journal = await self._journal()
        return [await self._sending.as_it_stands(found) for found in await journal.attempts(limit=limit, before=before)]

    async def require_last_journal(self) -> None:
        """Raise NotAllowed where earlier orders may be missing from the journal: it is another one or an older copy."""
        await (await self._journal()).require_last()

    async def settle_all(self, told: Callable[[int, int], None] | None = None) -> Sequence[Attempt]:
        """Read every attempt in doubt again, and those that a person ended; those in doubt afterwards.

        `told` learns before each one how many were read, of how many.
        """
        await self._settling.let_go()
        doubts = await (await self._journal()).read_further()
        settled: list[Attempt] = []
        for found in doubts:
            if told is not None:
                told(len(settled), len(doubts))
            settled.append(await self._lookup.settled(found))
        return [attempt for attempt in settled if attempt.money_moved == "unknown"]

    async def settle_by_hand(
        self, attempt: Attempt, order_number: str | None, charged: Money | None = None, *, proof: ApprovalProof
    ) -> Attempt:
        """End a doubt as a person says: placed under this number, for this amount if they know it; or not placed.

        Raises:
            NotAllowed: it is being sent at this moment, here or by another program; or the number is blank.
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        if order_number is not None and not order_number.strip():
            raise NotAllowed("The order number is blank. Nothing was changed.", money_moved="unknown")
        await require_person(proof, self._pin, money_moved=attempt.money_moved)
        stands = await self._sending.as_it_stands(attempt)
        if stands.state is State.SENDING:
            raise NotAllowed(
                "This order is being sent at this moment, and the store's answer will say how it ended. Look again "
                "in a few minutes.",
                money_moved="unknown",
                next="firmly-mcp orders list",
            )
        return await self._settling.by_hand(stands, order_number, charged)

    async def accept_journal(self, proof: ApprovalProof) -> None:
        """Take the journal that is there as the right one, as a person says.

        Raises:
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        await require_person(proof, self._pin)
        await (await self._journal()).accept()

    async def unlock_card(self, label: str, proof: ApprovalProof) -> bool:
        """Let a card pay again after two declined payments, as a person says; False if it was not locked.

        Raises:
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was changed.
        """
        await require_person(proof, self._pin)
        return await (await self._journal()).unlock_card(label)

    async def drain(self, seconds: float) -> None:
        """Let sends in flight end, for at most this long; what has not ended by then stays in doubt."""
        await self._sending.drain(seconds)

    async def let_end(self, seconds: float) -> None:
        """Let the sends that are in flight now end, for at most this long; others may begin meanwhile."""
        await self._sending.let_end(seconds)

    async def alarms(self) -> Sequence[Attempt]:
        """The attempts of which the store shows something else than a person recorded, newest first."""
        return await (await self._journal()).alarms(within=WATCH)

    async def _ordered(self, wish: OrderIntent, max_total: Decimal | None) -> Attempt | Approval:
        await self._may_order()
        if await self._lookup.turns_up(wish.store):
            late = await self._lookup.of_call(wish, PLACED_WINDOW)
            if late is not None:
                return late
        purchase = await self._quoting.purchase(wish)
        cart = await self._quoting.priced(purchase)
        if wish.items is None and (cart is None or cart.is_empty or cart.submitted):
            return await self._lookup.of_cart(wish.store, cart)
        async with tidied_on_error(purchase):
            return await self._found_or_decided(purchase, wish, cart or Cart(), max_total)

    async def _found_or_decided(
        self, purchase: OrderRequest, wish: OrderIntent, cart: Cart, max_total: Decimal | None
    ) -> Attempt | Approval:
        journal, keys = await self._journal(), self._quoting.keys(purchase, wish, cart)
        # Neither a cart that cannot be paid nor a card, keyring or rules that cannot be read hide what was sent before.
        if (found := await journal.find(keys, PLACED_WINDOW, repeat=wish.repeat)) is not None:
            return await self._existing(purchase, found)
        quoted = await self._quoting.quoted(purchase, wish, cart)
        new = new_attempt("", purchase, quoted, wish.reference)
        standing = await journal.standing(new, PLACED_WINDOW, repeat=wish.repeat)
        if isinstance(standing, Attempt):
            return await self._existing(purchase, standing)
        decision = await self._ruling.over(wish, cart, quoted)
        verdict = in_practice(decision(standing), prints_code=self._security_code is not None)
        alone = isinstance(verdict, Allow)
        if alone and (found := await journal.find(new, _UNATTENDED_WINDOW, repeat=wish.repeat)) is not None:
            return await self._existing(purchase, found)
        _refuse_above(quoted, max_total)
        refuse_denied(verdict)
        declined = await self.desk.declined(quoted)
        if declined is not None:
            await purchase.tidy()
            return declined
        if isinstance(verdict, Allow):
            _refuse_unbounded(quoted, max_total)
            return await self._sent_by_rules(purchase, quoted, wish, decision)
        await purchase.tidy()
        assert isinstance(verdict, Ask)
        return await self.desk.ask(quoted, wish, verdict)

    async def _existing(self, purchase: OrderRequest, found: Attempt) -> Attempt:
        attempt = await self._lookup.settled(found)
        await purchase.tidy()
        return attempt

    async def _sent_by_rules(
        self, purchase: OrderRequest, quoted: Quote, wish: OrderIntent, decision: Decision
    ) -> Attempt:
        assert self._security_code is not None
        permit = Permit(lambda history: refuse_unallowed(decision(history)), window=_UNATTENDED_WINDOW)
        code = await self._security_code()
        if problem := code_problem(code, quoted.payer.card.brand):
            raise CardRefused(f"{problem} The cvv_command printed another one. Nothing was sent.")
        yes = Yes(quoted, permit, OneUse(code, "a security code"), reference=wish.reference)
        return await self._sending.start(purchase, yes)


def _refuse_above(quoted: Quote, max_total: Decimal | None) -> None:
    if max_total is not None and quoted.total.amount > max_total:
        limit = Money(max_total, quoted.total.currency)
        raise NotAllowed(f"The total is {quoted.total}, above the {limit} that max_total allows. Nothing was sent.")


def _refuse_unbounded(quoted: Quote, max_total: Decimal | None) -> None:
    if max_total is None:
        raise NotAllowed(
            "Your rules allow this without asking, and then max_total is required: the most it may cost. "
            f"The total is {quoted.total}. Nothing was sent."
        )
