"""What an order call gets: the attempt it belongs to, a question for a person, or an order by the person's own rules.

A model cannot approve: nothing here that places an order takes a consent from a tool. The yes comes from rules that a
person wrote, or from a desk through `approve`, and places the order in the process that took it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import NotAllowed, RuleDenied, WalletError
from firmly_mcp.money import Money
from firmly_mcp.wallet.addresses import Address
from firmly_mcp.wallet.vault import Vault

from .approvals import ANSWER_WITHIN, Answer, Approval, Wish
from .attempts import Attempt, State
from .journal import PLACED_WINDOW, Journal, Permit
from .purchases import Purchase, SendingDevices
from .quote import Quote
from .quoting import Quoting, tidied_on_error
from .rules import Allow, Ask, Deny, History, Rules, Verdict, decide
from .sender_locks import SenderLocks
from .sending import Placing, Sending, Yes, new_draft
from .settling import Settling

# A cart that is gone after an order was its last use: that order is looked for this far back.
_LAST_ORDER: Final = timedelta(days=1)
# Where rules say yes alone, a program may repeat a call for hours; a person would have said yes twice.
_UNATTENDED_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Asked:
    """A person has to answer this first. Nothing was sent."""

    approval: Approval
    quote: Quote


@dataclass(frozen=True, slots=True)
class Review:
    """What a desk shows: the question, the quote as it is now, doubts at the store, what was bought just before.

    `recipient` is the address book's entry that it goes to, if it is one.
    """

    approval: Approval
    quote: Quote
    purchase: Purchase
    doubts: tuple[Attempt, ...]
    just_bought: Attempt | None
    recipient: Address | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would be, and what the rules would say of it."""

    quote: Quote
    verdict: Verdict


