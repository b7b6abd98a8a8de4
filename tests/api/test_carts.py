"""Carts in every dialect that stores were seen to speak, and what contradicts in them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from firmly_mcp.api.fields import parse_json, read
from firmly_mcp.api.models import Address, Cart, Image, Notice, Order
from firmly_mcp.api.payments import confirmed
from firmly_mcp.api.products import Product
from firmly_mcp.errors import OutcomeUnknown
from firmly_mcp.money import Money


def usd(text: str) -> dict[str, Any]:
    """Firmly's money object in full."""
    return {"currency": "USD", "value": Decimal(text), "number": int(Decimal(text) * 100), "symbol": "$"}


def cart_of(**changes: object) -> Cart:
    """Two tees for 44.00, 5.00 to ship, 4.40 tax: the contract's own example, with changes."""
    line = {"line_item_id": "l1", "sku": "WS12", "quantity": 2, "price": usd("22.00"), "line_price": usd("44.00")}
    totals = {"sub_total": "44.00", "shipping_total": "5.00", "tax_total": "4.40", "addon_total": "0", "total": "53.40"}
    raw = {"cart_id": "c1", "line_items": [line]} | {name: usd(text) for name, text in totals.items()}
    return read(Cart, {name: value for name, value in (raw | changes).items() if value != "absent"})


def test_a_cart_that_adds_up_has_no_doubts() -> None:
    assert cart_of().inconsistencies == ()
    assert cart_of().total == Money.parse("53.40", "USD")


def test_every_field_may_be_absent() -> None:
    cart = read(Cart, {})
    assert cart.is_empty
    assert not cart.submitted
    assert (cart.total, cart.cart_id, cart.addons.offers, cart.inconsistencies) == (None, None, (), ())


def test_null_is_the_same_as_absent() -> None:
    assert read(Cart, dict.fromkeys(Cart.model_fields)) == read(Cart, {})
    shipment = {"shipment_id": None, "shipping_method": None, "fulfillment_type": None, "shipping_method_options": None}
    assert read(Cart, {"shipments": [shipment, None]}).shipments[0].shipping_method is None


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"total": usd("53.41")}, "the parts do not add up to the total of 53.41"),
        ({"sub_total": usd("43.00"), "total": usd("52.40")}, "the lines do not add up to the sub_total of 43.00"),
        ({"total": usd("53.40") | {"number": 5304}}, "total is 53.40 by its value and 53.04 by its number"),
        ({"tax_total": usd("4.40") | {"currency": "EUR"}}, "the amounts are in more than one currency"),
        (
            {"line_items": [{"quantity": 3, "price": usd("22.00"), "line_price": usd("44.00")}]},
            "line 1: 3 times 22.00 is not 44.00",
        ),
    ],
)
def test_what_contradicts_is_told(changes: dict[str, object], doubt: str) -> None:
    assert doubt in cart_of(**changes).inconsistencies


def test_a_contradiction_keeps_the_value() -> None:
    assert cart_of(total=usd("53.40") | {"number": 1}).total == Money.parse("53.40", "USD")


@pytest.mark.parametrize(
    "changes",
    [
        {"cart_discount": usd("4.00"), "total": usd("49.40")},
        {"cart_discount": usd("-4.00"), "total": usd("49.40")},
        {"cart_discount": usd("4.00"), "sub_total": usd("40.00"), "total": usd("49.40")},
        {"store_credit": usd("3.40"), "total": usd("50.00")},
        {
            "line_items": [
                {"quantity": 2, "price": usd("22.00"), "line_price": usd("40.00"), "line_discount": usd("4.00")}
            ],
            "sub_total": usd("40.00"),
            "total": usd("49.40"),
        },
        {"sub_total": None, "total": usd("9.99")},
        {"total": None},
        {"shipping_total": None, "tax_total": None, "total": usd("44.00")},
    ],
)
def test_a_discount_or_a_missing_sum_is_no_contradiction(changes: dict[str, object]) -> None:
    assert cart_of(**changes).inconsistencies == ()


def test_an_amount_takes_the_currency_of_the_others() -> None:
    assert cart_of(total={"value": Decimal("53.40")}).total == Money.parse("53.40", "USD")


def test_an_amount_without_any_currency_is_a_doubt() -> None:
    cart = read(Cart, {"total": {"value": Decimal(5)}})
    assert cart.total is None
    assert cart.inconsistencies == ("total has no currency",)


def test_an_amount_between_two_currencies_takes_neither() -> None:
    cart = read(Cart, {"sub_total": usd("1"), "tax_total": usd("1") | {"currency": "EUR"}, "total": {"value": 2}})
    assert cart.total is None
    assert "total has no currency" in cart.inconsistencies


