"""How the shipments of a Full Cart travel (contract rows 20 to 22)."""

from typing import Any

import pytest

from .bodies import GetAvailability, SetFulfillmentType, SetShippingMethod
from .cart_schemas import Availability, Cart, Shipment, adds_up
from .schemas import read, refused
from .service import Place
from .shopper import Shopper

pytestmark = pytest.mark.anyio
SHIP, SCHEDULED = "SHIP_TO_ADDRESS", "SCHEDULED_DELIVERY"
PICKUP = {"PICKUP_IN_STORE", "IN_STORE_PICKUP"}  # C-3
KIND, METHOD, DAYS = "/shipments/fulfillment-type", "/shipment/methods", "/shipments/get-availability"


async def scheduled(shopper: Shopper) -> tuple[Place, Shipment]:
    """A shipment that comes on a date."""
    what = "a store that delivers on a date"
    place, cart = await shopper.somewhere(lambda cart: SCHEDULED in cart.shipments[0].kinds, what)
    body = SetFulfillmentType(shipment_id=cart.shipments[0].shipment_id, fulfillment_type=SCHEDULED)
    return place, read(Cart, await shopper.cart("POST", KIND, body, at=place)).shipments[0]


async def test_the_first_kind_and_its_cheapest_method_are_chosen_until_someone_does(shopper: Shopper) -> None:
    [shipment] = (await shopper.shipped()).shipments
    assert shipment.fulfillment_type in shipment.fulfillment_type_options
    assert shipment.fulfillment_type is not None
    assert shipment.fulfillment_type.id == SHIP
    prices = [option.price.number for option in shipment.shipping_method_options]
    assert shipment.shipping_method is not None
    assert shipment.shipping_method.price.number == min(prices) < max(prices)


async def test_another_method_changes_what_shipping_costs(shopper: Shopper) -> None:
    before = await shopper.shipped()
    wanted = max(before.shipments[0].shipping_method_options, key=lambda option: option.price.number)
    body = SetShippingMethod(shipment_id=before.shipments[0].shipment_id, shipping_method_id=wanted.id, notes="Ring")
    cart = read(Cart, await shopper.cart("POST", METHOD, body))
    assert cart.shipments[0].shipping_method == wanted
    assert cart.shipments[0].notes == "Ring"
    more = cart.shipping_total.number - before.shipping_total.number
    assert more > 0
    assert cart.total.number >= before.total.number + more
    assert await shopper.shown() == cart
    adds_up(cart)


async def test_a_method_that_is_no_option_is_refused(shopper: Shopper) -> None:
    cart = await shopper.shipped()
    body = SetShippingMethod(shipment_id=cart.shipments[0].shipment_id, shipping_method_id="BY-PIGEON")
    status, name = refused(await shopper.cart("POST", METHOD, body))
    assert (status in {400, 422}, name) == (True, "ErrorInvalidShippingMethod")
    assert await shopper.shown() == cart


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (KIND, SetFulfillmentType(shipment_id="no-such-shipment", fulfillment_type=SHIP)),
        (METHOD, SetShippingMethod(shipment_id="no-such-shipment", shipping_method_id="STANDARD")),
        (DAYS, GetAvailability(shipment_id="no-such-shipment")),
    ],
)
async def test_a_shipment_that_is_not_in_the_cart_is_not_found(shopper: Shopper, path: str, body: Any) -> None:
    await shopper.shipped()
    assert refused(await shopper.cart("POST", path, body)) == (404, "ErrorShipmentNotFound")


@pytest.mark.parametrize("path", [KIND, METHOD, DAYS])
async def test_a_shipment_has_to_be_named(shopper: Shopper, path: str) -> None:
    await shopper.shipped()
    status, _ = refused(await shopper.cart("POST", path, {"fulfillment_type": SHIP, "shipping_method_id": "STANDARD"}))
    assert status == 400


async def test_a_kind_that_is_no_option_is_refused(shopper: Shopper) -> None:
    cart = await shopper.shipped()
    for kind in (SCHEDULED, "BY-PIGEON"):
        body = SetFulfillmentType(shipment_id=cart.shipments[0].shipment_id, fulfillment_type=kind)
        status, _ = refused(await shopper.cart("POST", KIND, body))
        assert status in {400, 422}
    assert await shopper.shown() == cart


