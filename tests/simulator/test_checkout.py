"""Addresses, shipping, tax and totals: contract sections 5.6, 8.3 and 8.7."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.simulator.answers import money, share
from tests.simulator.shopping import ADDRESS, BRITISH, FERNHILL, HEARTH, HOODIE, TEE, Shopper, cents, error

pytestmark = pytest.mark.anyio


def amounts(cart: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """Goods, shipping, tax, addons and total of a cart, after checking that they add up."""
    names = ("sub_total", "shipping_total", "tax_total", "addon_total", "total")
    goods, shipping, tax, addons, total = (cents(cart[name]) for name in names)
    discount = cents(cart["cart_discount"]) if "cart_discount" in cart else 0
    assert total == goods - discount + shipping + tax + addons
    assert goods == sum(cents(line["line_price"]) for line in cart["line_items"])
    return goods, shipping, tax, addons, total


async def test_the_contracts_example_adds_up(shopper: Shopper) -> None:
    await shopper.add(TEE, 2)
    assert amounts((await shopper.ship()).json()) == (4400, 500, 440, 0, 5340)


async def test_before_an_address_there_is_neither_shipping_nor_tax(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE)).json()
    assert amounts(cart) == (2200, 0, 0, 0, 2200)
    assert cart["shipments"][0]["shipping_method"] is None
    assert cart["shipments"][0]["shipping_method_options"] == []


async def test_the_cheapest_method_is_chosen_and_comes_first(shopper: Shopper) -> None:
    await shopper.add(TEE)
    [shipment] = (await shopper.ship()).json()["shipments"]
    prices = [cents(option["price"]) for option in shipment["shipping_method_options"]]
    assert prices == sorted(prices)
    assert len(prices) >= 2
    assert shipment["shipping_method"] == shipment["shipping_method_options"][0]


@pytest.mark.parametrize(
    ("change", "shipping", "tax"),
    [
        ({"state_or_province": "OR", "postal_code": "97201"}, 500, 0),
        ({"state_or_province": "New York", "postal_code": "10001"}, 500, 195),
        ({"state_or_province": "HI", "postal_code": "96801"}, 1500, 110),
        ({"country": "CA", "state_or_province": "ON", "postal_code": "M5V 2T6"}, 2000, 286),
    ],
)
async def test_shipping_and_tax_go_by_the_address(
    shopper: Shopper, change: dict[str, str], shipping: int, tax: int
) -> None:
    await shopper.add(TEE)
    assert amounts((await shopper.ship({**ADDRESS, **change})).json())[1:3] == (shipping, tax)


async def test_standard_shipping_is_free_from_a_worth_on(shopper: Shopper) -> None:
    await shopper.add(HOODIE, 4)
    assert amounts((await shopper.ship()).json())[:2] == (21600, 0)


async def test_a_british_store_asks_pounds_and_its_tax(shopper: Shopper) -> None:
    body = {"query": "trowel", "filters": {"domains": [FERNHILL], "in_stock": True}}
    hit = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
    ref = next(variant["add_to_cart_ref"] for variant in hit["variants"] if variant["available"])
    await shopper.add(ref, store=FERNHILL)
    cart = (await shopper.ship(BRITISH, store=FERNHILL)).json()
    goods, shipping, tax, _, _ = amounts(cart)
    assert (shipping, tax) == (395, share(goods, 20, 100))
    assert (cart["total"]["currency"], cart["total"]["symbol"]) == ("GBP", "£")
    refused = await shopper.ship(store=FERNHILL)
    assert error(refused) == (400, "ErrorCountryNotSupported")


async def test_an_address_may_be_put_as_well_and_names_become_codes(shopper: Shopper) -> None:
    await shopper.add(TEE)
    named = {**ADDRESS, "country": "United States", "state_or_province": "washington"}
    cart = (await shopper.cart("PUT", "/shipping-info", named)).json()
    assert (cart["shipping_info"]["country"], cart["shipping_info"]["state_or_province"]) == ("US", "WA")


@pytest.mark.parametrize("missing", list(ADDRESS))
@pytest.mark.parametrize("value", [None, "", 7])
async def test_every_field_of_an_address_is_needed(shopper: Shopper, missing: str, value: Any) -> None:
    await shopper.add(TEE)
    assert error(await shopper.ship({**ADDRESS, missing: value})) == (400, "ErrorInvalidInputBody")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"email": "ana"}, (400, "ErrorInvalidInputBody")),
        ({"postal_code": "ABC"}, (400, "ErrorInvalidInputBody")),
        ({"address1": "x" * 501}, (400, "ErrorInvalidInputBody")),
        ({"country": "XX"}, (400, "ErrorCountryNotSupported")),
        ({"country": "DE"}, (400, "ErrorCountryNotSupported")),
        ({"state_or_province": "ZZ"}, (422, "ErrorInvalidState")),
    ],
)
async def test_a_wrong_address_is_refused_by_name(
    shopper: Shopper, change: dict[str, str], expected: tuple[int, str]
) -> None:
    before = (await shopper.add(TEE)).json()
    assert error(await shopper.ship({**ADDRESS, **change})) == expected
    assert (await shopper.cart()).json() == before


async def test_an_address_needs_a_cart(shopper: Shopper) -> None:
    assert error(await shopper.ship()) == (404, "ErrorCartNotFound")
    assert error(await shopper.cart("POST", "/billing-info", ADDRESS)) == (404, "ErrorCartNotFound")


async def test_billing_changes_no_amount(shopper: Shopper) -> None:
    await shopper.add(TEE)
    before = (await shopper.ship()).json()
    billing = {**ADDRESS, "state_or_province": "OR", "postal_code": "97201"}
    after = (await shopper.cart("POST", "/billing-info", billing)).json()
    assert after.pop("billing_info") == billing
    assert after == before


async def test_what_cannot_go_there_blocks_the_cart(shopper: Shopper) -> None:
    body = {"query": "sofa", "filters": {"domains": [HEARTH], "in_stock": True}}
    hit = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
    ref = next(variant["add_to_cart_ref"] for variant in hit["variants"] if variant["available"])
    await shopper.add(ref, store=HEARTH)
    hawaii = {**ADDRESS, "state_or_province": "HI", "postal_code": "96801"}
    cart = (await shopper.ship(hawaii, store=HEARTH)).json()
    assert cart["cart_status"] == "item_not_shippable"
    assert cart["notices"][0]["code"] == "ITEM_NOT_SHIPPABLE"
    assert error(await shopper.complete(store=HEARTH)) == (422, "ErrorMissingRequiredParameters")
    await shopper.cart("POST", "/addons", {"selections": [{"addon_id": "curb_delivery"}]}, store=HEARTH)
    assert error(await shopper.complete(store=HEARTH)) == (409, "ErrorCheckoutBlocked")
    assert (await shopper.ship(store=HEARTH)).json()["cart_status"] == "active"
    assert (await shopper.complete(store=HEARTH)).status_code == 200


async def test_where_nothing_ships_the_cart_is_blocked(shopper: Shopper) -> None:
    await shopper.add(await shopper.buyable("sofa", HEARTH), store=HEARTH)
    ontario = {**ADDRESS, "country": "CA", "state_or_province": "ON", "postal_code": "M5V 2T6"}
    cart = (await shopper.ship(ontario, store=HEARTH)).json()
    assert cart["cart_status"] == "checkout_blocked"
    assert [notice["code"] for notice in cart["notices"]] == ["SHIPPING_NOT_AVAILABLE"]


@given(st.integers(-(10**9), 10**9))
def test_a_money_object_prints_its_exact_value(cents_: int) -> None:
    whole = money(cents_, "USD")
    sign, rest = ("-" if cents_ < 0 else ""), abs(cents_)
    assert float(f"{sign}{rest // 100}.{rest % 100:02}") == whole["value"]
    assert len(repr(whole["value"]).partition(".")[2]) <= 2


@given(st.integers(0, 10**8), st.integers(0, 30_000))
def test_a_share_is_rounded_half_up(amount: int, rate: int) -> None:
    from decimal import ROUND_HALF_UP, Decimal

    exact = (Decimal(amount) * rate / 100_000).quantize(Decimal(1), ROUND_HALF_UP)
    assert share(amount, rate) == int(exact)
