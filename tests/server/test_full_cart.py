"""Every tool of the Full Cart API, against stores that differ as real ones do."""

from datetime import timedelta
from typing import Any

import pytest
from mcp import Client

from tests.dialects import Dialect
from tests.shop import STORE, TEE, Shop, call, fill_cart, refused

HEARTH = "hearth-and-home.example"
VOLTA = "volta-electronics.example"
FERNHILL = "fernhill-garden.example"


async def ref_of(client: Client, query: str, store: str) -> str:
    """The ref of an available variant of the first product found."""
    found = await call(client, "search_products", query=query, stores=[store], in_stock=True)
    product = await call(client, "get_product", store=store, handle=found["products"][0]["handle"])
    return str(next(v["ref"] for v in product["variants"] if v.get("available", True)))


async def sofa_cart(client: Client) -> dict[str, Any]:
    await call(client, "add_line_item", store=HEARTH, ref=await ref_of(client, "sofa", HEARTH))
    return await call(client, "set_shipping_info", store=HEARTH)


@pytest.mark.anyio
async def test_a_search_keeps_to_its_filters(client: Client) -> None:
    found = await call(
        client,
        "search_products",
        query="tee",
        stores=[STORE],
        max_price="25.00",
        min_price="20",
        in_stock=True,
        options={"color": ["Orange"]},
    )
    assert found["products"]
    assert {hit["store"] for hit in found["products"]} == {STORE}
    assert all(float(hit["price"]["amount"]) <= 25 for hit in found["products"])


@pytest.mark.anyio
async def test_the_sandboxes_other_name_for_its_demo_store_leads_to_its_cart(client: Client, shop: Shop) -> None:
    shop.simulator.world.encode = Dialect(luma_alias=True)
    hit = (await call(client, "search_products", query="orange tee xs"))["products"][0]
    assert hit["store"] == STORE
    assert (await call(client, "get_product", store=hit["store"], handle=hit["handle"]))["variants"]


@pytest.mark.anyio
async def test_a_stores_products_are_listed_page_by_page_where_it_can(client: Client) -> None:
    pages = [await call(client, "list_products", store=STORE, page=page) for page in (1, 2, 3)]
    handles = [product["handle"] for page in pages for product in page["products"]]
    assert len(handles) == len(set(handles)) == 150
    assert [page["next_page"] for page in pages] == [2, 3, 4]
    last = await call(client, "list_products", store=STORE, page=500)
    assert "products" not in last
    assert "next_page" not in last
    error = await refused(client, "list_products", store=VOLTA)
    assert error["error_name"] == "AllProductsNotImplemented"


@pytest.mark.anyio
async def test_a_store_without_page_lookup_says_so(client: Client) -> None:
    error = await refused(client, "get_product", url=f"https://{HEARTH}/products/x")
    assert error["code"] in {"not_found", "product_not_found"}


@pytest.mark.anyio
async def test_promo_codes_are_set_replaced_and_removed(client: Client) -> None:
    before = await fill_cart(client)
    reduced = await call(client, "set_promo_codes", store=STORE, promo_codes=["SAVE10"])
    assert reduced["promo_codes"] == ["SAVE10"]
    assert reduced["discount"]["amount"].lstrip("-") == "4.40"
    assert float(reduced["total"]["amount"]) < float(before["total"]["amount"])
    cleared = await call(client, "set_promo_codes", store=STORE, promo_codes=[])
    assert "promo_codes" not in cleared
    assert cleared["total"] == before["total"]


@pytest.mark.anyio
async def test_one_bad_promo_code_among_several_is_told_and_alone_is_refused(client: Client) -> None:
    await fill_cart(client)
    some = await call(client, "set_promo_codes", store=STORE, promo_codes=["SAVE10", "NONSENSE"])
    assert some["promo_codes"] == ["SAVE10"]
    assert some["warnings"] == ["1 of the codes did not count"]
    for code in ("NONSENSE", "SPRING20", "BIG50"):
        error = await refused(client, "set_promo_codes", store=STORE, promo_codes=[code])
        assert error["code"] == "promo_rejected"


@pytest.mark.anyio
async def test_a_store_that_forbids_clearing_promo_codes_says_so(client: Client) -> None:
    await sofa_cart(client)
    await call(client, "set_promo_codes", store=HEARTH, promo_codes=["SAVE10"])
    error = await refused(client, "set_promo_codes", store=HEARTH, promo_codes=[])
    assert error["error_name"] == "ErrorClearPromoCodeNotAllowed"


@pytest.mark.anyio
async def test_a_required_addon_is_offered_chosen_and_paid(client: Client, shop: Shop) -> None:
    cart = await sofa_cart(client)
    assert {addon["addon_id"] for addon in cart["offered_addons"]} >= {"room_delivery", "curb_delivery"}
    without = await call(client, "complete_order", store=HEARTH)
    assert without["status"] == "not_placed"
    chosen = await call(client, "set_addon", store=HEARTH, addon_id="room_delivery")
    assert chosen["addons"]["amount"] == "49.00"
    removed = await call(client, "set_addon", store=HEARTH, addon_id="room_delivery", remove=True)
    assert "addons" not in removed
    await call(client, "set_addon", store=HEARTH, addon_id="curb_delivery")
    placed = await call(client, "complete_order", store=HEARTH)
    assert placed["status"] == "placed"
    assert [order for order, _ in shop.charges] == [placed["order_number"]]