async def test_a_shipment_comes_on_a_date_that_the_store_has(shopper: Shopper) -> None:
    place, shipment = await scheduled(shopper)
    assert shipment.fulfillment_type is not None
    assert shipment.fulfillment_type.id == SCHEDULED
    body = GetAvailability(shipment_id=shipment.shipment_id)
    days = read(Availability, await shopper.cart("POST", DAYS, body, at=place))
    assert (days.shipment_id, days.fulfillment_type) == (shipment.shipment_id, shipment.fulfillment_type)
    day = next(day.date for day in days.available_dates if any(slot.available for slot in day.time_slots))
    option = shipment.shipping_method_options[-1]
    chosen = SetShippingMethod(shipment_id=shipment.shipment_id, shipping_method_id=option.id, selected_date=day)
    cart = read(Cart, await shopper.cart("POST", METHOD, chosen, at=place))
    assert (cart.shipments[0].selected_date, cart.shipments[0].shipping_method) == (day, option)
    adds_up(cart)


async def test_going_back_to_shipping_forgets_the_date(shopper: Shopper) -> None:
    place, shipment = await scheduled(shopper)
    body = GetAvailability(shipment_id=shipment.shipment_id)
    days = read(Availability, await shopper.cart("POST", DAYS, body, at=place))
    chosen = SetShippingMethod(
        shipment_id=shipment.shipment_id,
        shipping_method_id=shipment.shipping_method_options[0].id,
        selected_date=days.available_dates[0].date,
    )
    await shopper.cart("POST", METHOD, chosen, at=place)
    back = SetFulfillmentType(shipment_id=shipment.shipment_id, fulfillment_type=SHIP)
    cart = read(Cart, await shopper.cart("POST", KIND, back, at=place))
    assert cart.shipments[0].selected_date is None
    assert cart.shipments[0].shipping_method_options != shipment.shipping_method_options
    adds_up(cart)


async def test_what_is_shipped_has_no_dates_to_choose(shopper: Shopper) -> None:
    cart = await shopper.shipped()
    body = GetAvailability(shipment_id=cart.shipments[0].shipment_id)
    status, _ = refused(await shopper.cart("POST", DAYS, body))
    assert status in {400, 422}


async def pickup(shopper: Shopper) -> tuple[Place, Shipment, str]:
    """A shipment that can be picked up, and what that is called there."""
    what = "a store to pick up at"
    place, cart = await shopper.somewhere(lambda cart: bool(PICKUP & set(cart.shipments[0].kinds)), what)
    shipment = cart.shipments[0]
    return place, shipment, next(kind for kind in shipment.kinds if kind in PICKUP)


async def test_a_shipment_is_picked_up_where_the_store_has_a_location(shopper: Shopper) -> None:
    location = shopper.told(shopper.service.known.pickup_location, "a location to pick up at")
    place, shipment, kind = await pickup(shopper)
    body = SetFulfillmentType(shipment_id=shipment.shipment_id, fulfillment_type=kind, location_id=location)
    cart = read(Cart, await shopper.cart("POST", KIND, body, at=place))
    picked = cart.shipments[0]
    assert picked.selected_location
    assert picked.fulfillment_type is not None
    assert picked.fulfillment_type.id in PICKUP
    back = SetFulfillmentType(shipment_id=shipment.shipment_id, fulfillment_type=SHIP)
    again = read(Cart, await shopper.cart("POST", KIND, back, at=place)).shipments[0]
    assert again.selected_location is None


@pytest.mark.parametrize(("location", "status"), [(None, 400), ("no-such-location", 404)])
async def test_pickup_needs_a_location_that_there_is(shopper: Shopper, location: str | None, status: int) -> None:
    place, shipment, kind = await pickup(shopper)
    body = SetFulfillmentType(shipment_id=shipment.shipment_id, fulfillment_type=kind, location_id=location)
    assert refused(await shopper.cart("POST", KIND, body, at=place))[0] == status
