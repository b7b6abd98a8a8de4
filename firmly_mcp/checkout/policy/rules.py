"""The rules as a person writes them: every table of the rules file and what may stand in it.

A table for a store or a card adds limits to its currency's and lifts none. Unknown keys are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
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

    @property
    def span(self) -> str:
        """The hours in words."""
        return f"{self.begin:%H:%M} to {self.end:%H:%M}"


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


# What each rule means, in one place: to the person, to a model, and as the reason of one answer.


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """A rule in words, with what one order fills in between braces.

    `means` is for the person, with amounts. `model` is what a model may know: no amounts, nothing of what goes unasked.
    The others are the reasons that `evaluate` gives: the rule holds, asks, refuses, or lacks what it looks at.
    """

    means: str = ""
    model: str = ""
    holds: str = ""
    asks: str = ""
    refuses: str = ""
    lacks: str = ""


SPANS: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}
_WITHIN: Final = "{total} is within the {limit:f} for one order{where}."
_WITHIN_SPAN: Final = "With it, {total} in {span}{where} is within the {limit:f}."
_UNKNOWN_ADDRESS: Final = (
    "It goes to an address that you did not enter and never approved an order to, or that an entry which is not yours "
    "repeats."
)
_OUTSIDE: Final = "It is {here} in {zone}, outside the hours of your rules ({span})."
_NEW: Final = RuleText(
    holds="{what} has been in use since {since}.",
    asks="{what} was first used only a short while ago; your rules ask until {until}.",
    lacks="{what} was never used for an order that was placed.",
)

RULE_TEXT: Final[Mapping[str, RuleText]] = {
    # Limits of one order and, with `_a`, of a day, a week or a month.
    "ask_above": RuleText(
        means="An order above {amount}{where} is asked about.",
        model="orders above the person's limits, and orders in another currency than {currencies}",
        holds=_WITHIN,
        asks="{total} is above the {limit:f} that your rules allow without asking{where}.",
    ),
    "ask_above_a": RuleText(
        means="More than {amount} in {span}{where} is asked about.",
        holds=_WITHIN_SPAN,
        asks="With it, {total} in {span}{where} is above the {limit:f} that your rules allow without asking.",
    ),
    "refuse_above": RuleText(
        means="An order above {amount}{where} is refused.",
        model="orders in {currency} above the person's limits",
        holds=_WITHIN,
        refuses="{total} is above the {limit:f} that your rules set for one order{where}.",
    ),
    "refuse_above_a": RuleText(
        means="More than {amount} in {span}{where} is refused.",
        holds=_WITHIN_SPAN,
        refuses="With it, {total} in {span}{where} is above the {limit:f} that your rules set.",
    ),
    "pin_above": RuleText(means="A yes to at most {amount} needs no PIN."),
    "stores.allowed": RuleText(
        means="Orders at other stores than these are refused: {stores}.",
        model="orders at stores that the person did not allow",
        holds="{store} is among the stores that are allowed.",
        refuses="{store} is not among the stores that your rules allow.",
    ),
    "stores.refused": RuleText(
        means="Orders at these stores are refused: {stores}.",
        model="orders at {stores}",
        holds="{store} is not among the stores that are refused.",
        refuses="Your rules refuse orders at {store}.",
    ),
    "stores.without_asking": RuleText(
        means="Orders at other stores than these are asked about: {stores}.",
        model="orders at stores that the person did not name for it",
        holds="{store} may be ordered from without asking.",
        asks="{store} is no store where your rules let go unasked.",
    ),
    "stores.cooling_off": replace(
        _NEW,
        means="A new store is asked about until {span} after the first order there.",
        model="orders at a store that is new to the person",
    ),
    "addresses.unknown": RuleText(
        means="An order to an address that you did not enter and never approved an order to {verb}.",
        model="orders to an address that the person neither entered nor approved",
        holds="You entered its address, or approved an order there before.",
        asks=_UNKNOWN_ADDRESS,
        refuses=_UNKNOWN_ADDRESS,
    ),
    "addresses.cooling_off": replace(
        _NEW,
        means="A new address is asked about until {span} after the first order to it.",
        model="orders to an address that is new to the person",
    ),
    "orders.largest_quantity": RuleText(
        means="More than {limit} of one thing is refused.",
        model="more of one thing than the person allows",
        holds="{most} of one thing is within the {limit}.",
        refuses="{most} of one thing is more than the {limit} that your rules set.",
        lacks="It is not known how many of one thing it has, and your rules set a limit to that.",
    ),
    "orders.place_order": RuleText(
        means="The tool place_order is refused; complete_order orders the cart.",
        model="place_order; complete_order may be used",
        holds="It does not use place_order.",
        refuses="Your rules do not let place_order be used; complete_order orders the cart.",
    ),
    "hours": RuleText(
        means="An order outside of {span} in {zone} {verb}.",
        model="orders outside the person's hours",
        holds="It is {here} in {zone}, within {span}.",
        asks=_OUTSIDE,
        refuses=_OUTSIDE,
    ),
    # Rules that need no line in the file.
    "negative_total": RuleText(refuses="Its total is below zero, so it cannot be paid."),
    "zero_total": RuleText(asks="Its total is zero: no limit tells whether that is meant."),
    "card_locked": RuleText(
        model="orders with a card that was declined twice within an hour, until the person unlocks it",
        holds="The card is not locked.",
        refuses="Two payments with the card {card} were declined within an hour, so it is locked. If that was you, "
        "unlock it with `{unlock}`.",
    ),
    "doubt": RuleText(
        model="the same order once more, and any order at a store where one is in doubt",
        holds="No order at {store} is in doubt.",
        asks="An earlier order at this store is in doubt: it may have been placed.",
    ),
    "repeat": RuleText(holds="It is not the same once more.", asks="The same was ordered a short while ago."),
    "no_limit": RuleText(
        model="every order",
        holds="{total} is within what your rules allow without asking.",
        asks="Your rules have no limit for a day, week or month in {currency}, so they ask.",
        lacks="Your rules allow nothing in {currency} without asking.",
    ),
    "unaccepted": RuleText(model="every order, until the person has accepted their rules"),
    "security_code": RuleText(
        model="every order, for no command prints the card's security code",
        asks="Your rules allow it, and no cvv_command is set that prints the card's security code.",
    ),
}

_VERBS: Final = {"ask": "is asked about", "refuse": "is refused"}


def in_words(rules: Rules) -> Iterator[tuple[str, str]]:
    """Return the rules by their dotted keys, each with what it means; none where nothing is written."""
    for currency, limits in rules.limits.items():
        yield from _of_currency(currency, limits)
    yield from _of_stores(rules.stores)
    addresses, orders, hours = rules.addresses, rules.orders, rules.hours
    if "unknown" in addresses.model_fields_set:
        yield _means("addresses.unknown", verb=_VERBS[addresses.unknown])
    if addresses.cooling_off is not None:
        yield _means("addresses.cooling_off", span=_span(addresses.cooling_off))
    if orders.largest_quantity is not None:
        yield _means("orders.largest_quantity", limit=orders.largest_quantity)
    if not orders.place_order:
        yield _means("orders.place_order")
    if hours is not None:
        verb = {"ask": "asks a person", "refuse": "is refused"}[hours.outside]
        yield _means("hours", span=hours.span, zone=hours.zone, verb=verb)


def _of_stores(stores: StoreRules) -> Iterator[tuple[str, str]]:
    lists = {"allowed": stores.allowed, "refused": stores.refused or None, "without_asking": stores.without_asking}
    for name, names in lists.items():
        if names is not None:
            yield _means(f"stores.{name}", stores=", ".join(names) or "none")
    if stores.cooling_off is not None:
        yield _means("stores.cooling_off", span=_span(stores.cooling_off))


def _means(rule: str, path: str = "", **facts: object) -> tuple[str, str]:
    return path + rule, RULE_TEXT[rule].means.format(**facts)


def _of_currency(currency: str, limits: CurrencyRules) -> Iterator[tuple[str, str]]:
    yield from _limits(f"{currency}.", currency, limits, "")
    for store, table in limits.stores.items():
        yield from _limits(f"{currency}.stores.{in_quotes(store)}.", currency, table, f" at {store}")
    for card, table in limits.cards.items():
        yield from _limits(f"{currency}.cards.{in_quotes(card)}.", currency, table, f" with the card {card}")
    if limits.pin_above is not None:
        yield _means("pin_above", f"{currency}.", amount=Money(limits.pin_above, currency))


def _limits(path: str, currency: str, limits: Limits, where: str) -> Iterator[tuple[str, str]]:
    for name in Limits.model_fields:
        limit = getattr(limits, name)
        if limit is not None:
            rule, _, window = name.partition("_a_")
            facts: dict[str, Any] = {"amount": Money(limit, currency), "span": SPANS.get(window), "where": where}
            _, words = _means(f"{rule}_a" if window else rule, **facts)
            yield path + name, words


def _span(length: timedelta) -> str:
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if length.total_seconds() % seconds == 0 and length.total_seconds() >= 2 * seconds:
            return f"{length.total_seconds() / seconds:.0f} {unit}"
    return f"{length.total_seconds() / 60:.0f} minutes"
