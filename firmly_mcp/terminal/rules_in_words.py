"""Each rule of a rules file in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from firmly_mcp.checkout.policy.rules import CurrencyRules, Limits, Rules, in_quotes
from firmly_mcp.money import Money

_WINDOWS: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}
_VERBS: Final = {"ask": "is asked about", "refuse": "is refused"}


def in_words(rules: Rules) -> Iterator[tuple[str, str]]:
    """The rules by their dotted keys, each with what it means; none where nothing is written."""
    for currency, limits in rules.limits.items():
        yield from _of_currency(currency, limits)
    yield from _of_stores(rules)
    yield from _of_addresses(rules)
    yield from _of_orders(rules)
    if rules.hours is not None:
        hours = rules.hours
        verb = {"ask": "asks a person", "refuse": "is refused"}[hours.outside]
        yield "hours", f"An order outside of {hours.begin:%H:%M} to {hours.end:%H:%M} in {hours.zone} {verb}."


def _of_currency(currency: str, limits: CurrencyRules) -> Iterator[tuple[str, str]]:
    yield from _limits(currency, currency, limits, "")
    for store, table in limits.stores.items():
        yield from _limits(f"{currency}.stores.{in_quotes(store)}", currency, table, f" at {store}")
    for card, table in limits.cards.items():
        yield from _limits(f"{currency}.cards.{in_quotes(card)}", currency, table, f" with the card {card}")
    if limits.pin_above is not None:
        yield f"{currency}.pin_above", f"A yes to at most {Money(limits.pin_above, currency)} needs no PIN."


def _limits(path: str, currency: str, limits: Limits, where: str) -> Iterator[tuple[str, str]]:
    for name in Limits.model_fields:
        limit = getattr(limits, name)
        if limit is not None:
            verb, _, window = name.partition("_above")
            amount = Money(limit, currency)
            span = _WINDOWS.get(window.removeprefix("_a_"))
            what = f"An order above {amount}{where}" if span is None else f"More than {amount} in {span}{where}"
            yield f"{path}.{name}", f"{what} {_VERBS[verb]}."


def _of_stores(rules: Rules) -> Iterator[tuple[str, str]]:
    stores = rules.stores
    if stores.allowed is not None:
        yield "stores.allowed", f"Orders at other stores than these are refused: {_listed(stores.allowed)}."
    if stores.refused:
        yield "stores.refused", f"Orders at these stores are refused: {_listed(stores.refused)}."
    if stores.without_asking is not None:
        others = f"Orders at other stores than these are asked about: {_listed(stores.without_asking)}."
        yield "stores.without_asking", others
    if stores.cooling_off is not None:
        span = _span(stores.cooling_off)
        yield "stores.cooling_off", f"A new store is asked about until {span} after the first order there."


def _of_addresses(rules: Rules) -> Iterator[tuple[str, str]]:
    addresses = rules.addresses
    if "unknown" in addresses.model_fields_set:
        what = "An order to an address that you did not enter and never approved an order to"
        yield "addresses.unknown", f"{what} {_VERBS[addresses.unknown]}."
    if addresses.cooling_off is not None:
        span = _span(addresses.cooling_off)
        yield "addresses.cooling_off", f"A new address is asked about until {span} after the first order to it."


def _of_orders(rules: Rules) -> Iterator[tuple[str, str]]:
    orders = rules.orders
    if orders.largest_quantity is not None:
        yield "orders.largest_quantity", f"More than {orders.largest_quantity} of one thing is refused."
    if not orders.place_order:
        yield "orders.place_order", "The tool place_order is refused; complete_order orders the cart."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _span(length: timedelta) -> str:
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if length.total_seconds() % seconds == 0 and length.total_seconds() >= 2 * seconds:
            return f"{length.total_seconds() / seconds:.0f} {unit}"
    return f"{length.total_seconds() / 60:.0f} minutes"
