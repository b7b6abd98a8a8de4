"""Cart management v2, "Full Cart" (contract 5.4)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from firmly_mcp.simulator.answers import Answer, Json, Refusal, money
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart, Choice, Selection, eligible_lines, offered_addons, promo_applies
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, Addon
from firmly_mcp.simulator.pricing import SCHEDULED_METHODS, fulfillment_types, fulfillment_view


def get_cart(call: Call) -> Answer:
    """The cart; one that was never filled is empty (U-6)."""
    store = call.store
    cart = call.world.carts.current(call.device.device_id, store)
    if cart is not None and cart.is_gone(call.world.now()):
        raise Refusal("ErrorCartNotFound", f"No cart at {store}")
    if cart is None:
        cart = call.world.carts.open(call.device.device_id, store, call.world.now())
    return Answer(call.world.view(cart))


def add_line_item(call: Call) -> Answer:
    """Put a variant in; the first add makes the cart, and the first after an order a new one."""
    store, body = call.store, call.json()
    ref = read_ref(body.get("add_to_cart_ref"))
    quantity = read_quantity(body.get("quantity"), least=1)
    return Answer(call.world.view(add(call, store, ref, quantity)))


def add(call: Call, store: str, ref: dict[str, Any], quantity: int) -> Cart:
    """Check and put in, with `flush_cart` as the query says."""
    world = call.world
    product, variant = world.catalog.shelf(store).of_ref(ref)
    return put_in(call, store, variant, quantity, product)


def put_in(call: Call, store: str, variant: Variant, quantity: int, product: Product) -> Cart:
    """The same for a variant that is known; stock is checked before anything changes."""
    world = call.world
    held = world.carts.current(call.device.device_id, store)
    flush = call.flag("flush_cart")
    here = held.line_of_sku(variant.sku) if held and not flush and not held.is_submitted(world.now()) else None
    check_stock(call, store, variant, quantity + (here.quantity if here else 0), product)
    cart = world.carts.open(call.device.device_id, store, world.now())
    if flush:
        cart.clear()
    cart.add(variant.sku, quantity, world.stock.price(store, variant))
    world.changed(cart)
    return cart


def update_line_item(call: Call) -> Answer:
    """Change a line's quantity; 0 removes it."""
    cart, body = call.open_cart(), call.json()
    line = next((line for line in cart.lines if line.line_item_id == call.params["line"]), None)
    if line is None:
        raise Refusal("ErrorLineItemNotFound", "This line item is not in the cart")
    quantity = read_new_quantity(body.get("quantity"))
    product, variant = call.world.catalog.shelf(cart.store).of_sku(line.sku)
    check_stock(call, cart.store, variant, quantity, product)
    cart.set_quantity(line, quantity)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def clear_cart(call: Call) -> Answer:
    """Empty the cart; it keeps its id and the shipping address (C-8)."""
    cart = call.world.carts.open(call.device.device_id, call.store, call.world.now())
    cart.clear()
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def read_ref(ref: Any) -> dict[str, Any]:
    """The `add_to_cart_ref` of a body."""
    if not isinstance(ref, dict):
        raise Refusal("ErrorInvalidInputBody", "add_to_cart_ref is required")
    text_field(ref, "variant_id")
    handles = ref.get("variant_handles")
    if handles is not None and not (isinstance(handles, list) and all(isinstance(item, str) for item in handles)):
        raise Refusal("ErrorInvalidInputBody", "variant_handles must be a list of strings")
    return ref


def read_quantity(value: Any, *, least: int) -> int:
    """A whole number from `least`; 22.0 is one too, as in any JSON number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Refusal("ErrorInvalidInputBody", f"quantity must be a whole number from {least}")
    return value


def read_new_quantity(value: Any) -> int:
    """A line's new quantity: a number that makes no sense is 422, anything else 400."""
    fraction = isinstance(value, float) and not value.is_integer()
    if fraction or (isinstance(value, int | float) and value < 0):
        raise Refusal("InvalidQuantity", "quantity must be a whole number from 0")
    return read_quantity(value, least=0)


def check_stock(call: Call, store: str, variant: Variant, wanted: int, product: Product) -> None:
    """`ErrorNotEnoughStock` if the store has fewer."""
    left = call.world.stock.left(store, variant)
    if wanted > left:
        raise Refusal("ErrorNotEnoughStock", f"Only {left} of {product.title} left")


def set_shipping_info(call: Call) -> Answer:
    """Where all shipments go; shipping, tax and total are worked out anew."""
    cart = call.open_cart()
    cart.shipping_info = read_address(call.json(), ships_to=call.world.merchant(cart.store).ships_to)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def set_billing_info(call: Call) -> Answer:
    """Who is billed, if not who it is sent to; changes no amount."""
    cart = call.open_cart()
    cart.billing_info = read_address(call.json())
    call.world.changed(cart)
    return Answer(call.world.view(cart))


MOST = 10


