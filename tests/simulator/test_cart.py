"""Cart management v2, contract sections 5.4, 8.4, 8.7 and 9."""

from typing import Any

import pytest

from tests.simulator.shopping import FERNHILL, HEARTH, HOODIE, LUMA, TEE, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def test_a_cart_that_was_never_filled_is_empty_and_keeps_its_id(shopper: Shopper) -> None:
    first, second = (await shopper.cart()).json(), (await shopper.cart()).json()
    assert first == second
    assert (first["line_items"], first["shipments"], first["cart_status"]) == ([], [], "active")
    assert cents(first["total"]) == 0
    filled = (await shopper.add(TEE)).json()
    assert filled["cart_id"] == first["cart_id"]


async def test_a_line_looks_like_the_contract_says(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE, 2)).json()
    [line] = cart["line_items"]
    assert (line["sku"], line["base_sku"], line["variant_id"]) == ("WS12-XS-Orange", "WS12", "WS12-XS-Orange")
    assert (line["description"], line["variant_description"]) == ("Radiant Tee", "Color: Orange, Size: XS")
    assert (line["quantity"], cents(line["price"]), cents(line["line_price"])) == (2, 2200, 4400)
    assert cents(line["msrp"]) == 2200
    assert line["requires_shipping"] is True
    [shipment] = cart["shipments"]
    assert shipment["line_item_ids"] == [line["line_item_id"]]
    assert (cart["shop_id"], cart["platform_id"], cart["schema_version"]) == (LUMA, "magento", "2.0")


async def test_the_same_variant_again_makes_its_line_longer(shopper: Shopper) -> None:
    await shopper.add(TEE, 2)
    await shopper.add(HOODIE)
    cart = (await shopper.add(TEE)).json()
    assert [line["quantity"] for line in cart["line_items"]] == [3, 1]


async def test_ids_of_cart_line_and_shipment_last(shopper: Shopper) -> None:
    before = (await shopper.add(TEE)).json()
    after = (await shopper.add(HOODIE)).json()
    assert before["cart_id"] == after["cart_id"]
    assert before["line_items"][0]["line_item_id"] == after["line_items"][0]["line_item_id"]
    assert before["shipments"][0]["shipment_id"] == after["shipments"][0]["shipment_id"]


async def test_flushing_empties_the_cart_first(shopper: Shopper) -> None:
    await shopper.add(HOODIE)
    cart = (await shopper.cart("POST", "/line-items?flush_cart=true", {"add_to_cart_ref": TEE, "quantity": 1})).json()
    assert [line["sku"] for line in cart["line_items"]] == ["WS12-XS-Orange"]


async def test_a_flush_that_fails_leaves_the_cart_alone(shopper: Shopper) -> None:
    await shopper.add(HOODIE)
    body = {"add_to_cart_ref": {"variant_id": "WS12-M-Orange"}, "quantity": 1}
    assert error(await shopper.cart("POST", "/line-items?flush_cart=true", body)) == (422, "ErrorNotEnoughStock")
    assert len((await shopper.cart()).json()["line_items"]) == 1


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "2", None, True, [], 10**30 * 1.0])
async def test_a_quantity_that_is_none_is_an_invalid_body(shopper: Shopper, quantity: Any) -> None:
    expected = (422, "ErrorNotEnoughStock") if quantity == 1e30 else (400, "ErrorInvalidInputBody")
    assert error(await shopper.add(TEE, quantity)) == expected
    assert (await shopper.cart()).json()["line_items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"quantity": 1},
        {"add_to_cart_ref": "WS12-XS-Orange", "quantity": 1},
        {"add_to_cart_ref": {}, "quantity": 1},
        {"add_to_cart_ref": {"variant_id": 7}, "quantity": 1},
        {"add_to_cart_ref": {"variant_id": "x", "variant_handles": "x"}, "quantity": 1},
        {"add_to_cart_ref": TEE},
    ],
)
async def test_a_malformed_add_is_an_invalid_body(shopper: Shopper, body: Any) -> None:
    assert error(await shopper.cart("POST", "/line-items", body)) == (400, "ErrorInvalidInputBody")


async def test_a_body_that_is_no_json_is_an_invalid_body(shopper: Shopper) -> None:
    url = f"{shopper.sim.api_url}/api/v2/domains/{LUMA}/cart/line-items"
    answer = await shopper.http.post(url, headers={"x-firmly-authorization": shopper.token}, content=b"{")
    assert error(answer) == (400, "ErrorInvalidInputBody")


@pytest.mark.parametrize("ref", [{"variant_id": "WS12-XS-Pink"}, {"variant_id": "WS12"}, {**TEE, "product_id": "1"}])
async def test_an_unknown_variant_is_not_found(shopper: Shopper, ref: dict[str, Any]) -> None:
    assert error(await shopper.add(ref)) == (404, "ErrorProductNotFound")


