"""Shipment configuration v2, contract section 5.7."""

from typing import Any

import pytest

from tests.dialects import Dialect
from tests.simulator.shopping import ADDRESS, HEARTH, TEE, VOLTA, Shopper, cents, error

pytestmark = pytest.mark.anyio
TYPE, METHOD, DATES = "/shipments/fulfillment-type", "/shipment/methods", "/shipments/get-availability"


async def television(shopper: Shopper) -> dict[str, Any]:
    """A cart with one shipment that goes by freight."""
    await shopper.add(await shopper.buyable("oled tv", VOLTA), store=VOLTA)
    cart: dict[str, Any] = (await shopper.ship(store=VOLTA)).json()
    return cart


def shipment_id(cart: dict[str, Any]) -> str:
    """The id of its only shipment."""
    [shipment] = cart["shipments"]
    return str(shipment["shipment_id"])


async def fulfil(shopper: Shopper, cart: dict[str, Any], kind: Any, **more: Any) -> Any:
    body = {"shipment_id": shipment_id(cart), "fulfillment_type": kind, **more}
    return await shopper.cart("POST", TYPE, body, store=VOLTA)


async def test_a_method_can_be_chosen_with_notes(shopper: Shopper) -> None:
    await shopper.add(TEE)
    cart = (await shopper.ship()).json()
    body = {"shipment_id": shipment_id(cart), "shipping_method_id": "EXPRESS", "notes": "Ring twice"}
    cart = (await shopper.cart("POST", METHOD, body)).json()
    [shipment] = cart["shipments"]
    assert (shipment["shipping_method"]["id"], shipment["notes"]) == ("EXPRESS", "Ring twice")
    assert (cents(cart["shipping_total"]), cents(cart["total"])) == (2000, 2200 + 2000 + 220)
    await shopper.complete()
    assert shopper.sim.books.charges[0].amount == 4420


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"shipping_method_id": "BALLOON"}, (422, "ErrorInvalidShippingMethod")),
        ({"shipment_id": "nope"}, (404, "ErrorShipmentNotFound")),
        ({"shipment_id": None}, (400, "ErrorInvalidInputBody")),
        ({"shipping_method_id": None}, (400, "ErrorInvalidInputBody")),
        ({"notes": 7}, (400, "ErrorInvalidInputBody")),
        ({"selected_date": "2026-03-06"}, (400, "ErrorInvalidInputBody")),
    ],
)
async def test_a_wrong_method_changes_nothing(
    shopper: Shopper, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    await shopper.add(TEE)
    cart = (await shopper.ship()).json()
    whole = {"shipment_id": shipment_id(cart), "shipping_method_id": "EXPRESS", **body}
    assert error(await shopper.cart("POST", METHOD, whole)) == expected
    assert (await shopper.cart()).json() == cart


async def test_before_an_address_there_is_no_method_to_choose(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE)).json()
    body = {"shipment_id": shipment_id(cart), "shipping_method_id": "STANDARD"}
    assert error(await shopper.cart("POST", METHOD, body)) == (422, "ErrorInvalidShippingMethod")


@pytest.mark.parametrize(
    ("speaks", "documented", "other"),
    [("documented", 200, 404), ("other", 404, 200), ("both", 200, 200), ("neither", 404, 404)],
)
async def test_the_path_of_the_method_is_disputed(shopper: Shopper, speaks: Any, documented: int, other: int) -> None:
    shopper.sim.world.encode = Dialect(shipping_method_path=speaks)
    await shopper.add(TEE)
    cart = (await shopper.ship()).json()
    body = {"shipment_id": shipment_id(cart), "shipping_method_id": "EXPRESS"}
    for path, status in ((METHOD, documented), ("/shipments/shipping-method", other)):
        answer = await shopper.cart("POST", path, body)
        assert answer.status_code == status
        assert status == 200 or error(answer) == (404, "RouteNotFound")


async def test_a_store_that_delivers_in_three_ways_lists_them(shopper: Shopper) -> None:
    [shipment] = (await television(shopper))["shipments"]
    ids = [option["id"] for option in shipment["fulfillment_type_options"]]
    assert ids == ["SHIP_TO_ADDRESS", "SCHEDULED_DELIVERY", "PICKUP_IN_STORE"]
    assert shipment["fulfillment_type"]["id"] == "SHIP_TO_ADDRESS"


async def test_a_scheduled_delivery_needs_a_day_that_is_available(shopper: Shopper) -> None:
    cart = await television(shopper)
    scheduled = (await fulfil(shopper, cart, "SCHEDULED_DELIVERY")).json()
    [shipment] = scheduled["shipments"]
    assert shipment["shipping_method"]["id"] == "SCHEDULED_DAY"
    assert error(await shopper.complete(store=VOLTA)) == (422, "ErrorMissingRequiredParameters")
    dates = (await shopper.cart("POST", DATES, {"shipment_id": shipment_id(cart)}, store=VOLTA)).json()
    assert dates["fulfillment_type"]["id"] == "SCHEDULED_DELIVERY"
    day = dates["available_dates"][0]["date"]
    assert set(dates["available_dates"][0]["time_slots"][0]) == {
        "slot_id", "start_time", "end_time", "description", "available",
    }  # fmt: skip
    assert cents(dates["delivery_windows"][0]["price"]) == 2500
    choice = {
        "shipment_id": shipment_id(cart),
        "shipping_method_id": "SCHEDULED_EVENING",
        "selected_date": "2026-03-03",
    }
    assert error(await shopper.cart("POST", METHOD, choice, store=VOLTA)) == (400, "ErrorInvalidInputBody")
    chosen = (await shopper.cart("POST", METHOD, {**choice, "selected_date": day}, store=VOLTA)).json()
    assert chosen["shipments"][0]["selected_date"] == day
    assert cents(chosen["shipping_total"]) == 3900
    assert (await shopper.complete(store=VOLTA)).status_code == 200


