"""Promo codes: which are valid, which apply to a cart, and what they take off."""

from collections.abc import Sequence
from datetime import datetime

from firmly_mcp.simulator.cash import share
from firmly_mcp.simulator.lines import PricedLine
from firmly_mcp.simulator.merchants import Merchant, Promo


def find(merchant: Merchant, code: str) -> Promo | None:
    """The store's promotion of this code; capitals do not matter."""
    return next((promo for promo in merchant.promos if promo.code == code.strip().upper()), None)


def expired(promo: Promo, now: datetime) -> bool:
    """Whether its time is over."""
    return promo.expires is not None and now >= promo.expires


def applies(promo: Promo, lines: Sequence[PricedLine]) -> bool:
    """Whether something in the cart can have it."""
    covered = [line for line in lines if promo.product_type in {None, line.product.product_type}]
    return bool(covered) and sum(line.line_price for line in lines) >= promo.minimum


def line_discount(promos: Sequence[Promo], line: PricedLine) -> int:
    """What percentages take off one line, in cents."""
    percent = sum(promo.percent for promo in promos if promo.product_type in {None, line.product.product_type})
    return share(line.line_price, min(percent, 100), 100)


def cart_discount(promos: Sequence[Promo], lines: Sequence[PricedLine]) -> int:
    """What all promotions take off the goods, never more than the goods cost."""
    off = sum(line_discount(promos, line) for line in lines) + sum(promo.cents for promo in promos)
    return min(off, sum(line.line_price for line in lines))
