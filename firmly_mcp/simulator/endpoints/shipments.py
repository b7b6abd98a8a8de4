"""Shipment configuration v2 (contract 5.7)."""

from datetime import date, timedelta
from typing import Any

from firmly_mcp.simulator import shipping
from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart, Choice
from firmly_mcp.simulator.cash import Json, money
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED

PICKUP_IDS = {"PICKUP_IN_STORE", "IN_STORE_PICKUP"}  # C-3
FIRST_DAY, DAYS = 3, 12
SLOTS = (("am", "08:00", "12:00", "Morning"), ("pm", "12:00", "18:00", "Afternoon"))


def set_fulfillment_type(call: Call) -> Answer:
    """Ship, deliver on a date, or pick up; what belonged to the old type is cleared."""
    cart, body = call.open_cart(), call.json()
    choice = _choice(cart, text_field(body, "shipment_id"))
    wanted = text_field(body, "fulfillment_type")
    kind = PICKUP if wanted in PICKUP_IDS else wanted
    merchant = call.world.catalog.merchant(cart.store)
    if kind not in shipping.fulfillment_types(merchant, choice.freight):
        raise Refusal("ErrorInvalidFulfillmentType", f"Fulfillment type '{wanted}' is not available")
    location = _location(call, cart.store, body) if kind == PICKUP else None
    choice.fulfillment_type, choice.location_id = kind, location
    choice.method_id = choice.selected_date = None
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def set_shipping_method(call: Call) -> Answer:
    """Choose how a shipment travels, with notes, and the day of a scheduled delivery (path: C-4)."""
    here = "other" if call.route.path.endswith("/shipping-method") else "documented"
    if call.world.dialect.shipping_method_path not in {here, "both"}:
        raise Refusal("RouteNotFound", f"No route {call.path} on this host")
    cart, body = call.open_cart(), call.json()
    choice = _choice(cart, text_field(body, "shipment_id"))
    method_id = text_field(body, "shipping_method_id")
    options = next(s.options for s in call.world.priced(cart).shipments if s.choice is choice)
    if method_id not in {method.id for method in options}:
        raise Refusal("ErrorInvalidShippingMethod", f"Shipping method '{method_id}' is not available")
    notes, day = _optional(body, "notes"), _optional(body, "selected_date")
    if day is not None:
        _check_day(call, choice, day)
    choice.method_id = method_id
    choice.notes = choice.notes if notes is None else notes
    choice.selected_date = choice.selected_date if day is None else day
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def get_availability(call: Call) -> Answer:
    """The days of a scheduled delivery."""
    cart = call.cart()
    choice = _choice(cart, text_field(call.json(), "shipment_id"))
    if choice.fulfillment_type != SCHEDULED:
        raise Refusal("ErrorInvalidFulfillmentType", "Only scheduled deliveries have dates", status=422)
    days = available_days(call.world.now().date())
    return Answer(
        {
            "shipment_id": choice.shipment_id,
            "fulfillment_type": shipping.names_of(SCHEDULED),
            "available_dates": [_day(day) for day in days],
            "delivery_windows": [_window(call.world.merchant(cart.store).currency, days)],
        }
    )


def available_days(today: date) -> list[date]:
    """The days to deliver on: from the third day on, not on Sundays."""
    days = (today + timedelta(days=FIRST_DAY + ahead) for ahead in range(DAYS))
    return [day for day in days if day.isoweekday() != 7]


def _choice(cart: Cart, shipment_id: str) -> Choice:
    choice = next((choice for choice in cart.choices if choice.shipment_id == shipment_id), None)
    if choice is None:
        raise Refusal("ErrorShipmentNotFound", f"No shipment '{shipment_id}' in this cart")
    return choice


def _location(call: Call, store: str, body: Json) -> str:
    location_id = text_field(body, "location_id")
    if location_id not in {location.id for location in call.world.catalog.merchant(store).locations}:
        raise Refusal("ErrorLocationNotFound", f"No location '{location_id}'")
    return location_id


def _optional(body: dict[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else text_field(body, name)


def _check_day(call: Call, choice: Choice, day: str) -> None:
    if choice.fulfillment_type != SCHEDULED:
        raise Refusal("ErrorInvalidInputBody", "selected_date is for scheduled deliveries")
    if day not in {each.isoformat() for each in available_days(call.world.now().date())}:
        raise Refusal("ErrorInvalidInputBody", f"selected_date '{day}' is not available")


def _day(day: date) -> Json:
    slots = [
        {"slot_id": id_, "start_time": start, "end_time": end, "description": name, "available": day.isoweekday() != 6}
        for id_, start, end, name in SLOTS
    ]
    return {"date": day.isoformat(), "description": day.strftime("%A"), "time_slots": slots}


def _window(currency: str, days: list[date]) -> Json:
    return {
        "window_id": "standard",
        "name": "Standard window",
        "description": "Any of the days",
        "price": money(shipping.SCHEDULED_METHODS[0].cents, currency),
        "date_range": {"start_date": days[0].isoformat(), "end_date": days[-1].isoformat()},
    }