@pytest.mark.anyio
async def test_an_unknown_addon_is_refused(client: Client) -> None:
    await fill_cart(client)
    error = await refused(client, "set_addon", store=STORE, addon_id="nothing")
    assert error["code"] == "not_found"


@pytest.mark.anyio
async def test_a_faster_method_costs_what_it_says(client: Client) -> None:
    cart = await fill_cart(client)
    methods = {method["id"]: method for method in cart["shipments"][0]["methods"]}
    faster = await call(client, "set_fulfillment", store=STORE, method="EXPRESS", notes="ring twice")
    assert faster["shipping"] == methods["EXPRESS"]["price"]
    assert faster["shipments"][0]["methods"][0] == {**methods["EXPRESS"], "chosen": True}
    assert faster["shipments"][0]["notes"] == "ring twice"


@pytest.mark.anyio
async def test_a_delivery_is_scheduled_for_a_day_that_is_offered(client: Client) -> None:
    await sofa_cart(client)
    scheduled = await call(client, "set_fulfillment", store=HEARTH, type="SCHEDULED_DELIVERY")
    assert scheduled["shipments"][0]["type"] == "SCHEDULED_DELIVERY"
    days = await call(client, "get_availability", store=HEARTH)
    day = days["dates"][2]["date"]
    method = scheduled["shipments"][0]["methods"][0]["id"]
    chosen = await call(client, "set_fulfillment", store=HEARTH, method=method, date=day)
    assert chosen["shipments"][0]["date"] == day


@pytest.mark.anyio
async def test_what_cannot_be_delivered_so_is_refused(client: Client) -> None:
    await fill_cart(client)
    assert (await refused(client, "get_availability", store=STORE))["money_moved"] == "no"
    assert (await refused(client, "set_fulfillment", store=STORE, type="BY_PIGEON"))["money_moved"] == "no"
    assert (await refused(client, "set_fulfillment", store=STORE, method="DRONE"))["money_moved"] == "no"
    assert (await refused(client, "set_fulfillment", store=STORE))["next"] == "get_cart"
    wrong = await refused(client, "set_fulfillment", store=STORE, shipment_id="none", method="EXPRESS")
    assert wrong["known"][0].startswith("ship_")


@pytest.mark.anyio
async def test_when_the_second_of_two_changes_fails_the_cart_is_shown_as_it_is(client: Client) -> None:
    await sofa_cart(client)
    half = await call(client, "set_fulfillment", store=HEARTH, type="SCHEDULED_DELIVERY", method="DRONE")
    assert half["shipments"][0]["type"] == "SCHEDULED_DELIVERY"
    assert "the method was not" in half["warnings"][0]


@pytest.mark.anyio
async def test_when_the_second_change_was_made_but_answered_with_an_error_the_cart_shows_it(
    client: Client, shop: Shop
) -> None:
    cart = await sofa_cart(client)
    method = cart["shipments"][0]["methods"][-1]["id"]
    kind = cart["shipments"][0]["type"]
    shop.simulator.faults.add("refuse-after", "set_shipping_method_v2")
    both = await call(client, "set_fulfillment", store=HEARTH, type=kind, method=method)
    assert "may have been made" in both["warnings"][0]
    chosen = [way["id"] for way in both["shipments"][0]["methods"] if way.get("chosen")]
    assert chosen == [method]


@pytest.mark.anyio
async def test_a_cart_that_cannot_be_read_after_a_failure_is_shown_as_it_was(client: Client, shop: Shop) -> None:
    await sofa_cart(client)
    shop.simulator.faults.add("lose-answer", "set_billing_info_v2")
    shop.simulator.faults.add("not-json", "get_cart_v2")
    both = await call(client, "set_shipping_info", store=HEARTH, billing_address="home")
    assert "The billing address was not set" in both["warnings"][0]
    assert "as it was before" in both["warnings"][1]


@pytest.mark.anyio
async def test_an_addon_that_is_removed_in_part_shows_the_cart_as_it_is(client: Client, shop: Shop) -> None:
    cart = await sofa_cart(client)
    line = cart["lines"][0]["line_item_id"]
    await call(client, "set_addon", store=HEARTH, addon_id="room_delivery")
    shop.simulator.faults.add("refuse-after", "remove_addon_v2", n=2)
    left = await call(
        client, "set_addon", store=HEARTH, addon_id="room_delivery", remove=True, line_item_ids=[line, line]
    )
    assert "removed in part" in left["warnings"][0]
    assert "addons" not in left


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["refuse-after", "gateway-timeout", "lose-answer", "truncate", "not-json"])
async def test_a_line_that_may_have_been_added_is_not_called_safe_to_repeat(
    client: Client, shop: Shop, fault: str
) -> None:
    shop.simulator.faults.add(fault, "add_line_item_v2")
    error = await refused(client, "add_line_item", store=STORE, ref=TEE)
    assert (error["retry_safe"], error["next"]) == (False, "get_cart")
    assert "may have been made" in error["message"]
    assert len((await call(client, "get_cart", store=STORE))["carts"][0]["lines"]) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["preview_order", "place_order"])
