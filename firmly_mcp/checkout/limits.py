"""The rules about amounts: one order's, and those of a day, a week and a month; in all, at a store, on a card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from firmly_mcp.money import Money

from .spending import WINDOWS, History, Order, Spent
from .verdicts import Step
from .written_rules import Limits, Rules

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


def about_amounts(kind: Kind, rules: Rules, order: Order, history: History) -> Iterator[Step]:
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


def allowance(rules: Rules, order: Order, history: History) -> Step:
    """The limits below which nobody is asked: one for the order and one over time, in whichever tables."""
    tables = _tables(rules, order, history)
    for_one = [rule for rule, limit in (table.limit("ask") for table in tables) if limit is not None]
    over_time = any(table.limit("ask", f"_a_{window}")[1] is not None for table in tables for window in WINDOWS)
    if for_one and over_time:
        return Step(for_one[-1], "allow", f"{order.total} is within what your rules allow without asking.")
    currency = order.total.currency
    if for_one:
        return Step("no_limit", "ask", f"Your rules have no limit for a day, week or month in {currency}, so they ask.")
    return Step("no_limit", "ask", f"Your rules allow nothing in {currency} without asking.")


def _tables(rules: Rules, order: Order, history: History) -> list[_Table]:
    seen = {
        "all": ("", history.spent),
        "store": (f" at {order.store}", history.at_store),
        "card": (f" with the card {order.card_label}", history.on_card),
    }
    found = rules.limits_for(order.total.currency, order.store, order.card_label)
    return [_Table(name, seen[about][0], limits, seen[about][1]) for name, about, limits in found]


def _one_order(kind: Kind, rule: str, limit: Decimal, total: Money, where: str) -> Step:
    if total.amount > limit:
        one = " for one order" if kind == "refuse" else ""
        return Step(rule, kind, f"{total} is above the {limit:f} that {_MEANT[kind]}{one}{where}.")
    return Step(rule, "holds", f"{total} is within the {limit:f} for one order{where}.")


def _together(kind: Kind, rule: str, limit: Decimal, together: Money, when: str) -> Step:
    if together.amount > limit:
        return Step(rule, kind, f"With it, {together} in {when} is above the {limit:f} that {_MEANT[kind]}.")
    return Step(rule, "holds", f"With it, {together} in {when} is within the {limit:f}.")