class Placement:
    """Places orders, each at most once.

    What is handed in as a function is asked for when it is first needed. `firmly` is the shopper's own device,
    `new_device` makes one that nobody else has; `security_code` is None where no command prints it.
    """

    def __init__(
        self,
        *,
        environment: str,
        shopper: str,
        vault: Vault,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        new_device: Callable[[], Awaitable[FirmlyClient]],
        devices: SendingDevices,
        journal: Callable[[], Awaitable[Journal]],
        rules: Callable[[], Rules],
        security_code: Callable[[], Awaitable[SecretStr]] | None,
        senders: SenderLocks,
        now: Callable[[], datetime],
    ) -> None:
        self._environment = environment
        self._vault = vault
        self._journal = journal
        self._rules = rules
        self._security_code = security_code
        self._now = now
        self._quoting = Quoting(
            environment=environment,
            shopper=shopper,
            vault=vault,
            firmly=firmly,
            new_device=new_device,
            devices=devices,
        )
        self._sending = Sending(vault=vault, firmly=firmly, journal=journal, senders=senders)
        self._settling = Settling(firmly=firmly, senders=devices, journal=journal)

    async def order(self, wish: Wish, *, max_total: Decimal | None = None) -> Placing | Asked:
        """Place what is wished for if the rules say yes, ask if they say so, or find the attempt it belongs to.

        `max_total` is in the cart's currency and can only refuse.

        Raises:
            RuleDenied, NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was
            sent.
        """
        self._refuse_outside_the_simulator()
        purchase = await self._quoting.purchase(wish)
        if wish.items is None:
            in_flight = await self._being_sent(purchase.store)
            if in_flight is not None:
                return in_flight
        cart = await self._quoting.priced(purchase)
        if cart is None or cart.is_empty or cart.submitted:
            return await self._last_order(purchase.store)
        async with tidied_on_error(purchase):
            quoted = await self._quoting.quoted(purchase, wish, cart)
            decision = await self._decision(wish, cart, quoted)
            found = await self._belongs_to(purchase, quoted, wish, decision)
            if found is None:
                return await self._decided(purchase, quoted, wish, decision, max_total)
        await purchase.tidy()
        return await self._sending.join(found)

    async def preview(self, wish: Wish) -> Preview:
        """What the order would be. It charges nothing; for items it builds a cart, so the store learns the address.

        Raises:
            NotAllowed: what is missing, and the tool that supplies it.
        """
        purchase = await self._quoting.purchase(wish)
        try:
            cart = await self._quoting.priced(purchase)
            quoted = await self._quoting.quoted(purchase, wish, cart)
            decision = await self._decision(wish, cart or Cart(), quoted)
            journal = await self._journal()
            return Preview(quoted, decision(await journal.history(new_draft(purchase, quoted, wish.reference))))
        finally:
            await purchase.tidy()

    async def open_approvals(self) -> Sequence[Approval]:
        """The questions that a person can answer now."""
        return await (await self._journal()).approvals.open()

    async def review(self, approval_id: str) -> Review:
        """Read everything that a person has to see before a yes, as it is now.

        Raises:
            NotAllowed: there is no such question, or it cannot be answered any more.
        """
        journal = await self._journal()
        approval = await journal.approvals.get(approval_id)
        if approval is None or not approval.is_open(self._now()):
            raise NotAllowed("There is no open approval of this id: it was answered, or its ten minutes are over.")
        purchase = await self._quoting.purchase(approval.wish)
        cart = await self._quoting.priced(purchase)
        async with tidied_on_error(purchase):
            quoted = await self._quoting.quoted(purchase, approval.wish, cart)
            recipient = await self._quoting.recipient(approval.wish, cart)
        recent = await journal.attempts(limit=20)
        doubts = tuple(attempt for attempt in await journal.in_doubt() if attempt.draft.store == purchase.store)
        same = (a for a in recent if a.draft.purchase_key == quoted.purchase_key and a.state is State.PLACED)
        just_bought = next((a for a in same if a.begun_at > self._now() - _LAST_ORDER), None)
        return Review(approval, quoted, purchase, doubts, just_bought, recipient)

    async def approve(self, review: Review, code: SecretStr, channel: str) -> Placing:
        """A person's yes to what they were shown: place it, here and now.

        Raises:
            RuleDenied: the rules now refuse what they asked about.
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        self._refuse_outside_the_simulator()
        wish = review.approval.wish
        permit = Permit(
            check=lambda history: _refuse_denied(decide(self._rules(), review.quote.total, history)),
            approval=review.approval.id,
            channel=channel,
        )
        # The doubt and the earlier order were on the page: a yes to them is a yes to one more.
        repeat = wish.repeat or review.just_bought is not None
        yes = Yes(review.quote, permit, code, repeat=repeat, reference=wish.reference)
        placing = await self._sending.start(review.purchase, yes)
        if placing.is_new and review.recipient is not None:
            # The order is under way, whatever becomes of the address book: at worst the next one asks again.
            with suppress(WalletError):
                await self._vault.accept_address(review.recipient.label)
        return placing

    async def decline(self, review: Review, channel: str) -> None:
        """A person's no; it holds until the question would have expired."""
        await (await self._journal()).approvals.decline(review.approval.id, channel)
        await review.purchase.tidy()

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt as it now stands; one in doubt is read again."""
        found = await (await self._journal()).attempt(attempt_id)
        return None if found is None else await self._settled(found)

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Attempts, newest first; `before` is the number of the last one that was seen."""
        journal = await self._journal()
        return [await self._sending.as_it_stands(found) for found in await journal.attempts(limit=limit, before=before)]

    async def settle_all(self) -> Sequence[Attempt]:
        """Read every attempt in doubt again; those that are still in doubt afterwards."""
        settled = [await self._settled(found) for found in await (await self._journal()).in_doubt()]
        return [attempt for attempt in settled if attempt.money_moved == "unknown"]

    async def settle_by_hand(self, attempt: Attempt, order_number: str | None) -> Attempt:
        """End a doubt as a person says: placed under this number, or not placed.

        Raises:
            NotAllowed: it is being sent at this moment, here or by another program; or the number is blank.
        """
        if order_number is not None and not order_number.strip():
            raise NotAllowed("The order number is blank. Nothing was changed.", money_moved="unknown")
        stands = await self._sending.as_it_stands(attempt)
        if stands.state is State.SENDING:
            raise NotAllowed(
                "This order is being sent at this moment, and the store's answer will say how it ended. Look again "
                "in a few minutes.",
                money_moved="unknown",
                next="firmly-mcp orders list",
            )
        return await self._settling.by_hand(stands, order_number)

    async def accept_journal(self) -> None:
        """Take the journal that is there as the right one, as a person says."""
        await (await self._journal()).accept()

    async def drain(self, seconds: float) -> None:
        """Let sends in flight end, for at most this long; what has not ended by then stays in doubt."""
        await self._sending.drain(seconds)

    async def _decision(self, wish: Wish, cart: Cart, quoted: Quote) -> Callable[[History], Verdict]:
        """The rules as they are when they are asked, over this order."""
        recipient = await self._quoting.recipient(wish, cart)
        known = recipient is not None and recipient.origin == "person"
        return lambda history: decide(self._rules(), quoted.total, history, repeat=wish.repeat, known_address=known)

    async def _decided(
        self,
        purchase: Purchase,
        quoted: Quote,
        wish: Wish,
        decision: Callable[[History], Verdict],
        max_total: Decimal | None,
    ) -> Placing | Asked:
        _refuse_above(quoted, max_total)
        journal = await self._journal()
        verdict = decision(await journal.history(new_draft(purchase, quoted, wish.reference)))
        _refuse_denied(verdict)
        await self._refuse_declined(quoted)
        if isinstance(verdict, Allow) and self._security_code is not None:
            if max_total is None:
                raise NotAllowed(
                    "Your rules allow this without asking, and then max_total is required: the most it may cost. "
                    f"The total is {quoted.total}. Nothing was sent."
                )
            permit = Permit(lambda history: _refuse_unallowed(decision(history)), window=_UNATTENDED_WINDOW)
            yes = Yes(quoted, permit, await self._security_code(), reference=wish.reference)
            return await self._sending.start(purchase, yes)
        if not isinstance(verdict, Ask):
            verdict = Ask("security_code", "No command is set that prints the card's security code.")
        return await self._ask(purchase, quoted, wish, verdict)

    async def _ask(self, purchase: Purchase, quoted: Quote, wish: Wish, verdict: Ask) -> Asked:
        await purchase.tidy()
        journal = await self._journal()
        now = self._now()
        question = Approval(
            id="ap_" + secrets.token_hex(8),
            wish=wish,
            digest=quoted.digest,
            total=quoted.total,
            lines=quoted.lines,
            rule=verdict.rule,
            reason=verdict.reason,
            answer=Answer.OPEN,
            asked_at=now,
            expires_at=now + ANSWER_WITHIN,
        )
        return Asked(await journal.approvals.ask(question, quoted.purchase_key), quoted)

    async def _refuse_declined(self, quoted: Quote) -> None:
        no = await (await self._journal()).approvals.declined(quoted.digest)
        if no is not None:
            raise NotAllowed(
                f"The person declined this order. It can be asked again after {no.expires_at:%H:%M} UTC. "
                "Nothing was sent."
            )

    async def _belongs_to(
        self, purchase: Purchase, quoted: Quote, wish: Wish, decision: Callable[[History], Verdict]
    ) -> Attempt | None:
        journal = await self._journal()
        draft = new_draft(purchase, quoted, wish.reference)
        # Rules that cannot be read send nothing, and keep nobody from what was sent before.
        found = await journal.find(draft, PLACED_WINDOW, repeat=wish.repeat)
        alone = found is None and self._security_code is not None
        if alone and isinstance(decision(await journal.history(draft)), Allow):
            found = await journal.find(draft, _UNATTENDED_WINDOW, repeat=wish.repeat)
        return None if found is None else await self._settled(found)

    async def _being_sent(self, store: str) -> Placing | None:
        """The attempt that is paying the cart of this store at this moment."""
        for attempt in await (await self._journal()).sending(store):
            if attempt.draft.cart_id is not None:
                joined = await self._sending.join(attempt)
                if joined.attempt.state is State.SENDING:
                    return joined
        return None

    async def _last_order(self, store: str) -> Placing:
        """The order that used the cart up, where there is one."""
        last = await (await self._journal()).latest(store, within=_LAST_ORDER)
        if last is None or last.state is State.NOT_PLACED:
            raise NotAllowed(f"The cart at {store} is empty. Nothing was sent.", next="add_line_item")
        return await self._sending.join(await self._settled(last))

    async def _settled(self, attempt: Attempt) -> Attempt:
        return await self._settling.settle(await self._sending.as_it_stands(attempt))

    def _refuse_outside_the_simulator(self) -> None:
        if self._environment != "simulator":
            raise NotAllowed(
                "Orders are placed only in the simulator environment: this version has no approval page, no PIN and no "
                "accepted rules yet, and without them no real order is sent. Carts work here all the same."
            )


def _refuse_denied(verdict: Verdict) -> None:
    if isinstance(verdict, Deny):
        raise RuleDenied(f"{verdict.reason} Nothing was sent.", rule=verdict.rule)


def _refuse_unallowed(verdict: Verdict) -> None:
    _refuse_denied(verdict)
    if not isinstance(verdict, Allow):
        raise NotAllowed("Your rules no longer allow this without asking. Nothing was sent; order again to ask.")


def _refuse_above(quoted: Quote, max_total: Decimal | None) -> None:
    if max_total is not None and quoted.total.amount > max_total:
        limit = Money(max_total, quoted.total.currency)
        raise NotAllowed(f"The total is {quoted.total}, above the {limit} that max_total allows. Nothing was sent.")
