"""Whether a cart's numbers agree with each other. A store's own engine makes them; a contradiction is told, not mended.

Firmly's arithmetic (cart pages, two examples): total = sub_total + shipping_total + tax_total + addon_total, less the
discount; sub_total is the sum of line_price. Stores count a discount once, in the lines or at the end: both are right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from firmly_mcp.money import Money

if TYPE_CHECKING:
    from .models import Cart, LineItem


def contradictions(cart: Cart) -> Iterator[str]:
    """A sentence for each sum that does not hold; nothing for one that cannot be made."""
    yield from (doubt for position, line in enumerate(cart.line_items, start=1) if (doubt := _in_line(position, line)))
    prices = [_of_line(line) for line in cart.line_items]
    if prices and not _sums_to(cart.sub_total, prices, _given_away(cart)):
        yield f"the lines do not add up to the sub_total of {_shown(cart.sub_total)}"
    parts = [cart.sub_total, cart.shipping_total, cart.tax_total, cart.addon_total]
    known = [part for part in parts if part is not None]
    if cart.sub_total is not None and not _sums_to(cart.total, known, _given_away(cart)):
        yield f"the parts do not add up to the total of {_shown(cart.total)}"


def line_price(line: LineItem) -> Money | None:
    """Return what a line costs: where the store does not state it, its price as often as it is bought."""
    if line.line_price is not None or line.price is None or line.quantity is None:
        return line.line_price
    return line.price * line.quantity


def _of_line(line: LineItem) -> Money | None:
    """Return what a line costs; None where that is not stated and reduced by a discount, or not known."""
    is_reduced = line.discounts or line.discount is not None or line.line_discount is not None
    return None if is_reduced and line.line_price is None else line_price(line)


def _in_line(position: int, line: LineItem) -> str | None:
    if line.price is None or line.quantity is None or line.line_price is None:
        return None
    reductions = [line.discount, line.discount * line.quantity if line.discount else None, line.line_discount]
    if line.discounts or _sums_to(line.line_price, [line.price * line.quantity], _amounts(reductions)):
        return None
    return f"line {position}: {line.quantity} times {line.price.plain} is not {line.line_price.plain}"


def _given_away(cart: Cart) -> list[Decimal]:
    """What may have been taken off: the discount, the lines' discounts, store credit, and both kinds together."""
    discounts = _amounts([cart.cart_discount])
    discounts += [sum(_amounts([line.line_discount for line in cart.line_items]), Decimal(0))]
    credit = _amounts([cart.store_credit])
    return discounts + credit + [discount + one for discount in discounts for one in credit]


def _amounts(values: Iterable[Money | None]) -> list[Decimal]:
    # Some stores send a discount as a negative amount.
    return [abs(value.amount) for value in values if value is not None]


def _sums_to(total: Money | None, parts: list[Money | None] | list[Money], reductions: list[Decimal]) -> bool:
    """Whether the parts make the total, perhaps less one of the reductions; true where that cannot be said."""
    known = [part for part in parts if part is not None]
    if total is None or len(known) < len(parts) or {part.currency for part in known} - {total.currency}:
        return True
    whole = sum((part.amount for part in known), Decimal(0))
    return total.amount in {whole, *(whole - reduction for reduction in reductions)}


def _shown(amount: Money | None) -> str:
    return amount.plain if amount is not None else "nothing"
