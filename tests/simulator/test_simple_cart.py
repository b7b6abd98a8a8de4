"""The v1 Simple Cart over the same cart: contract sections 5.9, 8.8 and 11."""

from typing import Any

import pytest

from tests.simulator.shopping import ADDRESS, HEARTH, LUMA, TEE, Shopper, cents, error

pytestmark = pytest.mark.anyio
NAMED = {**ADDRESS, "country": "United States", "state_or_province": "Washington"}


async def v1(shopper: Shopper, method: str = "GET", path: str = "", body: Any = None, *, store: str = LUMA) -> Any:
    return await shopper.api(method, f"/api/v1/domains/{store}/cart{path}", body)


async def add(shopper: Shopper, sku: str = "WS12-XS-Orange", quantity: Any = 1, query: str = "") -> Any:
    return await v1(shopper, "POST", f"/line-items/{sku}/quantity/{quantity}{query}")


async def test_an_empty_cart_is_given_where_nothing_was_added(shopper: Shopper) -> None:
    cart = (await v1(shopper)).json()
    assert (cart["line_items"], cents(cart["total"]), cents(cart["tax"])) == ([], 0, 0)


async def test_the_simple_cart_is_flat(shopper: Shopper) -> None:
    await add(shopper, quantity=2)
    cart = (await v1(shopper, "POST", "/shipping-info", NAMED)).json()
    assert not {"shipments", "addons", "tax_total", "addon_total", "schema_version", "notices"} & set(cart)
    assert [option["sku"] for option in cart["shipping_method_options"]] == ["STANDARD", "EXPRESS"]
    assert "id" not in cart["shipping_method"]
    assert (cart["shipping_info"]["country"], cart["shipping_info"]["state_name"]) == ("United States", "Washington")
    assert [cents(cart[name]) for name in ("sub_total", "shipping_total", "tax", "total")] == [4400, 500, 440, 5340]


async def test_both_versions_see_one_cart(shopper: Shopper) -> None:
    await add(shopper)
    full = (await shopper.add(TEE)).json()
    simple = (await v1(shopper)).json()
    assert simple["cart_id"] == full["cart_id"]
    assert [line["quantity"] for line in simple["line_items"]] == [2]


async def test_the_flow_that_is_known_to_work_works(shopper: Shopper) -> None:
    """Section 11's reference flow: clear v1, add v2, shipping v1, key, pay v1; read v2."""
    await v1(shopper, "DELETE", "/line-items")
    await shopper.add(TEE)
    await v1(shopper, "POST", "/shipping-info", {**ADDRESS, "address2": " "})
    body = {"encrypted_card": await shopper.sealed(), "billing_info": ADDRESS}
    order = (await shopper.pay("POST", f"/api/v1/payment/domains/{LUMA}/complete-order", body)).json()
    assert order["cart_status"] == "submitted"
    assert cents(order["total"]) == shopper.sim.books.charges[0].amount == 2920
    assert not {"shipments", "addons", "tax_total"} & set(order)
    assert (await shopper.cart()).json()["platform_order_number"] == order["platform_order_number"]


async def test_flags_of_the_query_are_understood(shopper: Shopper) -> None:
    await add(shopper, "MH07-XS-Gray")
    cart = (await add(shopper, query="?flush_cart=true&fast_mode=true")).json()
    assert [line["sku"] for line in cart["line_items"]] == ["WS12-XS-Orange"]
    assert (await v1(shopper, path="?fast_mode=true")).json() == cart


async def test_a_body_with_handles_is_allowed_when_adding(shopper: Shopper) -> None:
    path = "/line-items/WS12-XS-Orange/quantity/1"
    assert (await v1(shopper, "POST", path, {"variant_handles": []})).status_code == 200
    assert error(await v1(shopper, "POST", path, {"variant_handles": "x"})) == (400, "ErrorInvalidInputBody")
    assert error(await v1(shopper, "POST", path, [])) == (400, "ErrorInvalidInputBody")
    url = f"{shopper.sim.api_url}/api/v1/domains/{LUMA}/cart{path}"
    broken = await shopper.http.post(url, headers={"x-firmly-authorization": shopper.token}, content=b"{")
    assert error(broken) == (400, "ErrorInvalidInputBody")


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "x"])
async def test_a_quantity_in_the_path_is_a_whole_number(shopper: Shopper, quantity: str) -> None:
    assert error(await add(shopper, quantity=quantity)) == (400, "ErrorInvalidInputBody")


async def test_lines_are_addressed_by_sku(shopper: Shopper) -> None:
    await add(shopper)
    path = "/line-items/WS12-XS-Orange"
    assert (await v1(shopper, "PUT", path, {"quantity": 3})).json()["line_items"][0]["quantity"] == 3
    assert (await v1(shopper, "PUT", path, {"quantity": 0})).json()["line_items"] == []
    assert error(await v1(shopper, "PUT", path, {"quantity": 1})) == (404, "ErrorLineItemNotFound")
    assert error(await add(shopper, "nope")) == (404, "ErrorProductNotFound")
    assert error(await add(shopper, "WS12-S-Orange", 4)) == (422, "ErrorNotEnoughStock")


async def test_clearing_v1_takes_the_address_along(shopper: Shopper) -> None:
    await add(shopper)
    await v1(shopper, "POST", "/shipping-info", NAMED)
    cart = (await v1(shopper, "DELETE", "/line-items")).json()
    assert "shipping_info" not in cart
    assert [cents(cart[name]) for name in ("sub_total", "shipping_total", "tax", "total")] == [0, 0, 0, 0]


async def test_the_phone_may_be_missing(shopper: Shopper) -> None:
    await add(shopper)
    silent = {name: value for name, value in NAMED.items() if name != "phone"}
    assert (await v1(shopper, "POST", "/shipping-info", silent)).status_code == 200
    assert error(await v1(shopper, "POST", "/shipping-info", {**silent, "email": ""})) == (400, "ErrorInvalidInputBody")


async def test_one_method_is_chosen_for_the_whole_order(shopper: Shopper) -> None:
    await add(shopper)
    early = await v1(shopper, "POST", "/shipping-method", {"shipping_method": "EXPRESS"})
    assert error(early) == (422, "ErrorMissingRequiredParameters")
    await v1(shopper, "POST", "/shipping-info", NAMED)
    wrong = await v1(shopper, "POST", "/shipping-method", {"shipping_method": "BALLOON"})
    assert error(wrong) == (422, "ErrorInvalidShippingMethod")
    cart = (await v1(shopper, "POST", "/shipping-method", {"shipping_method": "EXPRESS"})).json()
    assert (cart["shipping_method"]["sku"], cents(cart["shipping_total"])) == ("EXPRESS", 2000)


async def test_v1_place_order_takes_variant_ids(shopper: Shopper) -> None:
    body = await shopper.order_body(items=[{"variant_id": "WS12-XS-Orange", "quantity": 2}])
    order = (await shopper.pay("POST", f"/api/v1/payment/domains/{LUMA}/place-order", body)).json()
    assert cents(order["total"]) == 5340
    assert "shipments" not in order


async def test_v1_knows_no_addons_and_so_requires_none(shopper: Shopper) -> None:
    ref = await shopper.buyable("sofa", HEARTH)
    await shopper.add(ref, store=HEARTH)
    await v1(shopper, "POST", "/shipping-info", NAMED, store=HEARTH)
    body = {"encrypted_card": await shopper.sealed(), "billing_info": ADDRESS}
    assert (await shopper.pay("POST", f"/api/v1/payment/domains/{HEARTH}/complete-order", body)).status_code == 200
