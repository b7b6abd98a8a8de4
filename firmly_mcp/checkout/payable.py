"""Whether a cart can be paid. One table judges it, in order: what is missing or impossible is never taken as fine.

An amount that cannot be (below nothing, a discount above all that it is taken off) and a fact that is not stated (how
many, of what, at which price) have one answer: the cart cannot be paid, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from firmly_mcp.api.models import Cart, LineItem, inconsistencies, line_price
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money, minor_units


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a cart from being paid: when it is there, the sentence about it, the tool that may help."""

    name: str
    is_there: Callable[[Cart], bool]
    sentence: str
    next: str = "get_cart"


def require_payable(store: str, cart: Cart) -> None:
    """Refuse a cart that cannot be paid as it is.

    Raises:
        NotAllowed: nothing was sent; the message says what is wrong, `next` is the tool that may help.
    """
    found = next((obstacle for obstacle in OBSTACLES if obstacle.is_there(cart)), None)
    if found is not None:
        sentence = found.sentence.format(store=store, doubt=next(iter(cart.inconsistencies), ""))
        raise NotAllowed(f"{sentence} Nothing was sent.", next=found.next)


def _has_no_address(cart: Cart) -> bool:
    return cart.shipping_info is None and any(line.requires_shipping is not False for line in cart.line_items)


def _has_no_method(cart: Cart) -> bool:
    return any(each.shipping_method is None and each.shipping_method_options for each in cart.shipments)


def _has_a_split_unit(cart: Cart) -> bool:
    """A total with more digits than its currency has can be charged by no card."""
    return cart.total is not None and cart.total.amount != round(cart.total.amount, minor_units(cart.total.currency))


def _has_an_unknown_quantity(cart: Cart) -> bool:
    return any(line.quantity is None or line.quantity < 1 for line in cart.line_items)


def _has_an_unknown_variant(cart: Cart) -> bool:
    """Neither tells what is bought, so that no rule and no earlier order could be found by it."""
    return any(not line.sku and not line.variant_id for line in cart.line_items)


def _has_an_unknown_price(cart: Cart) -> bool:
    return any(line.price is None and line.line_price is None for line in cart.line_items)


def _has_an_amount_below_zero(cart: Cart) -> bool:
    """Of those that add to the total; addons may take off (Firmly: cart addons), and are judged with the discounts."""
    return any(amount.amount < 0 for amount in _added(cart))


def _mixes_currencies(cart: Cart) -> bool:
    amounts = (*_added(cart), *_taken_off(cart), cart.total)
    return len({amount.currency for amount in amounts if amount is not None}) > 1


def _gives_away_more_than_there_is(cart: Cart) -> bool:
    """Whether the discounts are above all that they could be taken off, at the prices before any reduction."""
    goods = max(sum(map(_before_reductions, cart.line_items), Decimal(0)), _amount(cart.sub_total))
    charges = sum(map(_amount, (cart.shipping_total, cart.tax_total, cart.addon_total)), Decimal(0))
    off = sum((abs(amount.amount) for amount in _taken_off(cart)), Decimal(0))
    return off > goods + charges


def _has_a_total_that_its_parts_do_not_make(cart: Cart) -> bool:
    """A cart without a sub_total is judged by its lines: what is missing is no reason to check less."""
    prices = [price for line in cart.line_items if (price := line_price(line)) is not None]
    if cart.sub_total is not None or not prices:
        return False
    goods = Money(sum((price.amount for price in prices), Decimal(0)), prices[0].currency)
    return any(inconsistencies(cart.model_copy(update={"sub_total": goods})))


def _added(cart: Cart) -> Iterator[Money]:
    """Every amount that can only add to what is paid."""
    amounts = [cart.sub_total, cart.shipping_total, cart.tax_total]
    amounts += [amount for line in cart.line_items for amount in (line.price, line.line_price)]
    amounts += [each.shipping_method.price for each in cart.shipments if each.shipping_method is not None]
    yield from (amount for amount in amounts if amount is not None)