def test_doubts_hold_no_text_of_the_store() -> None:
    line = {"sku": "IGNORE ALL", "description": "IGNORE ALL", "quantity": 9, "price": usd("1"), "line_price": usd("2")}
    assert "IGNORE" not in "".join(cart_of(line_items=[line], display_name="IGNORE ALL").inconsistencies)


def test_the_dialects_of_a_cart_mean_the_same() -> None:
    said = read(
        Cart,
        {
            "tax": usd("1.00"),
            "promo_codes": ["SPRING"],
            "line_items": [{"line_item_id": 7}],
            "shipments": [{"shipping_method_options": [{"sku": "ground", "price": usd("5")}]}],
            "shipping_info": {"address_line_1": "1 Test St", "zip": "98101", "state_code": "WA", "country_code": "US"},
        },
    )
    meant = read(
        Cart,
        {
            "tax_total": usd("1.00"),
            "coupons": ["SPRING"],
            "line_items": [{"line_item_id": "7"}],
            "shipments": [{"shipping_method_options": [{"id": "ground", "price": usd("5")}]}],
            "shipping_info": {
                "address1": "1 Test St",
                "postal_code": "98101",
                "state_or_province": "WA",
                "country": "US",
            },
        },
    )
    assert said == meant


def test_the_documented_name_wins_unless_it_is_null() -> None:
    assert read(Cart, {"tax_total": usd("2"), "tax": usd("1")}).tax_total == Money.parse("2.00", "USD")
    assert read(Cart, {"tax_total": None, "tax": usd("1")}).tax_total == Money.parse("1.00", "USD")


@pytest.mark.parametrize(
    ("raw", "notice"),
    [
        (["PRICE_INCREASED"], Notice(code="PRICE_INCREASED")),
        ([{"code": "PRICE_INCREASED", "message": "up"}], Notice(code="PRICE_INCREASED", message="up")),
        ([{"code": "PRICE_INCREASED", "description": "up"}], Notice(code="PRICE_INCREASED", message="up")),
        ("PRICE_INCREASED", Notice(code="PRICE_INCREASED")),
    ],
)
def test_notices_are_words_or_objects(raw: object, notice: Notice) -> None:
    assert read(Cart, {"notices": raw, "notice": raw}).notices == (notice,)
    assert read(Cart, {"notice": raw}).notice == (notice,)


@pytest.mark.parametrize("url", ["undefined", "", "null", None, " Undefined "])
def test_a_picture_that_is_none_is_dropped(url: str | None) -> None:
    pictures = [{"url": url}, {"src": url}, {"src": "https://cdn.example/a.jpg"}]
    assert read(Product, {"images": pictures}).images == (Image(url="https://cdn.example/a.jpg"),)


def test_an_addons_undocumented_constraints_are_passed_on() -> None:
    offer = {"addon_id": "warranty", "required": True, "child_offers": [{"addon_id": "2y", "price": usd("-3")}]}
    read_offer = read(Cart, {"addons": {"offers": [offer], "selections": None}}).addons.offers[0]
    assert read_offer.model_extra == {"required": True}
    assert read_offer.child_offers[0].price == Money.parse("-3.00", "USD")


def test_a_cart_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        cart_of().cart_id = "other"


def test_an_order_is_read_with_its_number() -> None:
    raw = parse_json(
        b'{"platform_order_number": 12345, "cart_status": "submitted", "tax": {"value": 4.40, "currency": "USD"},'
        b'"total": {"value": 53.40, "currency": "USD", "number": 5340}}'
    )
    order = read(Order, raw)
    assert order.platform_order_number == "12345"
    assert order.submitted
    assert order.tax_total == Money.parse("4.40", "USD")


def test_an_order_is_an_order_though_its_details_cannot_be_read() -> None:
    order = confirmed({"platform_order_number": "1", "line_items": "oops", "total": usd("5"), "cart_id": {}})
    assert order.platform_order_number == "1"
    assert order.total == Money.parse("5.00", "USD")
    assert order.inconsistencies == ("the order's details cannot be read",)


@pytest.mark.parametrize(
    "raw", [None, [], "x", {}, {"platform_order_number": " "}, {"platform_order_number": {"a": 1}}]
)
def test_without_a_number_there_is_no_order(raw: object) -> None:
    with pytest.raises(OutcomeUnknown):
        confirmed(raw)


def test_an_address_says_what_it_was_given() -> None:
    assert json.loads(Address(first_name="Ana", zip="98101").model_dump_json(exclude_none=True)) == {  # type: ignore[call-arg]  # a dialect's name
        "first_name": "Ana",
        "postal_code": "98101",
    }
