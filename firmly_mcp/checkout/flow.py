"""A purchase from the call to the order: find, quote, decide, then ask the person or execute.

No tool can approve: an order is sent because rules that a person accepted allow it, or because a person approved the
quote on a page or in a terminal. Their approval places the order, in the process that took it.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from pydantic import SecretStr

from firmly_mcp.api.encoding import store_name
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CardRefused, CartNotFound, FirmlyError, NotAllowed, RuleDenied, WalletError
from firmly_mcp.money import Money
from firmly_mcp.redaction import OneUse, code_problem
from firmly_mcp.wallet.pin import ApprovalProof, require_person

from .earlier import Earlier, stating_earlier
from .journal.approvals import ANSWER_WITHIN
from .journal.journal import ATTENDED_WINDOW, Authorization
from .models import Approval, ApprovalStatus, Attempt, CardRef, OrderIntent
from .policy.evaluate import OrderFacts, RuleResult, SpendingHistory, in_practice, pin_required
from .quote import PaymentMethod, Quote, Recipient, quote, recipient, shipping_of
from .records import Records
from .requests import ItemsOrder, OrderRequest, keys_of, new_attempt, request_for
from .settlement import WATCH

# Where rules allow alone, a program may repeat a call for hours; a person would have approved twice.
UNATTENDED_WINDOW: Final = timedelta(hours=24)
# The same, bought this short a time ago, is shown next to what is to be approved.
_A_SHORT_WHILE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would be, what would become of it, and an earlier order at its store that must be known.

    `result` is the rules' and all that comes after them.
    """

    quote: Quote
    result: RuleResult
    earlier: Earlier | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What a person sees before the answer: the quote as it is now, doubts at the store, what was bought just before.

    `recipient` is what the address book knows of the shipping address. `pin_set`: there is a PIN, which ending an
    earlier doubt takes. `pin_required`: approving takes it too. `alarms` are orders, at any store, of which the store
    shows something else than was recorded.
    """

    approval: Approval
    quote: Quote
    request: OrderRequest
    cart: Cart
    in_doubt: tuple[Attempt, ...]
    previous: Attempt | None
    recipient: Recipient
    pin_set: bool
    pin_required: bool
    alarms: tuple[Attempt, ...] = ()

    def check_code(self, code: SecretStr) -> str | None:
        """Return why this cannot be the security code of the card that pays; None when it can. It uses nothing up."""
        return code_problem(code, self.quote.payer.card.brand)


class Checkout(Records):
    """Places orders, each at most once, and takes a person's answers. What is on record is read by `Records`."""

    async def place(self, intent: OrderIntent, *, max_total: Decimal | None = None) -> Attempt | Approval:
        """Place an order if the rules allow it, ask the person if they do not, or return the attempt that exists.

        `max_total` is in the cart's currency and can only refuse.

        Raises:
            RuleDenied, NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was
            sent. An earlier order at the store is stated.
        """
        intent = replace(intent, store=store_name(intent.store))
        # Before anything is read or sent: whatever fails after this hides no earlier order.
        if (existing := await self.find_by_intent(intent, ATTENDED_WINDOW)) is not None:
            return existing
        async with stating_earlier(self.journal, intent.store):
            try:
                return await self._place(intent, max_total)
            except FirmlyError:
                # What failed may have kept rules from allowing alone, and then a placed order counts for longer.
                unattended = self._deps.security_code is not None
                if not unattended or (existing := await self.find_by_intent(intent, UNATTENDED_WINDOW)) is None:
                    raise
                return existing

    async def _place(self, intent: OrderIntent, max_total: Decimal | None) -> Attempt | Approval:
        await self._deps.policy.require_accepted_destination()
        if await self.order_turns_up(intent.store) and (found := await self.find_by_intent(intent, ATTENDED_WINDOW)):
            return found
        request = await request_for(intent, self._deps)
        async with AsyncExitStack() as cleanup:
            cleanup.push_async_callback(request.discard_cart)
            cart = await _price(request)
            if intent.items is None and (cart is None or cart.is_empty or cart.submitted):
                return await self.order_of_cart(intent.store, cart)
            cart = cart or Cart()
            # Neither a cart that cannot be paid nor a card or keyring that cannot be read hides an earlier order.
            keys = keys_of(request, intent, cart, self._deps.owner)
            if (found := await self.journal.find(keys, ATTENDED_WINDOW, repeat=intent.repeat)) is not None:
                return await self.settled(found)
            quoted = await self._quote(request, intent, cart)
            new = new_attempt("", request, quoted, intent.reference)
            known = await self.journal.lookup(new, ATTENDED_WINDOW, repeat=intent.repeat)
            if isinstance(known, Attempt):
                return await self.settled(known)
            decided = await self._decide(intent, cart, quoted, new, known, max_total=max_total)
            if not isinstance(decided, Authorization):
                return decided
            # The executor uses the request from here on, and discards its cart.
            cleanup.pop_all()
            return await self._executor.start(request, decided)

    async def _decide(
        self,
        intent: OrderIntent,
        cart: Cart,
        quoted: Quote,
        new: Attempt,
        history: SpendingHistory,
        *,
        max_total: Decimal | None,
    ) -> Authorization | Approval | Attempt:
        """Return the rules' authorization, or else what the person is asked; or what this order was before."""
        # The rules are read after the lookups: rules that cannot be read hide no earlier order.
        policy, facts = await self._deps.policy.load(), await self._facts(intent, cart, quoted)
        result = in_practice(policy.decide(facts, history), prints_code=self._deps.security_code is not None)
        unattended = result.verdict == "allow"
        if unattended and (found := await self.journal.find(new, UNATTENDED_WINDOW, repeat=intent.repeat)) is not None:
            return await self.settled(found)
        _refuse_above(max_total, quoted)
        _refuse_denied(result)
        if (declined := await self.journal.approvals.declined(quoted.digest)) is not None:
            return declined
        if result.verdict == "ask":
            return await self._ask(intent, quoted, result)
        _require_max_total(max_total, quoted)
        return Authorization(
            quote=quoted,
            security_code=await self._printed_code(quoted),
            recheck=lambda history: _refuse_unallowed(policy.decide(facts, history)),
            window=UNATTENDED_WINDOW,
            reference=intent.reference,
        )

    async def _ask(self, intent: OrderIntent, quoted: Quote, asks: RuleResult) -> Approval:
        """Record what the person is asked, or return the open approval for the same quote and intent."""
        now = self._deps.now()
        approval = Approval(
            id="ap_" + secrets.token_hex(8),
            intent=intent,
            digest=quoted.digest,
            total=quoted.total,
            lines=quoted.lines,
            card=quoted.payer.card,
            rule=asks.rule,
            reason=asks.reason,
            status=ApprovalStatus.OPEN,
            asked_at=now,
            expires_at=now + ANSWER_WITHIN,
        )
        return await self.journal.approvals.ask(approval, quoted.purchase_key)

    async def preview(self, intent: OrderIntent) -> Preview:
        """Return what the order would be. It charges nothing; for items it builds a cart: the store gets the address.

        Raises:
            NotAllowed: what is missing, and the tool that supplies it.
        """
        async with stating_earlier(self.journal, intent.store), AsyncExitStack() as cleanup:
            request = await request_for(intent, self._deps)
            cleanup.push_async_callback(request.discard_cart)
            cart = await _price(request) or Cart()
            quoted = await self._quote(request, intent, cart)
            result = await self._foresee(request, quoted, intent, cart)
            return Preview(quoted, result, await self.earlier_at(request.store))

    async def _foresee(self, request: OrderRequest, quoted: Quote, intent: OrderIntent, cart: Cart) -> RuleResult:
        """Return what an order of this quote would meet now, in the order in which `place` looks at it."""
        policy, facts = await self._deps.policy.load(), await self._facts(intent, cart, quoted)
        try:
            await self._deps.policy.require_accepted_destination()
        except NotAllowed as stopped:
            return RuleResult("not_accepted", "refuse", stopped.message)
        history = await self.journal.history(new_attempt("", request, quoted, intent.reference))
        result = in_practice(policy.decide(facts, history), prints_code=self._deps.security_code is not None)
        if result.verdict == "refuse" or (declined := await self.journal.approvals.declined(quoted.digest)) is None:
            return result
        until = f"{declined.expires_at:%H:%M} UTC"
        return RuleResult("declined", "refuse", f"The person declined this order; their no holds until {until}.")

    # The person answers.

    async def review(self, approval_id: str) -> Review:
        """Read everything that a person has to see before they approve, as it is now.

        Raises:
            NotAllowed: no open approval has this id.
        """
        approval = await self.journal.approvals.get(approval_id)
        if approval is None or not self.is_open(approval):
            raise NotAllowed(
                "There is no open approval of this id: it was answered, another took its place, or its ten minutes are "
                "over."
            )
        # It may have been ordered since it was asked: no error hides that.
        async with stating_earlier(self.journal, approval.store), AsyncExitStack() as cleanup:
            request = await request_for(approval.intent, self._deps)
            cleanup.push_async_callback(request.discard_cart)
            cart = await _price(request) or Cart()
            quoted = await self._quote(request, approval.intent, cart)
            keys = keys_of(request, approval.intent, cart, self._deps.owner)
            pin_set = await self._deps.wallet.pin.is_set()
            review = Review(
                approval,
                quoted,
                request,
                cart,
                in_doubt=tuple(one for one in await self.journal.in_doubt() if one.store == request.store),
                previous=await self.journal.bought(keys, within=_A_SHORT_WHILE),
                recipient=await self._recipient(approval.intent, cart, quoted.payer),
                pin_set=pin_set,
                pin_required=pin_set and await self._pin_required(quoted.total),
                alarms=tuple(await self.journal.alarms(within=WATCH)),
            )
            # What a person looks at is kept until they answer.
            cleanup.pop_all()
            return review

    async def approve(self, review: Review, code: SecretStr, proof: ApprovalProof) -> Attempt:
        """Place the order that a person approved, here and now.

        Whether the PIN is required is decided again, and not by what was shown.

        Raises:
            CardRefused: the security code has not the form that the card's brand has. The approval stays open.
            PinRefused: the PIN is missing or wrong. The approval stays open.
            RuleDenied: the rules now refuse what they asked about.
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        intent = review.approval.intent
        async with stating_earlier(self.journal, review.quote.store):
            await self._deps.policy.require_accepted_destination()
            if problem := review.check_code(code):
                raise CardRefused(f"{problem} Nothing was sent.")
            if await self._pin_required(review.quote.total):
                await require_person(proof, self._deps.wallet.pin)
            policy, facts = await self._deps.policy.load(), await self._facts(intent, review.cart, review.quote)
            authorization = Authorization(
                quote=review.quote,
                security_code=OneUse(code, "a security code"),
                recheck=lambda history: _refuse_denied(policy.decide(facts, history)),
                approval_id=review.approval.id,
                channel=proof.channel,
                # The doubt and the earlier order were shown: to approve next to them is to want one more.
                repeat=intent.repeat or review.previous is not None,
                reference=intent.reference,
            )
            attempt = await self._executor.start(review.request, authorization)
            if attempt.is_new and (entry := review.recipient.shipped_to) is not None:
                # The order goes on, whatever happens to the address book: at worst the next one asks again.
                with suppress(WalletError):
                    await self._deps.wallet.accept_address(entry)
            return attempt

    async def decline(self, review: Review, channel: str) -> bool:
        """Record that the person declines, until the approval would have expired; False if it was not open any more."""
        is_new = await self.journal.approvals.decline(review.approval.id, channel)
        await review.request.discard_cart()
        return is_new

    # From an intent to a quote, and what the rules are asked about it.

    async def _quote(self, request: OrderRequest, intent: OrderIntent, cart: Cart) -> Quote:
        wallet = self._deps.wallet
        card = await wallet.card_summary(intent.card)
        billing = await wallet.address(card.billing_address)
        firmly = await self._deps.stores.shopper()
        payment = PaymentMethod(
            environment=self._deps.owner.environment,
            shopper=self._deps.owner.shopper,
            payment_host=firmly.session.hosts.payment,
            card=CardRef(card.label, card.brand, card.last_four),
            billing=billing.as_firmly(),
            address_key=await wallet.address_key(),
            ships_to=request.shipping if isinstance(request, ItemsOrder) else None,
        )
        return quote(request.store, cart, payment)

    async def _recipient(self, intent: OrderIntent, cart: Cart, payment: PaymentMethod) -> Recipient:
        label = None if intent.items is None else (await self._deps.wallet.address(intent.address)).label
        return recipient(await self._deps.wallet.addresses(), shipping_of(cart, payment), label)

    async def _facts(self, intent: OrderIntent, cart: Cart, quoted: Quote) -> OrderFacts:
        known = await self._recipient(intent, cart, quoted.payer)
        return OrderFacts(
            store=quoted.store,
            total=quoted.total,
            card_label=quoted.payer.card.label,
            # What is sent is the call's, whatever the store's cart states: both count.
            quantities=(*quoted.quantities, *intent.quantities),
            tool=intent.tool,
            address_hash=quoted.address_hash,
            known_address=known.is_own,
            repeat=intent.repeat,
        )

    async def _pin_required(self, total: Money) -> bool:
        policy = await self._deps.policy.load()
        return policy.pin_required(lambda rules: pin_required(rules, total))

    async def _printed_code(self, quoted: Quote) -> OneUse[SecretStr]:
        assert self._deps.security_code is not None, "without a command that prints the code, a person is asked"
        code = await self._deps.security_code()
        if problem := code_problem(code, quoted.payer.card.brand):
            raise CardRefused(f"{problem} The cvv_command printed another one. Nothing was sent.")
        return OneUse(code, "a security code")


async def _price(request: OrderRequest) -> Cart | None:
    """Return the cart with the store's total, or None where there is no cart."""
    try:
        return await request.price()
    except CartNotFound:
        return None


def _refuse_above(max_total: Decimal | None, quoted: Quote) -> None:
    if max_total is not None and quoted.total.amount > max_total:
        limit = Money(max_total, quoted.total.currency)
        raise NotAllowed(f"The total is {quoted.total}, above the {limit} that max_total allows. Nothing was sent.")


def _require_max_total(max_total: Decimal | None, quoted: Quote) -> None:
    if max_total is None:
        raise NotAllowed(
            "Your rules allow this without asking, and then max_total is required: the most it may cost. "
            f"The total is {quoted.total}. Nothing was sent."
        )


def _refuse_denied(result: RuleResult) -> None:
    if result.verdict == "refuse":
        raise RuleDenied(f"{result.reason} Nothing was sent.", rule=result.rule)


def _refuse_unallowed(result: RuleResult) -> None:
    _refuse_denied(result)
    if result.verdict != "allow":
        raise NotAllowed("Your rules no longer allow this without asking. Nothing was sent; order again to ask.")
