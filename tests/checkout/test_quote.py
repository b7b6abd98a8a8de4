import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from firmly_mcp.api.fields import read
from firmly_mcp.api.models import Cart
from firmly_mcp.checkout.models import CardRef
from firmly_mcp.checkout.quote import PaymentMethod, Quote, TermValue, price_increases, quote
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money

STORE = "staging.luma.gift"
ADDRESS = {
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "206-555-0100",
    "address1": "1 Test Street",
    "city": "Seattle",
    "state_or_province": "WA",
    "postal_code": "98101",
    "country": "US",
}
PAYER = PaymentMethod(
    environment="simulator",
    shopper="local",
    payment_host="http://127.0.0.1:1",
    card=CardRef("visa", "visa", "1111"),
    billing=ADDRESS,
)


def usd(number: int) -> dict[str, Any]:
    return {"currency": "USD", "value": number / 100, "number": number, "symbol": "$"}


def cart_json() -> dict[str, Any]:
    method = {"id": "STANDARD", "description": "Standard", "price": usd(500)}
    return {
        "cart_id": "cart-1",
        "cart_status": "active",
        "line_items": [
            {
                "line_item_id": "item-1",
                "sku": "WS12-XS-Orange",
                "description": "Radiant Tee",
                "variant_description": "XS / Orange",
                "quantity": 2,
                "price": usd(2200),
                "line_price": usd(4400),
                "requires_shipping": True,
            }
        ],
        "shipments": [
            {
                "shipment_id": "ship-1",
                "line_item_ids": ["item-1"],
                "fulfillment_type": {"id": "SHIP_TO_ADDRESS"},
                "shipping_method": method,
                "shipping_method_options": [method],
            }
        ],
        "addons": {"offers": [], "selections": []},
        "coupons": [],
        "shipping_info": dict(ADDRESS),
        "sub_total": usd(4400),
        "shipping_total": usd(500),
        "tax_total": usd(440),
        "addon_total": usd(0),
        "total": usd(5340),
    }


def quoted(change: Callable[[dict[str, Any]], object] = lambda _: None, payer: PaymentMethod = PAYER) -> Quote:
    sent = cart_json()
    change(sent)
    return quote(STORE, read(Cart, json.loads(json.dumps(sent), parse_float=Decimal)), payer)


def values(of: Quote) -> dict[str, TermValue]:
    """The terms of a quote by what a person reads."""
    return {term.label: term.value for term in of.terms}


def dearer_shipping(cart: dict[str, Any]) -> None:
    cart["shipments"][0]["shipping_method"]["price"] = usd(700)
    cart.update(shipping_total=usd(700), total=usd(5540))


def cheaper_shipping(cart: dict[str, Any]) -> None:
    cart["shipments"][0]["shipping_method"]["price"] = usd(300)
    cart.update(shipping_total=usd(300), total=usd(5140))


def with_an_addon(cart: dict[str, Any]) -> None:
    cart["addons"]["selections"] = [{"addon_id": "gift_wrap"}]


def one_more(cart: dict[str, Any]) -> None:
    cart["line_items"][0].update(quantity=3, line_price=usd(6600))
    cart.update(sub_total=usd(6600), total=usd(7540))


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "quantity": one_more,
    "variant": lambda cart: cart["line_items"][0].update(sku="WS12-S-Orange"),
    "recurring": lambda cart: cart["line_items"][0].update(recurring={"every": "month"}),
    "recipient": lambda cart: cart["shipping_info"].update(address1="2 Test Street"),
    "email": lambda cart: cart["shipping_info"].update(email="eve@example.com"),
    "phone": lambda cart: cart["shipping_info"].update(phone="206-555-0199"),
    "method": lambda cart: cart["shipments"][0]["shipping_method"].update(id="DRONE"),
    "type": lambda cart: cart["shipments"][0].update(fulfillment_type={"id": "PICKUP_IN_STORE"}),
    "location": lambda cart: cart["shipments"][0].update(selected_location={"id": "store-9"}),
    "date": lambda cart: cart["shipments"][0].update(selected_date="2026-12-24"),
    "notes": lambda cart: cart["shipments"][0].update(notes="leave it outside"),
    "addon": with_an_addon,
    "promo codes": lambda cart: cart.update(coupons=["SAVE"]),
    "dearer shipping": dearer_shipping,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_of_a_term_changes_the_digest_and_is_told(change: Callable[[dict[str, Any]], object]) -> None:
    shown, now = quoted(), quoted(change)
    assert now.digest != shown.digest
    assert price_increases(shown, now)


