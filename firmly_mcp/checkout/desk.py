"""Where a person answers: what they are shown, and their yes or no. A page and a terminal are both this desk.

A model cannot approve: nothing here can be reached from a tool. The yes is bound to what was shown, and places the
order in the process that took it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import NotAllowed, WalletError
from firmly_mcp.wallet.addresses import Address
from firmly_mcp.wallet.vault import Vault

from .approvals import ANSWER_WITHIN, Answer, Approval
from .attempts import Attempt, State
from .journal import Journal, Permit
from .purchases import Purchase
from .quote import Quote
from .quoting import Quoting, tidied_on_error
from .rules import Ask
from .ruling import Ruling, refuse_denied
from .sending import Placing, Sending, Yes
from .wishes import Wish

# The same, bought this short a while ago, is shown beside the question.
_A_SHORT_WHILE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A person has to answer this first. Nothing was sent."""

    approval: Approval
    quote: Quote


@dataclass(frozen=True, slots=True)
class Review:
    """What a desk shows: the question, the quote as it is now, doubts at the store, what was bought just before.

    `recipient` is the address book's entry that it goes to, if it is one. `pin_required`: the yes needs the PIN.
    """

    approval: Approval
    quote: Quote
    purchase: Purchase
    cart: Cart | None
    doubts: tuple[Attempt, ...]
    just_bought: Attempt | None
    recipient: Address | None
    pin_required: bool = False


class Desk:
    """Puts questions to a person, and acts on the answer.

    `may_order` raises where no order may be placed at all.
    """

    def __init__(
        self,
        *,
        vault: Vault,
        quoting: Quoting,
        sending: Sending,
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

    async def ask(self, quoted: Quote, wish: Wish, verdict: Ask) -> Asked:
        """Write a question down, or find the open one that was asked of the same."""
        approvals = (await self._journal()).approvals
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
        return Asked(await approvals.ask(question, quoted.purchase_key), quoted)

    async def refuse_declined(self, quoted: Quote) -> None:
        """Let a person's no hold until its question would have expired, whatever the rules say by then.

        Raises:
            NotAllowed: a person declined this very order.
        """
        no = await (await self._journal()).approvals.declined(quoted.digest)
        if no is not None:
            raise NotAllowed(
                f"The person declined this order. It can be asked again after {no.expires_at:%H:%M} UTC. "
                "Nothing was sent."
            )

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
        just_bought = next((a for a in same if a.begun_at > self._now() - _A_SHORT_WHILE), None)
        return Review(approval, quoted, purchase, cart, doubts, just_bought, recipient)

    async def approve(self, review: Review, code: SecretStr, channel: str, *, pin: SecretStr | None = None) -> Placing:
        """A person's yes to what they were shown: place it, here and now.

        Raises:
            RuleDenied: the rules now refuse what they asked about.
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        await self._may_order()
        wish = review.approval.wish
        decision = await self._ruling.over(wish, review.cart, review.quote)
        permit = Permit(
            check=lambda history: refuse_denied(decision(history)),
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
