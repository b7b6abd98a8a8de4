"""Orders (contract 5.12)."""

from firmly_mcp.simulator.answers import Answer
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.tracking import tracked


def get_order_status(call: Call) -> Answer:
    """How far an order has come by now."""
    order = call.world.orders.find(call.store, call.params["order"])
    merchant = call.world.catalog.merchant(order.store)
    return Answer(tracked(order, call.world.now(), returns=merchant.returns_first_line))
