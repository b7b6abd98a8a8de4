"""The v2 cart, "Full Cart": lines, checkout, promotions, shipments and addons (contract 5.4 to 5.8)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from firmly_mcp.simulator import carts
from firmly_mcp.simulator.answers import Answer, Json, Refusal, money
from firmly_mcp.simulator.calls import Call, are_strings, text_field
from firmly_mcp.simulator.carts import Cart, Choice, Line, Selection
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, Addon
from firmly_mcp.simulator.pricing import SCHEDULED_METHODS, fulfillment_types
from firmly_mcp.simulator.views import fulfillment_view

MAX_CODES = 10
PICKUP_IDS = {"PICKUP_IN_STORE", "IN_STORE_PICKUP"}  # C-3
FIRST_DAY, DAYS = 3, 12
SLOTS = (("am", "08:00", "12:00", "Morning"), ("pm", "12:00", "18:00", "Afternoon"))


def get_cart(call: Call) -> Answer:
    """Show the cart; one that was never filled is empty (U-6)."""
    if call.world.carts.current(call.device.device_id, call.store) is None:
        call.new_or_open_cart()
    return Answer(call.world.view(call.cart()))


def add_line_item(call: Call) -> Answer:
    """Add a variant; the first add makes the cart, and the first after an order a new one."""
    store, body = call.store, call.json()
    ref, quantity = read_ref(body.get("add_to_cart_ref")), read_quantity(body.get("quantity"), least=1)
    product, variant = call.world.catalog.shelf(store).of_ref(ref)
    return Answer(call.world.view(add(call, product, variant, quantity)))


def add(call: Call, product: Product, variant: Variant, quantity: int) -> Cart:
    """Add a variant, with `flush_cart` to an emptied cart; its stock is checked before anything changes."""
    world, flush = call.world, call.flag("flush_cart")
    shown = world.carts.current(call.device.device_id, call.store)
    held = shown.line_of_sku(variant.sku) if shown and not flush and not shown.is_submitted(world.now()) else None
    call.check_stock(product, variant, quantity + (held.quantity if held else 0))
    cart = call.new_or_open_cart()
    if flush:
        cart.clear()
    cart.add(variant.sku, quantity, world.stock.price(cart.store, variant))
    world.save(cart)
    return cart


def update_line_item(call: Call) -> Answer:
    """Change a line's quantity; 0 removes it."""
    cart, body = call.open_cart(), call.json()
    line = next((line for line in cart.lines if line.line_item_id == call.params["line"]), None)
    if line is None:
        raise Refusal("ErrorLineItemNotFound", "This line item is not in the cart")
    set_quantity(call, cart, line, body.get("quantity"))
    return Answer(call.world.view(cart))


def set_quantity(call: Call, cart: Cart, line: Line, value: Any) -> None:
    """Change a line's quantity. A number that is no quantity is 422, anything else that is none 400."""
    fraction = isinstance(value, float) and not value.is_integer()
    if fraction or (isinstance(value, int | float) and value < 0):
        raise Refusal("InvalidQuantity", "quantity must be a whole number from 0")
    quantity = read_quantity(value, least=0)
    product, variant = call.world.catalog.shelf(cart.store).of_sku(line.sku)
    call.check_stock(product, variant, quantity)
    cart.set_quantity(line, quantity)
    call.world.save(cart)


def clear_cart(call: Call) -> Answer:
    """Empty the cart; it keeps its id and the shipping address (C-8)."""
    cart = call.new_or_open_cart()
    cart.clear()
    return call.saved(cart)


def read_ref(ref: Any) -> Json:
    """Return the `add_to_cart_ref` of a body."""
    if not isinstance(ref, dict):
        raise Refusal("ErrorInvalidInputBody", "add_to_cart_ref is required")
    text_field(ref, "variant_id")
    handles = ref.get("variant_handles")
    if handles is not None and not are_strings(handles):
        raise Refusal("ErrorInvalidInputBody", "variant_handles must be a list of strings")
    return ref