async def test_stock_is_counted_over_what_is_in_the_cart(shopper: Shopper) -> None:
    scarce = {"variant_id": "WS12-S-Orange"}
    assert (await shopper.add(scarce, 2)).status_code == 200
    assert error(await shopper.add(scarce, 2)) == (422, "ErrorNotEnoughStock")
    assert (await shopper.add(scarce, 1)).json()["line_items"][0]["quantity"] == 3


async def test_a_shared_variant_id_needs_its_handles(shopper: Shopper) -> None:
    body = {"query": "rose", "filters": {"domains": [FERNHILL], "in_stock": True}}
    hit = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
    refs = [variant["add_to_cart_ref"] for variant in hit["variants"] if variant["available"]]
    assert error(await shopper.add({"variant_id": refs[0]["variant_id"]}, store=FERNHILL)) == (
        404,
        "ErrorProductNotFound",
    )
    for ref in refs:
        assert (await shopper.add(ref, store=FERNHILL)).status_code == 200
    cart = (await shopper.cart(store=FERNHILL)).json()
    assert len(cart["line_items"]) == len(refs)
    assert cart["total"]["currency"] == "GBP"


async def test_a_quantity_changes_and_none_removes_the_line(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE)).json()
    await shopper.add(HOODIE)
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    assert (await shopper.cart("PUT", line, {"quantity": 5})).json()["line_items"][0]["quantity"] == 5
    left = (await shopper.cart("PUT", line, {"quantity": 0})).json()
    assert [item["sku"] for item in left["line_items"]] == ["MH07-XS-Gray"]
    assert cents(left["sub_total"]) == 5400


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (-1, (422, "InvalidQuantity")),
        (1.5, (422, "InvalidQuantity")),
        ("2", (400, "ErrorInvalidInputBody")),
        (None, (400, "ErrorInvalidInputBody")),
        (10**9, (422, "ErrorNotEnoughStock")),
    ],
)
async def test_a_wrong_new_quantity_changes_nothing(shopper: Shopper, quantity: Any, expected: tuple[int, str]) -> None:
    cart = (await shopper.add(TEE)).json()
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    assert error(await shopper.cart("PUT", line, {"quantity": quantity})) == expected
    assert (await shopper.cart()).json() == cart


async def test_a_line_that_is_not_there_is_not_found(shopper: Shopper) -> None:
    assert error(await shopper.cart("PUT", "/line-items/x", {"quantity": 1})) == (404, "ErrorCartNotFound")
    await shopper.add(TEE)
    assert error(await shopper.cart("PUT", "/line-items/x", {"quantity": 1})) == (404, "ErrorLineItemNotFound")


async def test_the_last_line_of_a_shipment_takes_it_along(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE)).json()
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    assert (await shopper.cart("PUT", line, {"quantity": 0})).json()["shipments"] == []


async def test_clearing_keeps_the_cart_and_the_address(shopper: Shopper) -> None:
    await shopper.add(TEE)
    before = (await shopper.ship()).json()
    after = (await shopper.cart("DELETE", "/line-items")).json()
    assert after["cart_id"] == before["cart_id"]
    assert after["shipping_info"] == before["shipping_info"]
    assert (after["line_items"], after["shipments"], after["coupons"]) == ([], [], [])
    assert after["addons"] == {"offers": [], "selections": []}
    for name in ("sub_total", "shipping_total", "tax_total", "addon_total", "total"):
        assert cents(after[name]) == 0


async def test_carts_belong_to_a_device_and_a_store(shopper: Shopper, other: Shopper) -> None:
    await shopper.add(TEE)
    assert (await other.cart()).json()["line_items"] == []
    assert (await shopper.cart(store=HEARTH)).json()["line_items"] == []


async def test_things_that_travel_apart_are_two_shipments(shopper: Shopper) -> None:
    cart: dict[str, Any] = {}
    for query in ("sofa", "table lamp"):
        body = {"query": query, "filters": {"domains": [HEARTH], "in_stock": True}}
        hit = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
        ref = next(variant["add_to_cart_ref"] for variant in hit["variants"] if variant["available"])
        cart = (await shopper.add(ref, store=HEARTH)).json()
    assert [len(shipment["line_item_ids"]) for shipment in cart["shipments"]] == [1, 1]


async def test_a_risen_price_shows_with_a_notice(shopper: Shopper) -> None:
    await shopper.add(TEE)
    shopper.sim.set_price(LUMA, "WS12-XS-Orange", 2600)
    cart = (await shopper.cart()).json()
    assert cents(cart["total"]) == 2600
    assert [notice["code"] for notice in cart["notices"]] == ["PRICE_INCREASED"]
    assert cart["cart_status"] == "active"


async def test_what_sold_out_blocks_the_checkout(shopper: Shopper) -> None:
    await shopper.add(TEE, 2)
    shopper.sim.set_stock(LUMA, "WS12-XS-Orange", 1)
    cart = (await shopper.cart()).json()
    assert cart["cart_status"] == "checkout_blocked"
    assert cart["notices"][0]["code"] == "ITEM_OUT_OF_STOCK"
