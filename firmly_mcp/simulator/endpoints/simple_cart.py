"""Cart v1, "Simple Cart" (contract 5.9): the same cart as v2's, addressed by sku and shown flat."""

import json
import re
from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.endpoints.cart import check_stock, put_in, read_new_quantity
from firmly_mcp.simulator.geography import SIMPLE_REQUIRED, read_address
from firmly_mcp.simulator.views import simple_cart

WHOLE = re.compile(r"[1-9][0-9]{0,8}")


def get_cart(call: Call) -> Answer:
    """The cart; an empty one if nothing was added."""
    return _shown(call, call.world.carts.current(call.device.device_id, call.store) or _opened(call))


def add_item(call: Call) -> Answer:
    """Put a variant in by its sku. `fast_mode` changes nothing here."""
    store, text = call.store, call.params["quantity"]
    if not WHOLE.fullmatch(text):
        raise Refusal("ErrorInvalidInputBody", "quantity must be a whole number from 1")
    _check_handles(call)
    product, variant = call.world.catalog.shelf(store).of_sku(call.params["sku"])
    return _shown(call, put_in(call, store, variant, int(text), product))


def update_item(call: Call) -> Answer:
    """Change a line's quantity; 0 removes it."""
    cart, body = call.open_cart(), call.json()
    line = cart.line_of_sku(call.params["sku"])
    if line is None:
        raise Refusal("ErrorLineItemNotFound", "This sku is not in the cart")
    quantity = read_new_quantity(body.get("quantity"))
    product, variant = call.world.catalog.shelf(cart.store).of_sku(line.sku)
    check_stock(call, cart.store, variant, quantity, product)
    cart.set_quantity(line, quantity)
    call.world.changed(cart)
    return _shown(call, cart)


def clear_cart(call: Call) -> Answer:
    """Empty the cart, with its address and codes (C-8)."""
    cart = _opened(call)
    cart.clear(shipping=True)
    call.world.changed(cart)
    return _shown(call, cart)


def set_shipping_info(call: Call) -> Answer:
    """Where it goes; the phone may be missing and the country a name (C-9)."""
    cart = call.open_cart()
    ships_to = call.world.merchant(cart.store).ships_to
    cart.shipping_info = read_address(call.json(), required=SIMPLE_REQUIRED, ships_to=ships_to)
    call.world.changed(cart)
    return _shown(call, cart)


def set_shipping_method(call: Call) -> Answer:
    """One method for the whole order."""
    cart = call.open_cart()
    wanted = text_field(call.json(), "shipping_method")
    if cart.shipping_info is None:
        raise Refusal("ErrorMissingRequiredParameters", "Shipping information must be set first")
    shipments = call.world.priced(cart).shipments
    fitting = [shipment for shipment in shipments if wanted in {method.id for method in shipment.options}]
    if not fitting:
        raise Refusal("ErrorInvalidShippingMethod", f"Shipping method '{wanted}' is not available")
    for shipment in fitting:
        shipment.choice.method_id = wanted
    call.world.changed(cart)
    return _shown(call, cart)


def _opened(call: Call) -> Cart:
    return call.world.carts.open(call.device.device_id, call.store, call.world.now())


def _shown(call: Call, cart: Cart) -> Answer:
    return Answer(simple_cart(call.world.view(cart)))


def _check_handles(call: Call) -> None:
    """The body may be left out; if it is there, `variant_handles` must be a list."""
    if not call.body.strip():
        return
    try:
        body: Any = json.loads(call.body)
    except (ValueError, RecursionError):
        raise Refusal("ErrorInvalidInputBody", "The body is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("variant_handles", []), list):
        raise Refusal("ErrorInvalidInputBody", "variant_handles must be a list")
