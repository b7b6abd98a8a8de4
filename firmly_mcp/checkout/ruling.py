"""What a person's rules say of an order: the rules as they stand when they are asked, over the order as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import NotAllowed, RuleDenied
from firmly_mcp.money import Money

from .models import OrderIntent
from .policy.acceptance import Policy
from .policy.evaluate import Allow, Ask, Deny, History, Order, Verdict, decide, pin_required
from .quote import Quote
from .quoting import Quoting

Decision = Callable[[History], Verdict]

_NO_CODE: Final = Ask(
    "security_code", "Your rules allow it, and no cvv_command is set that prints the card's security code."
)


class Ruling:
    """Asks the rules. `rules` reads those that count now."""

    def __init__(self, rules: Callable[[], Awaitable[Policy]], quoting: Quoting) -> None:
        self._rules = rules
        self._quoting = quoting

    async def over(self, wish: OrderIntent, cart: Cart | None, quoted: Quote) -> Decision:
        """What the rules will say of this order, given what the journal says beside it.

        Raises:
            SettingsError: the rules cannot be read; while they cannot, no order may be sent.
        """
        rules = await self._rules()
        recipient = await self._quoting.recipient(wish, cart, quoted.payer)
        order = Order(
            store=quoted.store,
            total=quoted.total,
            card_label=quoted.payer.card.label,
            # The store's cart and the call itself: what is sent is the call's, whatever the cart says.
            quantities=(*quoted.quantities, *_asked_for(wish)),
            tool="complete_order" if wish.items is None else "place_order",
            address_hash=quoted.address_hash,
            known_address=recipient.is_own,
            repeat=wish.repeat,
        )
        return lambda history: rules.verdict(lambda each: decide(each, order, history))

    async def pin_required(self, total: Money) -> bool:
        """Whether a yes to this total takes the approval PIN, where one is set."""
        rules = await self._rules()
        return rules.pin_required(lambda each: pin_required(each, total))


def in_practice(verdict: Verdict, *, prints_code: bool) -> Verdict:
    """What becomes of an order by this verdict: without a command that prints the security code, a person is asked."""
    return _NO_CODE if isinstance(verdict, Allow) and not prints_code else verdict


def _asked_for(wish: OrderIntent) -> Iterable[int]:
    """How many of each variant the call names; none where it means the cart."""
    asked: dict[str, int] = {}
    for item in wish.items or ():
        asked[item.ref] = asked.get(item.ref, 0) + item.quantity
    return asked.values()


def refuse_denied(verdict: Verdict) -> None:
    """Stop an order that no yes can help.

    Raises:
        RuleDenied: names the rule.
    """
    if isinstance(verdict, Deny):
        raise RuleDenied(f"{verdict.reason} Nothing was sent.", rule=verdict.rule)


def refuse_unallowed(verdict: Verdict) -> None:
    """Stop an order that the rules no longer allow by themselves.

    Raises:
        RuleDenied, NotAllowed: nothing was sent.
    """
    refuse_denied(verdict)
    if not isinstance(verdict, Allow):
        raise NotAllowed("Your rules no longer allow this without asking. Nothing was sent; order again to ask.")