@pytest.mark.parametrize(
    "payer",
    [
        replace(PAYER, environment="sandbox"),
        replace(PAYER, payment_host="https://cc.firmly.work"),
        replace(PAYER, card=CardRef("visa", "visa", "4242")),
        replace(PAYER, card=CardRef("other", "visa", "1111")),
        replace(PAYER, billing={**ADDRESS, "city": "Tacoma"}),
    ],
)
def test_a_yes_is_bound_to_the_card_the_billing_address_and_where_the_card_goes(payer: PaymentMethod) -> None:
    assert quoted(payer=payer).digest != quoted().digest


def with_skus(*skus: str) -> Callable[[dict[str, Any]], object]:
    """A cart of one line for each, at no price of its own."""

    def change(cart: dict[str, Any]) -> None:
        (line,) = cart["line_items"]
        free = {"quantity": 1, "price": usd(0), "line_price": usd(0)}
        cart["line_items"] = [line, *({**line, **free, "sku": sku, "line_item_id": sku} for sku in skus)]

    return change


# Two skus that read the same once they are cleaned and cut.
ALIKE = [("A1", "A1\u200b"), ("X" * 80 + "1", "X" * 80 + "2"), ("A 1", "A  1")]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_a_sku_that_only_reads_the_same_is_another_term(one: str, other: str) -> None:
    shown, now = quoted(with_skus(one)), quoted(with_skus(other))
    assert now.digest != shown.digest
    assert price_increases(shown, now)


@pytest.mark.parametrize("skus", [("A", "A", "A #2"), ("A #2", "A", "A"), ("A", "A\u200b", "A #2", "A #2")])
def test_no_line_hides_the_terms_of_another(skus: tuple[str, ...]) -> None:
    quantities = [name for name in values(quoted(with_skus(*skus))) if name.endswith(": quantity")]
    assert len(quantities) == len(skus) + 1


def test_an_addon_that_is_chosen_twice_is_two_terms() -> None:
    def chosen(*lines: str) -> Callable[[dict[str, Any]], object]:
        selections = [{"addon_id": "wrap", "selected_line_item_ids": [line]} for line in lines]
        return lambda cart: cart["addons"].update(selections=selections)

    shown, now = quoted(chosen("item-1", "item-2")), quoted(chosen("item-3", "item-2"))
    assert now.digest != shown.digest
    assert quoted(chosen("item-2", "item-1")).digest == shown.digest


@pytest.mark.parametrize("addon_id", ["total", "total #2", "", None])
def test_an_addon_is_a_term_whatever_its_id_is(addon_id: str | None) -> None:
    def chosen(child: str) -> Callable[[dict[str, Any]], object]:
        selection = {"addon_id": addon_id, "selected_child_ids": [child]}
        return lambda cart: cart["addons"].update(selections=[selection])

    assert len({quoted().digest, quoted(chosen("card")).digest, quoted(chosen("ring")).digest}) == 3
    assert len(price_increases(quoted(chosen("card")), quoted(chosen("ring")))) == 1
    assert values(quoted(chosen("card")))["addon total"] == Money(Decimal("0.00"), "USD")