def read_quantity(value: Any, *, least: int) -> int:
    """Return a whole number from `least`; 22.0 is one too, as in any JSON number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Refusal("ErrorInvalidInputBody", f"quantity must be a whole number from {least}")
    return value


def set_shipping_info(call: Call) -> Answer:
    """Set the address of all shipments."""
    cart = call.open_cart()
    cart.shipping_info = read_address(call.json(), ships_to=call.world.merchant(cart.store).ships_to)
    return call.saved(cart)


def set_billing_info(call: Call) -> Answer:
    """Set the billing address; it changes no amount."""
    cart = call.open_cart()
    cart.billing_info = read_address(call.json())
    return call.saved(cart)


def set_promo_codes(call: Call) -> Answer:
    """Apply codes in the given order; bad codes among good ones are skipped (C-28)."""
    cart, codes = call.open_cart(), call.json().get("promo_codes")
    if not isinstance(codes, list) or not 1 <= len(codes) <= MAX_CODES:
        raise Refusal("ErrorInvalidInputBody", f"promo_codes must be a list of 1 to {MAX_CODES}")
    if not all(isinstance(code, str) and code.strip() for code in codes):
        raise Refusal("ErrorInvalidInputBody", "promo_codes must be strings")
    if not cart.lines:
        raise Refusal("ErrorCartEmpty", "The cart is empty")
    unique = list(dict.fromkeys(code.strip().upper() for code in codes))
    bad = dict(_bad_codes(call, cart, unique))
    if len(bad) == len(unique):
        raise bad[unique[0]]
    cart.coupons = [code for code in unique if code not in bad]
    return call.saved(cart)


def _bad_codes(call: Call, cart: Cart, codes: list[str]) -> Iterator[tuple[str, Refusal]]:
    priced = call.world.price(cart)
    for code in codes:
        promo = call.world.pricing.valid_promo(priced.merchant, code, call.world.now())
        if promo is None:
            yield code, Refusal("ErrorInvalidPromoCode", f"Promo code '{code}' is invalid or expired")
        elif not carts.promo_applies(promo, priced.lines):
            yield code, Refusal("ErrorPromoNotAvailable", f"Promo code '{code}' is not available for this cart")


def clear_promo_codes(call: Call) -> Answer:
    """Remove all codes, where the store allows it."""
    cart = call.open_cart()
    if not call.world.catalog.merchant(cart.store).clears_promos:
        raise Refusal("ErrorClearPromoCodeNotAllowed", "This merchant does not allow clearing promo codes")
    cart.coupons = []
    return call.saved(cart)


def set_fulfillment_type(call: Call) -> Answer:
    """Set a shipment to ship, deliver on a date, or be picked up; what belonged to the old type is cleared."""
    cart, body = call.open_cart(), call.json()
    choice = _choice(cart, body)
    wanted = text_field(body, "fulfillment_type")
    kind = PICKUP if wanted in PICKUP_IDS else wanted
    merchant = call.world.catalog.merchant(cart.store)
    if kind not in fulfillment_types(merchant, choice.freight):
        raise Refusal("ErrorInvalidFulfillmentType", f"Fulfillment type '{wanted}' is not available")
    location = text_field(body, "location_id") if kind == PICKUP else None
    if location is not None and location not in {place.id for place in merchant.locations}:
        raise Refusal("ErrorLocationNotFound", f"No location '{location}'")
    choice.fulfillment_type, choice.location_id = kind, location
    choice.method_id = choice.selected_date = None
    return call.saved(cart)


def set_shipping_method(call: Call) -> Answer:
    """Set how a shipment is sent, with notes, and the day of a scheduled delivery."""
    cart, body = call.open_cart(), call.json()
    choice, method_id = _choice(cart, body), text_field(body, "shipping_method_id")
    options = next(s.options for s in call.world.price(cart).shipments if s.choice is choice)
    if method_id not in {method.id for method in options}:
        raise Refusal("ErrorInvalidShippingMethod", f"Shipping method '{method_id}' is not available")
    notes, day = (None if body.get(name) is None else text_field(body, name) for name in ("notes", "selected_date"))
    if day is not None and choice.fulfillment_type != SCHEDULED:
        raise Refusal("ErrorInvalidInputBody", "selected_date is for scheduled deliveries")
    if day is not None and day not in {each.isoformat() for each in _available_days(call)}:
        raise Refusal("ErrorInvalidInputBody", f"selected_date '{day}' is not available")
    choice.method_id = method_id
    choice.notes = choice.notes if notes is None else notes
    choice.selected_date = choice.selected_date if day is None else day
    return call.saved(cart)


def other_shipping_method(call: Call) -> Answer:
    """Refuse the path that another client uses for it (C-4)."""
    raise Refusal("RouteNotFound", f"No route {call.path} on this host")


def get_availability(call: Call) -> Answer:
    """Return the days of a scheduled delivery."""
    cart = call.cart()
    choice = _choice(cart, call.json())
    if choice.fulfillment_type != SCHEDULED:
        raise Refusal("ErrorInvalidFulfillmentType", "Only scheduled deliveries have dates", status=422)
    days = _available_days(call)
    window = {
        "window_id": "standard",
        "name": "Standard window",
        "description": "Any of the days",
        "price": money(SCHEDULED_METHODS[0].cents, call.world.merchant(cart.store).currency),
        "date_range": {"start_date": days[0].isoformat(), "end_date": days[-1].isoformat()},
    }
    return Answer(
        {
            "shipment_id": choice.shipment_id,
            "fulfillment_type": fulfillment_view(SCHEDULED),
            "available_dates": [_day(day) for day in days],
            "delivery_windows": [window],
        }
    )


def _available_days(call: Call) -> list[date]:
    """Return the days to deliver on: from the third day on, not on Sundays."""
    today = call.world.now().date()
    days = (today + timedelta(days=FIRST_DAY + ahead) for ahead in range(DAYS))
    return [day for day in days if day.isoweekday() != 7]


def _day(day: date) -> Json:
    slots = [
        {"slot_id": id_, "start_time": start, "end_time": end, "description": name, "available": day.isoweekday() != 6}
        for id_, start, end, name in SLOTS
    ]
    return {"date": day.isoformat(), "description": day.strftime("%A"), "time_slots": slots}


def _choice(cart: Cart, body: Json) -> Choice:
    shipment_id = text_field(body, "shipment_id")
    choice = next((choice for choice in cart.choices if choice.shipment_id == shipment_id), None)
    if choice is None:
        raise Refusal("ErrorShipmentNotFound", f"No shipment '{shipment_id}' in this cart")
    return choice


def add_addon(call: Call) -> Answer:
    """Select one addon, for all lines that it can cover or for some, with some of its children."""
    cart, selections = call.open_cart(), call.json().get("selections")
    if not isinstance(selections, list) or len(selections) != 1 or not isinstance(selections[0], dict):
        raise Refusal("ErrorInvalidInputBody", "selections must hold exactly one object")
    [body] = selections
    lines = call.world.price(cart).lines
    offered = {addon.id: addon for addon in carts.offered_addons(call.world.catalog.merchant(cart.store), lines)}
    addon = offered.get(text_field(body, "addon_id"))
    if addon is None:
        raise Refusal("ErrorAddonNotFound", f"No addon '{body['addon_id']}' is offered")
    eligible = [line.id for line in carts.eligible_lines(addon, lines)]
    line_ids = _among(body, "selected_line_item_ids", eligible)
    child_ids = _among(body, "selected_child_ids", [child.id for child in addon.children])
    rivals = {other.id for other in offered.values() if addon.choice and other.choice == addon.choice} - {addon.id}
    cart.selections = [selection for selection in cart.selections if selection.addon_id not in rivals]
    _select(cart, addon, line_ids or eligible, child_ids)
    return call.saved(cart)


def _select(cart: Cart, addon: Addon, line_ids: list[str], child_ids: list[str]) -> None:
    selection = next((selection for selection in cart.selections if selection.addon_id == addon.id), None)
    if selection is None:
        selection = Selection(addon.id)
        cart.selections.append(selection)
    selection.line_item_ids = list(dict.fromkeys((*selection.line_item_ids, *line_ids)))
    selection.child_ids = list(dict.fromkeys((*selection.child_ids, *child_ids)))


def _among(body: Json, name: str, known: list[str]) -> list[str]:
    wanted: list[str] = body.get(name) or []
    if not are_strings(wanted):
        raise Refusal("ErrorInvalidInputBody", f"{name} must be a list of strings")
    wrong = [item for item in wanted if item not in known]
    if wrong:
        raise Refusal("ErrorInvalidAddon", f"{name}: not possible for {', '.join(wrong)}")
    return wanted


def remove_addon(call: Call) -> Answer:
    """Remove an addon: all of it, one line's, or one child."""
    cart, body = call.open_cart(), call.json()
    addon_id = text_field(body, "addon_id")
    selection = next((selection for selection in cart.selections if selection.addon_id == addon_id), None)
    if selection is None:
        raise Refusal("ErrorAddonNotFound", f"Addon '{addon_id}' is not selected", status=422)
    line_id, child_id = body.get("deselected_line_item_id"), body.get("deselected_child_id")
    for ids, one, what in ((selection.line_item_ids, line_id, "line item"), (selection.child_ids, child_id, "child")):
        if one is not None and one not in ids:
            raise Refusal("ErrorAddonNotFound", f"The addon is not selected for this {what}", status=422)
        if one is not None:
            ids.remove(one)
    if (line_id is None and child_id is None) or not selection.line_item_ids:
        cart.selections.remove(selection)
    return call.saved(cart)