def set_promo_codes(call: Call) -> Answer:
    """Apply codes in the given order; several of which one is good are taken without the bad ones (C-28)."""
    cart, codes = call.open_cart(), _codes(call)
    if not cart.lines:
        raise Refusal("ErrorCartEmpty", "The cart is empty")
    refusals = [refusal for refusal in _refusals(call, cart, codes) if refusal is not None]
    if len(refusals) == len(codes):
        raise refusals[0]
    cart.coupons = [code for code, refusal in zip(codes, _refusals(call, cart, codes), strict=True) if refusal is None]
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def clear_promo_codes(call: Call) -> Answer:
    """Take all codes off, where the store lets one."""
    cart = call.open_cart()
    if not call.world.catalog.merchant(cart.store).clears_promos:
        raise Refusal("ErrorClearPromoCodeNotAllowed", "This merchant does not allow clearing promo codes")
    cart.coupons = []
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def _codes(call: Call) -> list[str]:
    codes = call.json().get("promo_codes")
    if not isinstance(codes, list) or not 1 <= len(codes) <= MOST:
        raise Refusal("ErrorInvalidInputBody", f"promo_codes must be a list of 1 to {MOST}")
    if not all(isinstance(code, str) and code.strip() for code in codes):
        raise Refusal("ErrorInvalidInputBody", "promo_codes must be strings")
    return list(dict.fromkeys(code.strip().upper() for code in codes))


def _refusals(call: Call, cart: Cart, codes: list[str]) -> Iterator[Refusal | None]:
    world = call.world
    priced = world.priced(cart)
    for code in codes:
        promo = world.till.valid_promo(priced.merchant, code, world.now())
        if promo is None:
            yield Refusal("ErrorInvalidPromoCode", f"Promo code '{code}' is invalid or expired")
        elif not promo_applies(promo, priced.lines):
            yield Refusal("ErrorPromoNotAvailable", f"Promo code '{code}' is not available for this cart")
        else:
            yield None


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
    if kind not in fulfillment_types(merchant, choice.freight):
        raise Refusal("ErrorInvalidFulfillmentType", f"Fulfillment type '{wanted}' is not available")
    location = _location(call, cart.store, body) if kind == PICKUP else None
    choice.fulfillment_type, choice.location_id = kind, location
    choice.method_id = choice.selected_date = None
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def set_shipping_method(call: Call) -> Answer:
    """Choose how a shipment travels, with notes, and the day of a scheduled delivery."""
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


def other_shipping_method(call: Call) -> Answer:
    """Refuse the path that another client uses for it (C-4)."""
    raise Refusal("RouteNotFound", f"No route {call.path} on this host")


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
            "fulfillment_type": fulfillment_view(SCHEDULED),
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
        "price": money(SCHEDULED_METHODS[0].cents, currency),
        "date_range": {"start_date": days[0].isoformat(), "end_date": days[-1].isoformat()},
    }


def add_addon(call: Call) -> Answer:
    """Choose one addon, for all lines it can cover or for some, with some of its children."""
    cart, wish = call.open_cart(), _wish(call)
    lines = call.world.priced(cart).lines
    offered = {addon.id: addon for addon in offered_addons(call.world.catalog.merchant(cart.store), lines)}
    addon = offered.get(text_field(wish, "addon_id"))
    if addon is None:
        raise Refusal("ErrorAddonNotFound", f"No addon '{wish['addon_id']}' is offered")
    able = [line.line.line_item_id for line in eligible_lines(addon, lines)]
    line_ids = _among(wish, "selected_line_item_ids", able)
    child_ids = _among(wish, "selected_child_ids", [child.id for child in addon.children])
    _choose(cart, addon, line_ids or able, child_ids, offered)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def remove_addon(call: Call) -> Answer:
    """Give up an addon: all of it, one line's, or one child."""
    cart, body = call.open_cart(), call.json()
    addon_id = text_field(body, "addon_id")
    selection = next((picked for picked in cart.selections if picked.addon_id == addon_id), None)
    if selection is None:
        raise Refusal("ErrorAddonNotFound", f"Addon '{addon_id}' is not selected", status=422)
    line_id, child_id = body.get("deselected_line_item_id"), body.get("deselected_child_id")
    if line_id is not None:
        _give_up(selection.line_item_ids, line_id, "line item")
    if child_id is not None:
        _give_up(selection.child_ids, child_id, "child")
    if (line_id is None and child_id is None) or not selection.line_item_ids:
        cart.selections.remove(selection)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def _wish(call: Call) -> dict[str, Any]:
    selections = call.json().get("selections")
    if not isinstance(selections, list) or len(selections) != 1 or not isinstance(selections[0], dict):
        raise Refusal("ErrorInvalidInputBody", "selections must hold exactly one object")
    wish: dict[str, Any] = selections[0]
    return wish


def _among(wish: dict[str, Any], name: str, known: list[str]) -> list[str]:
    wanted = wish.get(name) or []
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise Refusal("ErrorInvalidInputBody", f"{name} must be a list of strings")
    wrong = [item for item in wanted if item not in known]
    if wrong:
        raise Refusal("ErrorInvalidAddon", f"{name}: not possible for {', '.join(wrong)}")
    return wanted


def _choose(cart: Cart, addon: Addon, line_ids: list[str], child_ids: list[str], offered: dict[str, Addon]) -> None:
    rivals = {other.id for other in offered.values() if addon.choice and other.choice == addon.choice} - {addon.id}
    cart.selections = [picked for picked in cart.selections if picked.addon_id not in rivals]
    selection = next((picked for picked in cart.selections if picked.addon_id == addon.id), None)
    if selection is None:
        selection = Selection(addon.id)
        cart.selections.append(selection)
    selection.line_item_ids = list(dict.fromkeys((*selection.line_item_ids, *line_ids)))
    selection.child_ids = list(dict.fromkeys((*selection.child_ids, *child_ids)))


def _give_up(held: list[str], one: Any, what: str) -> None:
    if one not in held:
        raise Refusal("ErrorAddonNotFound", f"The addon is not selected for this {what}", status=422)
    held.remove(one)
