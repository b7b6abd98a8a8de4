"""Checkout v2 (contract 5.6)."""

from firmly_mcp.simulator.addresses import read_address
from firmly_mcp.simulator.answers import Answer
from firmly_mcp.simulator.calls import Call


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
