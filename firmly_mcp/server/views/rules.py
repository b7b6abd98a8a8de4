"""What the person's rules ask and refuse, as a model sees it: no amounts, and nothing of what goes unasked.

A model that follows a store's text must not learn here how much it could spend without a question to the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from firmly_mcp.checkout.policy.rules import RULE_TEXT
from firmly_mcp.untrusted import clean

from .view import View, told, with_next

if TYPE_CHECKING:
    from firmly_mcp.checkout.policy.acceptance import Policy
    from firmly_mcp.checkout.policy.rules import Limits, Refusal, Rules


class RulesView(View):
    """What the rules refuse, and what they ask the person about."""

    refused: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    next: str = "preview_order says what the rules make of one order"

    @classmethod
    def of(cls, in_force: Policy, *, prints_code: bool) -> Self:
        """The view of the rules that count now; `prints_code`: a command prints the card's security code."""
        rules = in_force.written
        asks = ["unaccepted"] if in_force.unaccepted else []
        asks += ["security_code"] if rules.limits and not prints_code else []
        return cls(refused=tuple(_refused(rules)), asked=(*map(_known, asks), *_asked(rules)))

    def text(self) -> str:
        lines = [*told("Refused", self.refused), *told("Asked of the person", self.asked)]
        return with_next(lines, self.next)


def _known(rule: str, **facts: str) -> str:
    """What a model may know of a rule."""
    return RULE_TEXT[rule].model.format(**facts)


def _refused(rules: Rules) -> Iterator[str]:
    stores = rules.stores
    if stores.refused:
        yield _known("stores.refused", stores=", ".join(clean(store, 253) for store in stores.refused))
    if stores.allowed is not None:
        yield _known("stores.allowed")
    for currency, limits in rules.limits.items():
        if any(_refuses(some) for some in (limits, *limits.stores.values(), *limits.cards.values())):
            yield _known("refuse_above", currency=currency)
    if not rules.orders.place_order:
        yield _known("orders.place_order")
    if rules.orders.largest_quantity is not None:
        yield _known("orders.largest_quantity")
    yield from _of_both(rules, "refuse")
    yield _known("card_locked")


def _asked(rules: Rules) -> Iterator[str]:
    if not rules.limits:
        yield _known("no_limit")
        return
    yield _known("ask_above", currencies=", ".join(rules.limits))
    if rules.stores.without_asking is not None:
        yield _known("stores.without_asking")
    if rules.stores.cooling_off is not None:
        yield _known("stores.cooling_off")
    yield from _of_both(rules, "ask")
    yield _known("doubt")


def _of_both(rules: Rules, answer: Refusal) -> Iterator[str]:
    """The rules that ask or refuse, as they are written."""
    if rules.addresses.unknown == answer:
        yield _known("addresses.unknown")
    if answer == "ask" and rules.addresses.cooling_off is not None:
        yield _known("addresses.cooling_off")
    if rules.hours is not None and rules.hours.outside == answer:
        yield _known("hours")


def _refuses(limits: Limits) -> bool:
    return any(value is not None for name, value in limits if name.startswith("refuse_above"))
