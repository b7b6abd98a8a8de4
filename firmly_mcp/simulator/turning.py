"""Turns the world under a request: a price, stock, a store's terms, the key, the clock."""

from datetime import timedelta

from firmly_mcp.simulator.faults import Fault
from firmly_mcp.simulator.world import World


def turn(world: World, fault: Fault) -> None:
    """Do what a fault of the WORLD table says."""
    told = {name: value for name, value in fault.options.items() if name != "inside"}
    match fault.action:
        case "set-price":
            world.stock.set_price(told["store"], told["sku"], told["cents"])
        case "set-stock":
            world.stock.set_stock(told["store"], told["sku"], told["left"])
        case "change-terms":
            world.terms.change(told.pop("store"), **told)
        case "rotate-key":
            world.keys.rotate(same_kid=told.get("same_kid") is True)
        case "advance-clock":
            world.advance(timedelta(seconds=told["seconds"]))
