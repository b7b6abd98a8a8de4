"""Amounts are integers of minor units; a Money object always has all four fields, `value` derived from `number`."""

from typing import Any

Json = dict[str, Any]

SYMBOLS = {"USD": "$", "CAD": "$", "GBP": "£", "EUR": "€"}


def money(cents: int, currency: str) -> Json:
    """The Money object of `cents`; `value` prints as the exact decimal (5340 gives 53.4)."""
    return {"currency": currency, "value": cents / 100, "number": cents, "symbol": SYMBOLS[currency]}


def with_total(view: Json, cents: int) -> Json:
    """The view of a cart or an order with another total in the same currency."""
    return {**view, "total": money(cents, view["total"]["currency"])} if "total" in view else view


def share(cents: int, rate: int, whole: int = 100_000) -> int:
    """`rate`/`whole` of an amount, rounded half up; never below zero for amounts that are not."""
    return (cents * rate * 2 + whole) // (whole * 2)
