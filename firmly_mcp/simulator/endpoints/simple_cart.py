"""The v1 cart, "Simple Cart" (contract 5.9): the same cart as v2's, addressed by sku and shown flat."""

import re

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.endpoints.cart import add, set_quantity
from firmly_mcp.simulator.geography import SIMPLE_REQUIRED, read_address
from firmly_mcp.simulator.views import simple_cart

QUANTITY = re.compile(r"[1-9][0-9]{0,8}")


def get_cart(call: Call) -> Answer:
    """Show the cart; an empty one if nothing was added."""
    return _shown(call, call.world.carts.current(call.device.device_id, call.store) or call.new_or_open_cart())


def add_item(call: Call) -> Answer:
    """Add a variant by its sku; the body may be left out. `fast_mode` changes nothing here."""
    store, quantity = call.store, call.params["quantity"]
    if not QUANTITY.fullmatch(quantity):
        raise Refusal("ErrorInvalidInputBody", "quantity must be a whole number from 1")
    body = call.any_json("ErrorInvalidInputBody") if call.body.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("variant_handles", []), list):
        raise Refusal("ErrorInvalidInputBody", "variant_handles must be a list")
    product, variant = call.world.catalog.shelf(store).of_sku(call.params["sku"])
    return _shown(call, add(call, product, variant, int(quantity)))


def update_item(call: Call) -> Answer:
    """Change a line's quantity; 0 removes it."""
    cart, body = call.open_cart(), call.json()
    line = cart.line_of_sku(call.params["sku"])
    if line is None:
        raise Refusal("ErrorLineItemNotFound", "This sku is not in the cart")
    set_quantity(call, cart, line, body.get("quantity"))
    return _shown(call, cart)


def clear_cart(call: Call) -> Answer:
    """Empty the cart, with its addresses and codes (C-8)."""
    cart = call.new_or_open_cart()
    cart.clear(addresses=True)
    return _saved(call, cart)


def set_shipping_info(call: Call) -> Answer:
    """Set the address; the phone may be missing and the country a name (C-9)."""
    cart = call.open_cart()
    ships_to = call.world.merchant(cart.store).ships_to
    cart.shipping_info = read_address(call.json(), required=SIMPLE_REQUIRED, ships_to=ships_to)
    return _saved(call, cart)


def set_shipping_method(call: Call) -> Answer:
    """Set one method for the whole order."""
    cart = call.open_cart()
    wanted = text_field(call.json(), "shipping_method")
    if cart.shipping_info is None:
        raise Refusal("ErrorMissingRequiredParameters", "Shipping information must be set first")
    shipments = call.world.price(cart).shipments
    fitting = [shipment for shipment in shipments if wanted in {method.id for method in shipment.options}]
    if not fitting:
        raise Refusal("ErrorInvalidShippingMethod", f"Shipping method '{wanted}' is not available")
    for shipment in fitting:
        shipment.choice.method_id = wanted
    return _saved(call, cart)


def _saved(call: Call, cart: Cart) -> Answer:
    call.world.save(cart)
    return _shown(call, cart)


def _shown(call: Call, cart: Cart) -> Answer:
    return Answer(simple_cart(call.world.view(cart)))
