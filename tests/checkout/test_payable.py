"""What is missing in a cart, or cannot be, keeps it from being paid. Each row of the table has carts that meet it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.api.fields import read
from firmly_mcp.api.models import Cart
from firmly_mcp.checkout.models import OrderIntent
from firmly_mcp.checkout.payable import OBSTACLES, require_payable
from firmly_mcp.checkout.quote import quote
from firmly_mcp.errors import NotAllowed
from tests.checkout.gate import BOTH, Gate
from tests.checkout.test_quote import PAYER, STORE, cart_json, usd

Change = Callable[[dict[str, Any]], object]


def cart_of(change: Change) -> Cart:
    """A cart of two tees at 22.00, 53.40 in all, changed so."""
    sent = cart_json()
    change(sent)
    return read(Cart, json.loads(json.dumps(sent), parse_float=Decimal))


def line(**changed: Any) -> Change:
    """The line, changed so; None leaves a field out."""

    def change(cart: dict[str, Any]) -> None:
        fields = {**cart["line_items"][0], **changed}
        cart["line_items"] = [{name: value for name, value in fields.items() if value is not None}]

    return change


def amounts(**changed: int | None) -> Change:
    """These amounts of the cart, in cents; None leaves one out."""

    def change(cart: dict[str, Any]) -> None:
        cart.update({name: usd(cents) for name, cents in changed.items() if cents is not None})
        for name in (name for name, cents in changed.items() if cents is None):
            del cart[name]

    return change


def all_of(*changes: Change) -> Change:
    """One after the other."""

    def change(cart: dict[str, Any]) -> None:
        for each in changes:
            each(cart)

    return change


def in_pounds(name: str) -> Change:
    """One amount of the cart in another currency, to the same number."""
    return lambda cart: cart.update({name: {**cart[name], "currency": "GBP", "symbol": "£"}})


def no_method(cart: dict[str, Any]) -> None:
    cart["shipments"][0]["shipping_method"] = None


def dear_method(cart: dict[str, Any]) -> None:
    cart["shipments"][0]["shipping_method"]["price"] = usd(-500)


def one_more_line(**fields: Any) -> Change:
    """A second line at no price, with these fields."""
    free = {"sku": "FREE", "quantity": 1, "price": usd(0), "line_price": usd(0), "requires_shipping": True}

    def change(cart: dict[str, Any]) -> None:
        added = {**free, **fields}
        cart["line_items"].append({name: value for name, value in added.items() if value is not None})

    return change


CARTS: dict[str, list[Change]] = {
    "empty": [lambda cart: cart.update(line_items=[]), lambda cart: cart.pop("line_items")],
    "no_address": [
        lambda cart: cart.pop("shipping_info"),
        lambda cart: cart.update(shipping_info=None),
        all_of(line(requires_shipping=None), lambda cart: cart.pop("shipping_info")),
        all_of(line(requires_shipping=False), one_more_line(), lambda cart: cart.pop("shipping_info")),
    ],
    "not_active": [
        lambda cart: cart.update(cart_status="checkout_blocked"),
        lambda cart: cart.update(cart_status="submitted"),
        lambda cart: cart.update(cart_status=""),
        lambda cart: cart.pop("cart_status"),
    ],
    "has_an_order_number": [lambda cart: cart.update(platform_order_number="000123")],
    "no_method": [no_method],
    "no_id": [lambda cart: cart.pop("cart_id"), lambda cart: cart.update(cart_id="")],
    "no_total": [lambda cart: cart.pop("total"), lambda cart: cart.update(total={"currency": "USD"})],
    "negative_total": [
        # Two tees less a discount of 500: what the store's own sum makes of it.
        amounts(cart_discount=50000, total=-44660),
        amounts(cart_discount=-50000, total=-44660),
        amounts(total=-1),
        amounts(store_credit=50000, total=-44660),
        all_of(line(line_discount=usd(50000)), amounts(total=-44660)),
    ],
    "split_unit": [lambda cart: cart.update(total={"currency": "USD", "value": 53.401})],
    "unknown_quantity": [
        line(quantity=None),
        line(quantity=0),
        line(quantity=-2),
        one_more_line(quantity=None),
        one_more_line(quantity=0),
    ],
    "unknown_variant": [
        line(sku=None),
        line(sku="", variant_id=""),
        one_more_line(sku=None, line_item_id="item-2"),
    ],
    "unknown_price": [line(price=None, line_price=None), one_more_line(price=None, line_price=None)],
    "several_currencies": [
        in_pounds("shipping_total"),
        in_pounds("total"),
        one_more_line(price={"value": 0, "currency": "GBP"}),
    ],
    "negative_amount": [
        line(price=usd(-2200)),
        line(line_price=usd(-4400)),
        one_more_line(sku="MINUS", price=usd(-4000), line_price=usd(-4000)),
        amounts(sub_total=-4400),
        amounts(shipping_total=-500),
        amounts(tax_total=-440),
        dear_method,
    ],
    "discount_above_all": [
        # The total is as if the discount were not there.
        amounts(cart_discount=50000),
        amounts(cart_discount=5341),
        amounts(store_credit=5341),
        amounts(cart_discount=3000, store_credit=3000),
        all_of(amounts(cart_discount=-50000, total=0)),
        amounts(addon_total=-5341, total=0),
    ],
    "contradictory": [
        amounts(total=1),
        amounts(total=5339),
        amounts(cart_discount=5000, total=5000),
        lambda cart: cart["total"].update(number=1),
        line(line_price=usd(4399)),
        # The line's own sum is not stated: its price is.
        line(line_price=None, quantity=100),
    ],
    "unexplained_total": [
        amounts(sub_total=None, total=1),
        amounts(sub_total=None, total=5339),
        all_of(line(line_price=None), amounts(sub_total=None, total=5341)),
        all_of(line(line_price=None), amounts(sub_total=None, total=1)),
        all_of(one_more_line(price=usd(2200), line_price=None), amounts(sub_total=None, total=2200)),
    ],
}


def test_the_table_of_what_cannot_be_paid_is_tried_row_by_row() -> None:
    assert list(CARTS) == [obstacle.name for obstacle in OBSTACLES]


@pytest.mark.parametrize(("name", "change"), [(name, change) for name, changes in CARTS.items() for change in changes])
def test_each_row_keeps_its_carts_from_being_paid(name: str, change: Change) -> None:
    row = next(obstacle for obstacle in OBSTACLES if obstacle.name == name)
    cart = cart_of(change)
    assert row.is_there(cart)
    with pytest.raises(NotAllowed) as caught:
        quote(STORE, cart, PAYER)
    assert (caught.value.next, caught.value.money_moved) == (row.next, "no")
    assert caught.value.message.endswith(" Nothing was sent.")
    assert "{" not in caught.value.message


FINE: dict[str, Change] = {
    "as it is": lambda _: None,
    "no unit price": line(price=None),
    "no price of the line": line(line_price=None),
    "no price of the line, and no sum of the lines": all_of(line(line_price=None), amounts(sub_total=None)),
    "no price of a line that is reduced": line(line_price=None, price=usd(10000), discount=usd(7800)),
    "a free gift": one_more_line(),
    "nothing to pay": amounts(cart_discount=5340, total=0),
    "a discount in the total": amounts(cart_discount=1000, total=4340),
    "a discount with a minus": amounts(cart_discount=-1000, total=4340),
    # A list price of 100.00 each: the lines are at 22.00 already, and the cart names what was taken off.
    "a discount in the lines": all_of(line(line_discount=usd(15600)), amounts(cart_discount=15600)),
    "an addon that takes off": amounts(addon_total=-440, total=4900),
    "no shipping": all_of(line(requires_shipping=False), lambda cart: cart.pop("shipping_info")),
    "no sub_total": amounts(sub_total=None),
    "no sub_total and no price of the line": all_of(line(line_price=None), amounts(sub_total=None)),
    "no shipments": lambda cart: cart.pop("shipments"),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE.keys())
def test_what_a_store_may_well_send_can_be_paid(change: Change) -> None:
    require_payable(STORE, cart_of(change))


CENTS = st.none() | st.integers(-60000, 60000)


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("sub_total", "shipping_total", "tax_total", "cart_discount", "store_credit", "total"), CENTS)
    ),
    st.none() | st.integers(-3, 3),
)
def test_no_cart_with_a_number_that_is_missing_or_cannot_be_is_paid(
    cents: dict[str, int | None], quantity: int | None
) -> None:
    def change(cart: dict[str, Any]) -> None:
        cart.setdefault("cart_discount", usd(0))
        cart.setdefault("store_credit", usd(0))
        all_of(amounts(**cents), line(quantity=quantity))(cart)

    try:
        found = quote(STORE, cart_of(change), PAYER)
    except NotAllowed:
        return
    assert found.total.amount >= 0
    assert all(each > 0 for each in found.quantities)
    assert found.quantities


@BOTH
@pytest.mark.anyio
async def test_a_cart_that_does_not_state_a_quantity_is_refused_in_words_and_nothing_is_sent(
    gate: Gate, wish: OrderIntent
) -> None:
    sent = cart_json()
    line(quantity=None)(sent)
    gate.simulator.faults.add("not-json", "*cart*" if wish.items is None else "*shipping_info*", body=json.dumps(sent))
    with pytest.raises(NotAllowed, match="does not say how many of a line are bought"):
        await gate.placement.place(wish)
    assert not gate.orders_sent()
