"""What the person's rules ask and refuse, as a model sees it: no amounts, and nothing of what goes unasked.

A model that a store has talked round must not learn here how much it could spend without anybody being asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from firmly_mcp.untrusted import clean

from .view import View, told, with_next

if TYPE_CHECKING:
    from firmly_mcp.checkout.policy.acceptance import Policy
    from firmly_mcp.checkout.policy.rules import Limits, Rules


class RulesView(View):
    """What is refused whoever asks, and what the person is asked about."""

    refused: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    next: str = "preview_order says what the rules make of one order"

    @classmethod
    def of(cls, in_force: Policy, *, prints_code: bool) -> Self:
        """The view of the rules that count now; `prints_code`: a command prints the card's security code."""
        asks = ["every order, until the person has accepted their rules"] if in_force.unaccepted else []
        asks += (
            []
            if prints_code or not in_force.written.limits
            else ["every order, for no command prints the card's security code"]
        )
        return cls(refused=tuple(_refused(in_force.written)), asked=(*asks, *_asked(in_force.written)))

    def text(self) -> str:
        lines = [*told("Refused", self.refused), *told("Asked of the person", self.asked)]
        return with_next(lines, self.next)


def _refused(rules: Rules) -> Iterator[str]:
    stores = rules.stores
    if stores.refused:
        yield f"orders at {', '.join(clean(store, 253) for store in stores.refused)}"
    if stores.allowed is not None:
        yield "orders at stores that the person did not allow"
    for currency, limits in rules.limits.items():
        if any(_has(some, "refuse_above") for some in (limits, *limits.stores.values(), *limits.cards.values())):
            yield f"orders in {currency} above the person's limits"
    if not rules.orders.place_order:
        yield "place_order; complete_order may be used"
    if rules.orders.largest_quantity is not None:
        yield "more of one thing than the person allows"
    if rules.addresses.unknown == "refuse":
        yield "orders to an address that the person neither entered nor approved"
    if rules.hours is not None and rules.hours.outside == "refuse":
        yield "orders outside the person's hours"
    yield "orders with a card that was declined twice within an hour, until the person unlocks it"


def _asked(rules: Rules) -> Iterator[str]:
    if not rules.limits:
        yield "every order"
        return
    yield f"orders above the person's limits, and orders in another currency than {', '.join(rules.limits)}"
    if rules.stores.without_asking is not None:
        yield "orders at stores that the person did not name for it"
    if rules.stores.cooling_off is not None:
        yield "orders at a store that is new to the person"
    if rules.addresses.unknown == "ask":
        yield "orders to an address that the person neither entered nor approved"
    if rules.addresses.cooling_off is not None:
        yield "orders to an address that is new to the person"
    if rules.hours is not None and rules.hours.outside == "ask":
        yield "orders outside the person's hours"
    yield "the same order once more, and any order at a store where one is in doubt"


def _has(limits: Limits, name: str) -> bool:
    return any(value is not None for field, value in limits if field.startswith(name))
