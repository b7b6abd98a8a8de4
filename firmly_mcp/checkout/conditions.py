"""The rules about everything but amounts: the store, the card, the address, the hour, the tool, what is in doubt."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from .spending import History, Order
from .verdicts import Step
from .written_rules import HourRules, Refusal, Rules


def refusing(rules: Rules, order: Order, history: History) -> Iterator[Step]:
    """What can refuse an order whatever it costs, in the order in which it is looked at."""
    if order.total.amount < 0:
        yield Step("negative_total", "refuse", "Its total is below zero, so it cannot be paid.")
    yield _card(order, history)
    yield from _stores(rules, order)
    yield from _orders(rules, order)
    if rules.addresses.unknown == "refuse":
        yield _address("refuse", order)
    if rules.hours is not None and rules.hours.outside == "refuse":
        yield _hours("refuse", rules.hours, history.now)


def asking(rules: Rules, order: Order, history: History) -> Iterator[Step]:
    """What can ask a person whatever it costs, in the order in which it is looked at."""
    if order.total.amount == 0:
        yield Step("zero_total", "ask", "Its total is zero: no limit tells whether that is meant.")
    yield _doubt(order, history)
    yield _repeat(order)
    if rules.addresses.unknown == "ask":
        yield _address("ask", order)
    yield from _cooling_off(rules, order, history)
    if rules.hours is not None and rules.hours.outside == "ask":
        yield _hours("ask", rules.hours, history.now)
    if (named := rules.stores.without_asking) is not None:
        if order.store in named:
            yield Step("stores.without_asking", "holds", f"{order.store} may be ordered from without asking.")
        else:
            yield Step("stores.without_asking", "ask", f"{order.store} is no store where your rules let go unasked.")


def _card(order: Order, history: History) -> Step:
    if history.card_locked:
        unlock = f"firmly-mcp cards unlock {shlex.quote(order.card_label)}"
        return Step(
            "card_locked",
            "refuse",
            f"Two payments with the card {order.card_label} were declined within an hour, so it is locked. If that "
            f"was you, unlock it with `{unlock}`.",
        )
    return Step("card_locked", "holds", "The card is not locked.")


def _stores(rules: Rules, order: Order) -> Iterator[Step]:
    allowed, refused = rules.stores.allowed, rules.stores.refused
    if refused:
        if order.store in refused:
            yield Step("stores.refused", "refuse", f"Your rules refuse orders at {order.store}.")
        else:
            yield Step("stores.refused", "holds", f"{order.store} is not among the stores that are refused.")
    if allowed is not None:
        if order.store in allowed:
            yield Step("stores.allowed", "holds", f"{order.store} is among the stores that are allowed.")
        else:
            yield Step("stores.allowed", "refuse", f"{order.store} is not among the stores that your rules allow.")


def _orders(rules: Rules, order: Order) -> Iterator[Step]:
    if not rules.orders.place_order:
        if order.tool == "place_order":
            reason = "Your rules do not let place_order be used; complete_order orders the cart."
            yield Step("orders.place_order", "refuse", reason)
        else:
            yield Step("orders.place_order", "holds", "It does not use place_order.")
    limit = rules.orders.largest_quantity
    if limit is not None:
        most = max(order.quantities, default=0)
        if min(order.quantities, default=0) < 1:
            reason = "It is not known how many of one thing it has, and your rules set a limit to that."
            yield Step("orders.largest_quantity", "refuse", reason)
        elif most > limit:
            reason = f"{most} of one thing is more than the {limit} that your rules set."
            yield Step("orders.largest_quantity", "refuse", reason)
        else:
            yield Step("orders.largest_quantity", "holds", f"{most} of one thing is within the {limit}.")


def _doubt(order: Order, history: History) -> Step:
    if history.doubts:
        return Step("doubt", "ask", "An earlier order at this store is in doubt: it may have been placed.")
    return Step("doubt", "holds", f"No order at {order.store} is in doubt.")


def _repeat(order: Order) -> Step:
    if order.repeat:
        return Step("repeat", "ask", "The same was ordered a short while ago.")
    return Step("repeat", "holds", "It is not the same once more.")


def _address(unknown: Refusal, order: Order) -> Step:
    if order.known_address:
        return Step("addresses.unknown", "holds", "You entered its address, or approved an order there before.")
    reason = (
        "It goes to an address that you did not enter and never approved an order to, or that an entry which is not "
        "yours repeats."
    )
    return Step("addresses.unknown", unknown, reason)


def _cooling_off(rules: Rules, order: Order, history: History) -> Iterator[Step]:
    wait = rules.stores.cooling_off
    if wait is not None:
        yield _new("stores.cooling_off", order.store, history.store_since, wait, history.now)
    wait = rules.addresses.cooling_off
    if wait is not None:
        since = None if order.address_hash is None else history.address_since
        yield _new("addresses.cooling_off", "This address", since, wait, history.now)


def _new(rule: str, what: str, since: datetime | None, wait: timedelta, now: datetime) -> Step:
    if since is None:
        return Step(rule, "ask", f"{what} was never used for an order that was placed.")
    if since + wait > now:
        until = f"{since + wait:%Y-%m-%d %H:%M} UTC"
        return Step(rule, "ask", f"{what} was first used only a short while ago; your rules ask until {until}.")
    return Step(rule, "holds", f"{what} has been in use since {since:%Y-%m-%d}.")


def _hours(outside: Refusal, hours: HourRules, now: datetime) -> Step:
    here = now.astimezone(ZoneInfo(hours.zone)).time()
    over_midnight = hours.begin > hours.end
    within = (here >= hours.begin or here < hours.end) if over_midnight else hours.begin <= here < hours.end
    span = f"{hours.begin:%H:%M} to {hours.end:%H:%M}"
    if within:
        return Step("hours", "holds", f"It is {here:%H:%M} in {hours.zone}, within {span}.")
    reason = f"It is {here:%H:%M} in {hours.zone}, outside the hours of your rules ({span})."
    return Step("hours", outside, reason)
