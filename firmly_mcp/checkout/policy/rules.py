"""The rules as a person writes them: every table of the rules file and what may stand in it.

A table for a store or a card adds limits to its currency's and lifts none. Unknown keys are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from firmly_mcp.api.encoding import store_name
from firmly_mcp.errors import InvalidRequest
from firmly_mcp.money import Money
from firmly_mcp.wallet.entries import label_key

_LENGTH: Final = re.compile(r"(\d{1,5}) ?([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _store(name: str) -> str:
    try:
        return store_name(name)
    except InvalidRequest:
        raise ValueError("is no store: a store is a host name such as luma.gift") from None


def _length(written: object) -> object:
    if written is None or isinstance(written, timedelta):
        return written
    found = _LENGTH.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('has to be a length of time such as "90m", "24h" or "7d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _time(written: object) -> object:
    if isinstance(written, time) or (isinstance(written, str) and _TIME.fullmatch(written)):
        return written
    raise ValueError('has to be a time of day such as "08:00"')


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('has to be a time zone such as "Europe/Berlin" or "UTC"') from None
    return name


Refusal = Literal["ask", "refuse"]
# Far above any order, and few enough digits for exact sums.
_MOST: Final = Decimal(10) ** 15
Amount = Annotated[Decimal | None, Field(ge=0, le=_MOST, allow_inf_nan=False)]
StoreName = Annotated[str, AfterValidator(_store)]
Length = Annotated[timedelta | None, BeforeValidator(_length)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]


def in_quotes(name: str) -> str:
    """A name as it stands in a dotted key: in quotes where it holds more than letters, digits, - and _."""
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class Limits(_Table):
    """Limits in one currency, in major units. A day is the last 24 hours, a week 7 days, a month 30 days."""

    ask_above: Amount = None
    ask_above_a_day: Amount = None
    ask_above_a_week: Amount = None
    ask_above_a_month: Amount = None
    refuse_above: Amount = None
    refuse_above_a_day: Amount = None
    refuse_above_a_week: Amount = None
    refuse_above_a_month: Amount = None


class CurrencyRules(Limits):
    """The limits over everything in a currency, over single stores and over single cards, by label.

    `pin_above`: an approval up to this needs no PIN.
    """

    pin_above: Amount = None
    stores: Mapping[StoreName, Limits] = {}
    cards: Mapping[str, Limits] = {}


class StoreRules(_Table):
    """Where may be ordered, where without asking, and for how long a new store is asked about."""

    allowed: tuple[StoreName, ...] | None = None
    refused: tuple[StoreName, ...] = ()
    without_asking: tuple[StoreName, ...] | None = None
    cooling_off: Length = None


class AddressRules(_Table):
    """What becomes of orders to an address that no person entered or approved, and to one never ordered to before."""

    unknown: Refusal = "ask"
    cooling_off: Length = None


class OrderRules(_Table):
    """What an order may be at most, and which tool may make it."""

    largest_quantity: Annotated[StrictInt | None, Field(ge=1)] = None
    place_order: StrictBool = True


class HourRules(_Table):
    """The hours of a zone in which rules may allow; `from` later than `to` goes over midnight."""

    zone: Annotated[str, AfterValidator(_zone)]
    begin: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    outside: Refusal = "ask"


class Rules(_Table):
    """What a person wrote. What nothing here allows is asked; without a file, everything."""

    limits: Mapping[str, CurrencyRules] = {}
    stores: StoreRules = StoreRules()
    addresses: AddressRules = AddressRules()
    orders: OrderRules = OrderRules()
    hours: HourRules | None = None

    def limits_for(self, currency: str, store: str, card_label: str) -> Sequence[tuple[str, str, Limits]]:
        """The tables of limits that speak of such an order: their names, whom they are about, the limits.

        Whom they are about is `all`, `store` or `card`.
        """
        rules = self.limits.get(currency)
        if rules is None:
            return ()
        stores = [(f"stores.{in_quotes(name)}", "store", rules.stores[name]) for name in rules.stores if name == store]
        same = [name for name in rules.cards if label_key(name) == label_key(card_label)]
        cards = [(f"cards.{in_quotes(name)}", "card", rules.cards[name]) for name in same]
        within = [(f"{currency}.{name}", about, limits) for name, about, limits in (*stores, *cards)]
        return [(currency, "all", rules), *within]


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