@pytest.mark.parametrize("step", ["add_line_item_v2", "set_shipping_info_v2"])
async def test_what_may_be_in_a_cart_that_was_made_for_a_price_does_not_concern_the_person(
    client: Client, shop: Shop, tool: str, step: str
) -> None:
    shop.simulator.faults.add("refuse-after", step)
    order = {"store": STORE, "items": [{"ref": TEE, "quantity": 2}]}
    error = await refused(client, tool, **order)
    assert (error["retry_safe"], error["money_moved"]) == (True, "no")
    assert "own cart was not touched" in error["message"]
    assert (await call(client, "place_order", **order))["status"] == "placed"
    assert len(shop.charges) == 1


@pytest.mark.anyio
async def test_a_postal_code_is_set_for_all_stores(client: Client) -> None:
    assert (await call(client, "set_postal_code", postal_code="90210"))["postal_code"] == "90210"
    assert (await refused(client, "set_postal_code", postal_code="??"))["code"] == "invalid_request"


@pytest.mark.anyio
async def test_all_carts_are_shown_without_a_store(client: Client) -> None:
    assert "carts" not in await call(client, "get_cart")
    await fill_cart(client)
    await sofa_cart(client)
    carts = (await call(client, "get_cart"))["carts"]
    assert {cart["store"] for cart in carts} == {STORE, HEARTH}


@pytest.mark.anyio
async def test_an_address_of_the_chat_is_marked_as_such_and_can_be_shipped_to(client: Client) -> None:
    fields = {
        "label": "Grandma", "first_name": "Rosa", "last_name": "Lima", "email": "rosa@example.com",
        "phone": "512-555-0100", "address1": "2 Oak Lane", "city": "Austin", "state_or_province": "TX",
        "postal_code": "78701", "country": "US",
    }  # fmt: skip
    book = (await call(client, "add_address", **fields))["addresses"]
    assert {entry["label"]: entry["origin"] for entry in book} == {"home": "person", "Grandma": "tool"}
    assert (await refused(client, "add_address", **fields))["code"] == "address_refused"
    wrong = await refused(client, "add_address", **{**fields, "label": "x", "email": "nobody"})
    assert "email" in wrong["message"]
    await call(client, "add_line_item", store=STORE, ref=TEE)
    cart = await call(client, "set_shipping_info", store=STORE, address="grandma", billing_address="home")
    assert "Austin" in cart["ship_to"]


@pytest.mark.anyio
async def test_a_store_that_does_not_ship_there_says_so(client: Client) -> None:
    await call(client, "add_line_item", store=FERNHILL, ref=await ref_of(client, "roses", FERNHILL))
    error = await refused(client, "set_shipping_info", store=FERNHILL)
    assert error["error_name"] == "ErrorCountryNotSupported"


@pytest.mark.anyio
async def test_an_order_is_followed_from_the_attempt_to_the_refund(client: Client, shop: Shop) -> None:
    await fill_cart(client)
    order = await call(client, "complete_order", store=STORE)
    by_attempt = await call(client, "get_order_status", attempt=order["attempt"])
    assert by_attempt["order_number"] == order["order_number"]
    assert by_attempt["attempt"]["status"] == "placed"
    seen = set()
    for _ in range(40):
        by_number = await call(client, "get_order_status", store=STORE, order_number=order["order_number"])
        seen.add(by_number["status"])
        shop.simulator.advance(timedelta(days=1))
    assert {"delivered"} <= seen
    assert len(seen) > 2


@pytest.mark.anyio
async def test_orders_are_listed_newest_first_and_page_by_page(client: Client) -> None:
    assert "orders" not in await call(client, "list_orders")
    for quantity in (1, 2, 3):
        await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": quantity}])
    first = await call(client, "list_orders", limit=2)
    rest = await call(client, "list_orders", limit=2, before=first["before"])
    quantities = [order["lines"][0].split()[0] for order in first["orders"] + rest["orders"]]
    assert quantities == ["3", "2", "1"]
    assert "before" not in rest


@pytest.mark.anyio
async def test_an_unknown_order_is_a_clear_error(client: Client) -> None:
    assert (await refused(client, "get_order_status", attempt="att_none"))["next"] == "list_orders"
    assert (await refused(client, "get_order_status"))["next"] == "list_orders"
    assert (await refused(client, "get_order_status", store=STORE, order_number="SIM-0"))["code"] == "not_found"