async def test_no_day_is_a_sunday_or_too_soon(shopper: Shopper) -> None:
    from datetime import date

    cart = await television(shopper)
    await fulfil(shopper, cart, "SCHEDULED_DELIVERY")
    dates = (await shopper.cart("POST", DATES, {"shipment_id": shipment_id(cart)}, store=VOLTA)).json()
    days = [date.fromisoformat(entry["date"]) for entry in dates["available_dates"]]
    assert min(days) >= date(2026, 3, 5)
    assert 7 not in {day.isoweekday() for day in days}


async def test_only_scheduled_deliveries_have_days(shopper: Shopper) -> None:
    cart = await television(shopper)
    asked = await shopper.cart("POST", DATES, {"shipment_id": shipment_id(cart)}, store=VOLTA)
    assert error(asked) == (422, "ErrorInvalidFulfillmentType")


@pytest.mark.parametrize("kind", ["PICKUP_IN_STORE", "IN_STORE_PICKUP"])
async def test_picking_up_costs_nothing_and_has_a_place(shopper: Shopper, kind: str) -> None:
    cart = await television(shopper)
    picked = (await fulfil(shopper, cart, kind, location_id="volta-seattle")).json()
    [shipment] = picked["shipments"]
    assert shipment["selected_location"]["city"] == "Seattle"
    assert (cents(picked["shipping_total"]), shipment["shipping_method"]["id"]) == (0, "PICKUP")
    assert (await shopper.complete(store=VOLTA)).status_code == 200


async def test_pickup_is_called_one_way_or_the_other(shopper: Shopper) -> None:
    shopper.sim.world.encode = Dialect(pickup_id="IN_STORE_PICKUP")
    cart = await television(shopper)
    assert cart["shipments"][0]["fulfillment_type_options"][-1]["id"] == "IN_STORE_PICKUP"
    picked = (await fulfil(shopper, cart, "IN_STORE_PICKUP", location_id="volta-austin")).json()
    assert picked["shipments"][0]["fulfillment_type"]["id"] == "IN_STORE_PICKUP"


async def test_a_change_of_type_clears_what_belonged_to_the_old_one(shopper: Shopper) -> None:
    cart = await television(shopper)
    await fulfil(shopper, cart, "PICKUP_IN_STORE", location_id="volta-seattle")
    [shipment] = (await fulfil(shopper, cart, "SCHEDULED_DELIVERY")).json()["shipments"]
    assert "selected_location" not in shipment
    dates = (await shopper.cart("POST", DATES, {"shipment_id": shipment_id(cart)}, store=VOLTA)).json()
    choice = {
        "shipment_id": shipment_id(cart),
        "shipping_method_id": "SCHEDULED_DAY",
        "selected_date": dates["available_dates"][0]["date"],
    }
    await shopper.cart("POST", METHOD, choice, store=VOLTA)
    [shipment] = (await fulfil(shopper, cart, "SHIP_TO_ADDRESS")).json()["shipments"]
    assert "selected_date" not in shipment
    assert shipment["shipping_method"]["id"] == "FREIGHT"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"fulfillment_type": "BALLOON"}, (400, "ErrorInvalidFulfillmentType")),
        ({"fulfillment_type": None}, (400, "ErrorInvalidInputBody")),
        ({"shipment_id": "nope"}, (404, "ErrorShipmentNotFound")),
        ({"fulfillment_type": "PICKUP_IN_STORE"}, (400, "ErrorInvalidInputBody")),
        ({"fulfillment_type": "PICKUP_IN_STORE", "location_id": "nope"}, (404, "ErrorLocationNotFound")),
    ],
)
async def test_a_wrong_type_changes_nothing(shopper: Shopper, body: dict[str, Any], expected: tuple[int, str]) -> None:
    cart = await television(shopper)
    whole = {"shipment_id": shipment_id(cart), "fulfillment_type": "SCHEDULED_DELIVERY", **body}
    assert error(await shopper.cart("POST", TYPE, whole, store=VOLTA)) == expected
    assert (await shopper.cart(store=VOLTA)).json() == cart


async def test_a_store_that_only_ships_sets_no_other_type(shopper: Shopper) -> None:
    cart = (await shopper.add(TEE)).json()
    body = {"shipment_id": shipment_id(cart), "fulfillment_type": "SCHEDULED_DELIVERY"}
    assert error(await shopper.cart("POST", TYPE, body)) == (400, "ErrorInvalidFulfillmentType")


async def test_what_is_picked_up_need_not_be_shippable(shopper: Shopper) -> None:
    cart = await television(shopper)
    hawaii = {**ADDRESS, "state_or_province": "HI", "postal_code": "96801"}
    assert (await shopper.ship(hawaii, store=VOLTA)).json()["cart_status"] == "item_not_shippable"
    picked = (await fulfil(shopper, cart, "PICKUP_IN_STORE", location_id="volta-seattle")).json()
    assert picked["cart_status"] == "active"


async def test_each_shipment_is_configured_apart(shopper: Shopper) -> None:
    for query in ("sofa", "lamp"):
        await shopper.add(await shopper.buyable(query, HEARTH), store=HEARTH)
    before = (await shopper.ship(store=HEARTH)).json()
    first, second = before["shipments"]
    dearest = first["shipping_method_options"][-1]
    body = {"shipment_id": first["shipment_id"], "shipping_method_id": dearest["id"]}
    after = (await shopper.cart("POST", METHOD, body, store=HEARTH)).json()
    assert after["shipments"][1] == second
    assert cents(after["shipping_total"]) == cents(dearest["price"]) + cents(second["shipping_method"]["price"])
