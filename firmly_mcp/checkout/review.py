"""Where a person answers: what they are shown, and their yes or no. A page and a terminal are both this desk.

A model cannot approve: a tool reaches nothing here but a no. The yes is bound to what was shown, and places the order
in the process that took it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio
from pydantic import SecretStr

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CardRefused, NotAllowed, WalletError
from firmly_mcp.redaction import OneUse, code_problem
from firmly_mcp.settings import PAGES_AN_HOUR
from firmly_mcp.wallet.pin import ApprovalProof, require_person
from firmly_mcp.wallet.wallet import Wallet

from .earlier import stating_earlier
from .execution import Executor, Yes
from .journal.approvals import ANSWER_WITHIN
from .journal.journal import Journal, Permit
from .models import Approval, ApprovalStatus, Attempt, OrderIntent
from .policy.evaluate import Ask
from .quote import Quote, Recipient
from .quoting import Quoting, tidied_on_error
from .requests import OrderRequest
from .ruling import Ruling, refuse_denied
from .settlement import WATCH

# The same, bought this short a while ago, is shown beside the question.
_A_SHORT_WHILE: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
# An answer may come from another program, over the same journal. In seconds.
LOOK_EVERY: Final = 0.3


@dataclass(frozen=True, slots=True)
class Review:
    """What a desk shows: the question, the quote as it is now, doubts at the store, what was bought just before.

    `recipient` is what the address book knows of where it goes. `pin_set`: there is a PIN, which ending an earlier
    doubt takes. `pin_required`: the yes takes it too. `alarms` are orders, at any store, of which the store shows
    something else than was recorded.
    """

    approval: Approval
    quote: Quote
    purchase: OrderRequest
    cart: Cart | None
    doubts: tuple[Attempt, ...]
    just_bought: Attempt | None
    recipient: Recipient
    pin_set: bool
    pin_required: bool
    alarms: tuple[Attempt, ...] = ()

    def check_code(self, code: SecretStr) -> str | None:
        """Why this cannot be the security code of the card that pays; None when it can. Asking uses nothing up."""
        return code_problem(code, self.quote.payer.card.brand)


class Desk:
    """Puts questions to a person, and acts on the answer.

    `may_order` raises where no order may be placed at all.
    """

    def __init__(
        self,
        *,
        vault: Wallet,
        quoting: Quoting,
        sending: Executor,
        ruling: Ruling,
        journal: Callable[[], Awaitable[Journal]],
        may_order: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._vault = vault
        self._quoting = quoting
        self._sending = sending
        self._ruling = ruling
        self._journal = journal
        self._may_order = may_order
        self._now = now

    async def ask(self, quoted: Quote, wish: OrderIntent, verdict: Ask) -> Approval:
        """Write a question down, or find the open one that was asked of the same."""
        approvals = (await self._journal()).approvals
        now = self._now()
        question = Approval(
            id="ap_" + secrets.token_hex(8),
            intent=wish,
            digest=quoted.digest,
            total=quoted.total,
            lines=quoted.lines,
            card=quoted.payer.card,
            rule=verdict.rule,
            reason=verdict.reason,
            status=ApprovalStatus.OPEN,
            asked_at=now,
            expires_at=now + ANSWER_WITHIN,
        )
        return await approvals.ask(question, quoted.purchase_key)

    async def may_open_page(self) -> bool:
        """Whether a page may open by itself: a person is not worn down by pages, however often they are asked."""
        approvals = (await self._journal()).approvals
        return await approvals.asked_since(self._now() - _HOUR) <= PAGES_AN_HOUR

    async def declined(self, quoted: Quote) -> Approval | None:
        """A person's no to this very order. It holds until its question would have expired, whatever the rules say."""
        return await (await self._journal()).approvals.declined(quoted.digest)

    async def open_approvals(self) -> Sequence[Approval]:
        """The questions that a person can answer now."""
        return await (await self._journal()).approvals.open()

    async def approval(self, approval_id: str) -> Approval | None:
        """A question by its id, answered or not."""
        return await (await self._journal()).approvals.get(approval_id)

    def is_open(self, approval: Approval) -> bool:
        """Whether a person can still answer it."""
        return approval.is_open(self._now())

    async def review(self, approval_id: str) -> Review:
        """Read everything that a person has to see before a yes, as it is now.

        Raises:
            NotAllowed: there is no such question, or it cannot be answered any more.
        """
        journal = await self._journal()
        approval = await journal.approvals.get(approval_id)
        if approval is None or not approval.is_open(self._now()):
            raise NotAllowed(
                "There is no open approval of this id: it was answered, another took its place, or its ten minutes are "
                "over."
            )
        # The purchase may have been ordered since it was asked for: no error hides that.
        async with stating_earlier(self._journal, approval.intent.store):
            return await self._read(approval, journal)

    async def _read(self, approval: Approval, journal: Journal) -> Review:
        purchase = await self._quoting.purchase(approval.intent)
        cart = await self._quoting.priced(purchase)
        async with tidied_on_error(purchase):
            quoted = await self._quoting.quoted(purchase, approval.intent, cart)
            recipient = await self._quoting.recipient(approval.intent, cart, quoted.payer)
        keys = self._quoting.keys(purchase, approval.intent, cart)
        doubts = tuple(attempt for attempt in await journal.in_doubt() if attempt.store == purchase.store)
        pin_set = await self._vault.pin.is_set()
        return Review(
            approval,
            quoted,
            purchase,
            cart,
            doubts,
            just_bought=await journal.bought(keys, within=_A_SHORT_WHILE),
            recipient=recipient,
            pin_set=pin_set,
            pin_required=pin_set and await self._ruling.pin_required(quoted.total),
            alarms=tuple(await journal.alarms(within=WATCH)),
        )

    async def approve(self, review: Review, code: SecretStr, proof: ApprovalProof) -> Attempt:
        """A person's yes to what they were shown: place it, here and now.

        The PIN is asked for again, for what was set when a page was shown is not what decides; accepted rules may
        waive it.

        Raises:
            CardRefused: the security code has not the form that the card's brand has. The question stands.
            PinRefused: the PIN is missing or wrong. The question stands.
            RuleDenied: the rules now refuse what they asked about.
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        async with stating_earlier(self._journal, review.quote.store):
            return await self._approved(review, code, proof)

    async def _approved(self, review: Review, code: SecretStr, proof: ApprovalProof) -> Attempt:
        await self._may_order()
        if problem := review.check_code(code):
            raise CardRefused(f"{problem} Nothing was sent.")
        if await self._ruling.pin_required(review.quote.total):
            await require_person(proof, self._vault.pin)
        wish = review.approval.intent
        decision = await self._ruling.over(wish, review.cart, review.quote)
        permit = Permit(
            check=lambda history: refuse_denied(decision(history)),
            approval=review.approval.id,
            channel=proof.channel,
        )
        # The doubt and the earlier order were on the page: a yes to them is a yes to one more.
        repeat = wish.repeat or review.just_bought is not None
        yes = Yes(review.quote, permit, OneUse(code, "a security code"), repeat=repeat, reference=wish.reference)
        attempt = await self._sending.start(review.purchase, yes)
        if attempt.is_new and (entry := review.recipient.shipped_to) is not None:
            # The order is under way, whatever becomes of the address book: at worst the next one asks again.
            with suppress(WalletError):
                await self._vault.accept_address(entry)
        return attempt

    async def answered(self, approval_id: str) -> Approval | None:
        """Wait until a question is answered, here or in another program, or has expired; then as it stands."""
        approvals = (await self._journal()).approvals
        while True:
            found = await approvals.get(approval_id)
            if found is None or not found.is_open(self._now()):
                return found
            await anyio.sleep(LOOK_EVERY)

    async def decline(self, review: Review, channel: str) -> bool:
        """A person's no; it holds until the question would have expired. False if it was answered before."""
        is_new = await (await self._journal()).approvals.decline(review.approval.id, channel)
        await review.purchase.tidy()
        return is_new

    async def decline_unseen(self, approval_id: str, channel: str) -> None:
        """A no from a person who did not open the page. It holds as any other, and leaves a closed question alone."""
        await (await self._journal()).approvals.decline(approval_id, channel)