@pytest.mark.parametrize("store_id", ["ship to", "ship to Eve", "total", "TOTAL 0.01 USD", "store", "shipment 1"])
def test_a_store_s_id_stands_behind_a_word_of_ours_in_the_name_of_a_term(store_id: str) -> None:
    def named_so(cart: dict[str, Any]) -> None:
        cart["line_items"][0]["sku"] = store_id
        cart["addons"].update(selections=[{"addon_id": store_id}])

    ours = {name for name in values(quoted()) if not name.startswith("line ")}
    added = [name for name in values(quoted(named_so)) if name not in ours]
    assert added
    assert all(name.startswith(("line ", "addon ")) and store_id in name for name in added)


def test_a_difference_says_what_moved_from_what_to_what() -> None:
    assert price_increases(quoted(), quoted(dearer_shipping)) == (
        "shipment 1: method price: 5.00 USD → 7.00 USD",
        "shipping total: 5.00 USD → 7.00 USD",
        "total: 53.40 USD → 55.40 USD",
    )


def test_a_lower_amount_stops_nothing() -> None:
    assert price_increases(quoted(), quoted(cheaper_shipping)) == ()


def test_a_total_that_falls_to_zero_stops_the_order() -> None:
    def free(cart: dict[str, Any]) -> None:
        cart.update(cart_discount=usd(5340), total=usd(0))

    assert price_increases(quoted(), quoted(free)) == ("total: 53.40 USD → 0.00 USD",)
    assert price_increases(quoted(free), quoted(free)) == ()


def test_another_currency_stops_everything() -> None:
    def in_euros(cart: dict[str, Any]) -> None:
        for name in ("sub_total", "shipping_total", "tax_total", "addon_total", "total"):
            cart[name] = {**cart[name], "currency": "EUR"}
        cart["line_items"][0]["price"]["currency"] = cart["line_items"][0]["line_price"]["currency"] = "EUR"
        cart["shipments"][0]["shipping_method"]["price"]["currency"] = "EUR"

    now = quoted(in_euros)
    assert now.total == Money.parse("53.40", "EUR")
    assert any(line.startswith("total: 53.40 USD → 53.40 EUR") for line in price_increases(quoted(), now))


def test_the_purchase_key_ignores_price_card_address_and_cart() -> None:
    def moved(cart: dict[str, Any]) -> None:
        dearer_shipping(cart)
        cart.update(cart_id="cart-2", coupons=["SAVE"])
        cart["shipping_info"]["city"] = "Tacoma"
        cart["line_items"][0]["line_item_id"] = "item-9"

    other_card = replace(PAYER, card=CardRef("other", "visa", "4242"), payment_host="https://x")
    assert quoted(moved, other_card).purchase_key == quoted().purchase_key


@pytest.mark.parametrize(
    ("change", "payer"),
    [
        (CHANGES["quantity"], PAYER),
        (CHANGES["variant"], PAYER),
        (lambda _: None, replace(PAYER, shopper="ben")),
        (lambda _: None, replace(PAYER, environment="sandbox")),
    ],
)
def test_the_purchase_key_knows_who_buys_what_and_how_many(
    change: Callable[[dict[str, Any]], object], payer: PaymentMethod
) -> None:
    assert quoted(change, payer).purchase_key != quoted().purchase_key


@pytest.mark.parametrize(
    ("change", "tool"),
    [
        (lambda cart: cart.update(line_items=[]), "add_line_item"),
        (lambda cart: cart.pop("shipping_info"), "set_shipping_info"),
        (lambda cart: cart.update(cart_status="checkout_blocked"), "get_cart"),
        (lambda cart: cart.pop("total"), "get_cart"),
        (lambda cart: cart.pop("cart_id"), "get_cart"),
        (lambda cart: cart.update(total=usd(1)), "get_cart"),
        (lambda cart: cart["total"].update(number=1), "get_cart"),
    ],
)
def test_what_cannot_be_paid_says_what_to_call(change: Callable[[dict[str, Any]], object], tool: str) -> None:
    with pytest.raises(NotAllowed, match="Nothing was sent") as caught:
        quoted(change)
    assert caught.value.next == tool
    assert caught.value.money_moved == "no"
