"""Evaluate an order against the rules: refuse, ask a person or allow, each with the rule that decided. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from firmly_mcp.money import Money

from .rules import HourRules, Limits, Refusal, Rules

Verdict = Literal["refuse", "ask", "allow", "holds"]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule says about an order: refuse it, ask a person, allow it; or it holds and is fine with the order.

    `rule` is its name in the rules file, or a name of ours.
    """

    rule: str
    verdict: Verdict
    reason: str


# What the rules are asked about: an order as they see it, and what the journal says beside it.

Window = Literal["day", "week", "month"]

# Rolling, in UTC: neither a calendar's midnight nor a clock change makes room.
WINDOWS: Final[Mapping[Window, timedelta]] = {
    "day": timedelta(hours=24),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """An order as the rules see it.

    `quantities` has how many of each variant; none is not known, and no zero. `address_hash` is the keyed hash of where
    it goes; `known_address`: a person entered that address, or approved an order to it before. `repeat`: the same once
    more is wished for.
    """

    store: str
    total: Money
    card_label: str = ""
    quantities: tuple[int, ...] = ()
    tool: str = "complete_order"
    address_hash: str | None = None
    known_address: bool = False
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in each rolling window; an order in doubt counts, because it may be placed."""

    day: Money
    week: Money
    month: Money

    def within(self, window: Window) -> Money:
        """What was spent in one of the windows."""
        return {"day": self.day, "week": self.week, "month": self.month}[window]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingHistory:
    """What the journal says beside a new order: in its currency, at its store, on its card, to its address.

    `now` is the journal's time. `store_since` and `address_since`: when the first order there was placed, if one was.
    `card_locked`: two payments with the card were declined within an hour, and no person has unlocked it since.
    """

    now: datetime
    spent: Spent
    at_store: Spent
    on_card: Spent
    doubts: int = 0
    store_since: datetime | None = None
    address_since: datetime | None = None
    card_locked: bool = False


# The rules about everything but amounts: the store, the card, the address, the hour, the tool, what is in doubt.


def refusing(rules: Rules, order: OrderFacts, history: SpendingHistory) -> Iterator[RuleResult]:
    """What can refuse an order whatever it costs, in the order in which it is looked at."""
    if order.total.amount < 0:
        yield RuleResult("negative_total", "refuse", "Its total is below zero, so it cannot be paid.")
    yield _card(order, history)
    yield from _stores(rules, order)
    yield from _orders(rules, order)
    if rules.addresses.unknown == "refuse":
        yield _address("refuse", order)
    if rules.hours is not None and rules.hours.outside == "refuse":
        yield _hours("refuse", rules.hours, history.now)


def asking(rules: Rules, order: OrderFacts, history: SpendingHistory) -> Iterator[RuleResult]:
    """What can ask a person whatever it costs, in the order in which it is looked at."""
    if order.total.amount == 0:
        yield RuleResult("zero_total", "ask", "Its total is zero: no limit tells whether that is meant.")
    yield _doubt(order, history)
    yield _repeat(order)
    if rules.addresses.unknown == "ask":
        yield _address("ask", order)
    yield from _cooling_off(rules, order, history)
    if rules.hours is not None and rules.hours.outside == "ask":
        yield _hours("ask", rules.hours, history.now)
    if (named := rules.stores.without_asking) is not None:
        if order.store in named:
            yield RuleResult("stores.without_asking", "holds", f"{order.store} may be ordered from without asking.")
        else:
            yield RuleResult(
                "stores.without_asking", "ask", f"{order.store} is no store where your rules let go unasked."
            )


def _card(order: OrderFacts, history: SpendingHistory) -> RuleResult:
    if history.card_locked:
        unlock = f"firmly-mcp cards unlock {shlex.quote(order.card_label)}"
        return RuleResult(
            "card_locked",
            "refuse",
            f"Two payments with the card {order.card_label} were declined within an hour, so it is locked. If that "
            f"was you, unlock it with `{unlock}`.",
        )
    return RuleResult("card_locked", "holds", "The card is not locked.")


def _stores(rules: Rules, order: OrderFacts) -> Iterator[RuleResult]:
    allowed, refused = rules.stores.allowed, rules.stores.refused
    if refused:
        if order.store in refused:
            yield RuleResult("stores.refused", "refuse", f"Your rules refuse orders at {order.store}.")
        else:
            yield RuleResult("stores.refused", "holds", f"{order.store} is not among the stores that are refused.")
    if allowed is not None:
        if order.store in allowed:
            yield RuleResult("stores.allowed", "holds", f"{order.store} is among the stores that are allowed.")
        else:
            yield RuleResult(
                "stores.allowed", "refuse", f"{order.store} is not among the stores that your rules allow."
            )


def _orders(rules: Rules, order: OrderFacts) -> Iterator[RuleResult]:
    if not rules.orders.place_order:
        if order.tool == "place_order":
            reason = "Your rules do not let place_order be used; complete_order orders the cart."
            yield RuleResult("orders.place_order", "refuse", reason)
        else:
            yield RuleResult("orders.place_order", "holds", "It does not use place_order.")
    limit = rules.orders.largest_quantity
    if limit is not None:
        most = max(order.quantities, default=0)
        if min(order.quantities, default=0) < 1:
            reason = "It is not known how many of one thing it has, and your rules set a limit to that."
            yield RuleResult("orders.largest_quantity", "refuse", reason)
        elif most > limit:
            reason = f"{most} of one thing is more than the {limit} that your rules set."
            yield RuleResult("orders.largest_quantity", "refuse", reason)
        else:
            yield RuleResult("orders.largest_quantity", "holds", f"{most} of one thing is within the {limit}.")


def _doubt(order: OrderFacts, history: SpendingHistory) -> RuleResult:
    if history.doubts:
        return RuleResult("doubt", "ask", "An earlier order at this store is in doubt: it may have been placed.")
    return RuleResult("doubt", "holds", f"No order at {order.store} is in doubt.")


def _repeat(order: OrderFacts) -> RuleResult:
    if order.repeat:
        return RuleResult("repeat", "ask", "The same was ordered a short while ago.")
    return RuleResult("repeat", "holds", "It is not the same once more.")


def _address(unknown: Refusal, order: OrderFacts) -> RuleResult:
    if order.known_address:
        return RuleResult("addresses.unknown", "holds", "You entered its address, or approved an order there before.")
    reason = (
        "It goes to an address that you did not enter and never approved an order to, or that an entry which is not "
        "yours repeats."
    )
    return RuleResult("addresses.unknown", unknown, reason)


def _cooling_off(rules: Rules, order: OrderFacts, history: SpendingHistory) -> Iterator[RuleResult]:
    wait = rules.stores.cooling_off
    if wait is not None:
        yield _new("stores.cooling_off", order.store, history.store_since, wait, history.now)
    wait = rules.addresses.cooling_off
    if wait is not None:
        since = None if order.address_hash is None else history.address_since
        yield _new("addresses.cooling_off", "This address", since, wait, history.now)


def _new(rule: str, what: str, since: datetime | None, wait: timedelta, now: datetime) -> RuleResult:
    if since is None:
        return RuleResult(rule, "ask", f"{what} was never used for an order that was placed.")
    if since + wait > now:
        until = f"{since + wait:%Y-%m-%d %H:%M} UTC"
        return RuleResult(rule, "ask", f"{what} was first used only a short while ago; your rules ask until {until}.")
    return RuleResult(rule, "holds", f"{what} has been in use since {since:%Y-%m-%d}.")


def _hours(outside: Refusal, hours: HourRules, now: datetime) -> RuleResult:
    here = now.astimezone(ZoneInfo(hours.zone)).time()
    over_midnight = hours.begin > hours.end
    within = (here >= hours.begin or here < hours.end) if over_midnight else hours.begin <= here < hours.end
    span = f"{hours.begin:%H:%M} to {hours.end:%H:%M}"
    if within:
        return RuleResult("hours", "holds", f"It is {here:%H:%M} in {hours.zone}, within {span}.")
    reason = f"It is {here:%H:%M} in {hours.zone}, outside the hours of your rules ({span})."
    return RuleResult("hours", outside, reason)


# The rules about amounts: one order's, and those of a day, a week and a month; in all, at a store, on a card.

Kind = Literal["refuse", "ask"]

_MEANT: Final = {"refuse": "your rules set", "ask": "your rules allow without asking"}

_IN: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of limits that an order meets: its name in the file, of whom it speaks, what was spent there before."""

    name: str
    where: str
    limits: Limits
    spent: Spent

    def limit(self, kind: Kind, over: str = "") -> tuple[str, Decimal | None]:
        """A limit's full name, and the limit if it is written."""
        key = f"{kind}_above{over}"
        return f"{self.name}.{key}", getattr(self.limits, key)


def about_amounts(kind: Kind, rules: Rules, order: OrderFacts, history: SpendingHistory) -> Iterator[RuleResult]:
    """Every limit of this kind that the order meets."""
    tables = _tables(rules, order, history)
    for table in tables:
        rule, limit = table.limit(kind)
        if limit is not None:
            yield _one_order(kind, rule, limit, order.total, table.where)
    for table in tables:
        for window in WINDOWS:
            rule, limit = table.limit(kind, f"_a_{window}")
            if limit is not None:
                together = table.spent.within(window) + order.total
                yield _together(kind, rule, limit, together, f"{_IN[window]}{table.where}")


def allowance(rules: Rules, order: OrderFacts, history: SpendingHistory) -> RuleResult:
    """The limits below which nobody is asked: one for the order and one over time, in whichever tables."""
    tables = _tables(rules, order, history)
    for_one = [rule for rule, limit in (table.limit("ask") for table in tables) if limit is not None]
    over_time = any(table.limit("ask", f"_a_{window}")[1] is not None for table in tables for window in WINDOWS)
    if for_one and over_time:
        return RuleResult(for_one[-1], "allow", f"{order.total} is within what your rules allow without asking.")
    currency = order.total.currency
    if for_one:
        return RuleResult(
            "no_limit", "ask", f"Your rules have no limit for a day, week or month in {currency}, so they ask."
        )
    return RuleResult("no_limit", "ask", f"Your rules allow nothing in {currency} without asking.")


def _tables(rules: Rules, order: OrderFacts, history: SpendingHistory) -> list[_Table]:
    seen = {
        "all": ("", history.spent),
        "store": (f" at {order.store}", history.at_store),
        "card": (f" with the card {order.card_label}", history.on_card),
    }
    found = rules.limits_for(order.total.currency, order.store, order.card_label)
    return [_Table(name, seen[about][0], limits, seen[about][1]) for name, about, limits in found]


def _one_order(kind: Kind, rule: str, limit: Decimal, total: Money, where: str) -> RuleResult:
    if total.amount > limit:
        one = " for one order" if kind == "refuse" else ""
        return RuleResult(rule, kind, f"{total} is above the {limit:f} that {_MEANT[kind]}{one}{where}.")
    return RuleResult(rule, "holds", f"{total} is within the {limit:f} for one order{where}.")


def _together(kind: Kind, rule: str, limit: Decimal, together: Money, when: str) -> RuleResult:
    if together.amount > limit:
        return RuleResult(rule, kind, f"With it, {together} in {when} is above the {limit:f} that {_MEANT[kind]}.")
    return RuleResult(rule, "holds", f"With it, {together} in {when} is within the {limit:f}.")


# The spending rules, as pure functions: what an order may do without asking, what it must ask for, what it may not.


def decide(rules: Rules, order: OrderFacts, history: SpendingHistory) -> RuleResult:
    """What the rules say of an order, at the history's time."""
    return next(result for result in explain(rules, order, history) if result.verdict != "holds")


def explain(rules: Rules, order: OrderFacts, history: SpendingHistory) -> tuple[RuleResult, ...]:
    """Every rule that the order meets, in the order in which they are looked at: what refuses, what asks, what allows.

    The first that refuses decides; then the first that asks; the last one allows, or asks because nothing allows.
    """
    return (
        *refusing(rules, order, history),
        *about_amounts("refuse", rules, order, history),
        *asking(rules, order, history),
        *about_amounts("ask", rules, order, history),
        allowance(rules, order, history),
    )


def pin_required(rules: Rules, total: Money) -> bool:
    """Whether a yes to this total needs the PIN: it does, unless the rules let small amounts of the currency go.

    A total of zero is no small amount: it is what a store states where it states nothing.
    """
    limits = rules.limits.get(total.currency)
    return limits is None or limits.pin_above is None or not 0 < total.amount <= limits.pin_above


_NO_CODE: Final = RuleResult(
    "security_code", "ask", "Your rules allow it, and no cvv_command is set that prints the card's security code."
)


def in_practice(result: RuleResult, *, prints_code: bool) -> RuleResult:
    """Return what becomes of an order by this result: without a command that prints the code, a person is asked."""
    return _NO_CODE if result.verdict == "allow" and not prints_code else result