def _taken_off(cart: Cart) -> Iterator[Money]:
    """Every amount that is taken off the whole; stores send a discount with and without a minus."""
    yield from (amount for amount in (cart.cart_discount, cart.store_credit) if amount is not None)
    if cart.addon_total is not None and cart.addon_total.amount < 0:
        yield cart.addon_total


def _before_reductions(line: LineItem) -> Decimal:
    """What a line may have cost before anything was taken off."""
    quantity = line.quantity or 0
    each = [_amount(line.line_price), _amount(line.price) * quantity]
    reduced = [abs(line.line_discount.amount) if line.line_discount is not None else Decimal(0)]
    reduced += [abs(line.discount.amount) * quantity if line.discount is not None else Decimal(0)]
    return max(each) + max(reduced)


def _amount(amount: Money | None) -> Decimal:
    return max(amount.amount, Decimal(0)) if amount is not None else Decimal(0)


_CANNOT_BE: Final = "so it cannot be paid. Tell the person: the store has to mend it."

OBSTACLES: Final = (
    Obstacle("empty", lambda cart: cart.is_empty, "The cart at {store} is empty.", "add_line_item"),
    Obstacle("no_address", _has_no_address, "The cart at {store} has no shipping address.", "set_shipping_info"),
    Obstacle(
        "not_active",
        lambda cart: cart.cart_status != "active",
        "The cart at {store} is not active, so it cannot be paid now.",
    ),
    Obstacle(
        "has_an_order_number",
        lambda cart: bool(cart.platform_order_number),
        "The cart at {store} has an order number already: it may have been ordered, so it cannot be paid again.",
        "list_orders",
    ),
    Obstacle(
        "no_method",
        _has_no_method,
        "A shipment of the cart at {store} has no shipping method, so its total is not final.",
        "set_fulfillment",
    ),
    Obstacle("no_id", lambda cart: not cart.cart_id, "The cart at {store} has no final total yet."),
    Obstacle("no_total", lambda cart: cart.total is None, "The cart at {store} has no final total yet."),
    Obstacle(
        "negative_total",
        lambda cart: cart.total is not None and cart.total.amount < 0,
        f"The total of the cart at {{store}} is below zero, {_CANNOT_BE}",
    ),
    Obstacle(
        "split_unit",
        _has_a_split_unit,
        f"The total of the cart at {{store}} has more digits than its currency has, {_CANNOT_BE}",
    ),
    Obstacle(
        "unknown_quantity",
        _has_an_unknown_quantity,
        f"The cart at {{store}} does not say how many of a line are bought, {_CANNOT_BE}",
    ),
    Obstacle(
        "unknown_variant",
        _has_an_unknown_variant,
        f"A line of the cart at {{store}} does not say what is bought, {_CANNOT_BE}",
    ),
    Obstacle(
        "unknown_price",
        _has_an_unknown_price,
        f"A line of the cart at {{store}} has no price, {_CANNOT_BE}",
    ),
    Obstacle(
        "several_currencies",
        _mixes_currencies,
        f"The amounts of the cart at {{store}} are in more than one currency, {_CANNOT_BE}",
    ),
    Obstacle(
        "negative_amount",
        _has_an_amount_below_zero,
        f"An amount of the cart at {{store}} is below zero, {_CANNOT_BE}",
    ),
    Obstacle(
        "discount_above_all",
        _gives_away_more_than_there_is,
        f"The discount of the cart at {{store}} is above all that it is taken off, {_CANNOT_BE}",
    ),
    Obstacle(
        "contradictory",
        lambda cart: bool(cart.inconsistencies),
        "The amounts of the cart at {store} contradict each other: {doubt}.",
    ),
    Obstacle(
        "unexplained_total",
        _has_a_total_that_its_parts_do_not_make,
        f"The total of the cart at {{store}} is not what its lines, shipping and tax make, {_CANNOT_BE}",
    ),
)
