"""How each shipment can travel and what that costs, by where it goes.

The cheapest way comes first and is the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firmly_mcp.simulator.carts import Cart, Choice
from firmly_mcp.simulator.cash import Json
from firmly_mcp.simulator.ids import fresh
from firmly_mcp.simulator.lines import PricedLine
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, SHIP, Merchant, Method
from firmly_mcp.simulator.places import FAR_AWAY, country_of_postal_code

FAR_STATE = 1_000
OTHER_COUNTRY = 1_500
SCHEDULED_METHODS = (
    Method("SCHEDULED_DAY", "Scheduled, 8:00 to 18:00", 2_500, "On the day you choose"),
    Method("SCHEDULED_EVENING", "Scheduled, evening", 3_900, "On the evening you choose"),
)
PICKUP_METHODS = (Method("PICKUP", "Pickup in store", 0, "Ready in 2 hours"),)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a cart goes, as far as it is known; `state` is empty when only a postal code is."""

    country: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Fares:
    """What moves the price of shipping: a promotion, the worth of the goods in cents, the store's own addition."""

    free: bool
    goods: int
    added: int = 0


@dataclass(frozen=True, slots=True)
class PricedShipment:
    """A shipment with its lines and its ways, cheapest first. `method` is the chosen one, or the cheapest."""

    choice: Choice
    lines: tuple[PricedLine, ...]
    types: tuple[str, ...]
    options: tuple[Method, ...]
    method: Method | None


def destination(cart: Cart, postal_code: str | None) -> Destination | None:
    """From the cart's address, else from the device's postal code."""
    if cart.shipping_info is not None:
        return Destination(cart.shipping_info["country"], cart.shipping_info["state_or_province"])
    country = country_of_postal_code(postal_code) if postal_code else None
    return None if country is None else Destination(country)


def arrange(cart: Cart, lines: Sequence[PricedLine], merchant: Merchant) -> None:
    """Give each group of lines that travel together its shipment, and drop shipments without lines."""
    groups = {line.product.freight for line in lines}
    cart.choices = [choice for choice in cart.choices if choice.freight in groups]
    for freight in sorted(groups - {choice.freight for choice in cart.choices}):
        first = fulfillment_types(merchant, freight)[0]
        cart.choices.append(Choice(fresh("ship"), freight, first))


def fulfillment_types(merchant: Merchant, freight: bool) -> tuple[str, ...]:
    """The types that can be set on a shipment."""
    if freight:
        return merchant.freight_types
    return (SHIP, PICKUP) if merchant.locations else (SHIP,)


def priced_shipments(
    cart: Cart, lines: Sequence[PricedLine], merchant: Merchant, to: Destination | None, fares: Fares
) -> list[PricedShipment]:
    """Every shipment with its ways to travel; none are known before a destination is."""
    shipments = []
    for choice in cart.choices:
        mine = tuple(line for line in lines if line.product.freight == choice.freight)
        options = _options(choice, merchant, to, fares)
        chosen = next((method for method in options if method.id == choice.method_id), options[0] if options else None)
        types = fulfillment_types(merchant, choice.freight)
        shipments.append(PricedShipment(choice, mine, types, options, chosen))
    return shipments


def ships_to(merchant: Merchant, line: PricedLine, to: Destination) -> bool:
    """Whether this product can go there."""
    return to.country in merchant.ships_to and to.state not in line.product.states_excluded


def methods_of(merchant: Merchant, freight: bool, fulfillment_type: str) -> tuple[Method, ...]:
    """The ways to travel of a fulfillment type."""
    if fulfillment_type == SCHEDULED:
        return SCHEDULED_METHODS
    if fulfillment_type == PICKUP:
        return PICKUP_METHODS
    return merchant.freight_methods if freight else merchant.methods


def _options(choice: Choice, merchant: Merchant, to: Destination | None, fares: Fares) -> tuple[Method, ...]:
    if to is None:
        return ()
    priced = [
        _priced(method, merchant, to, fares)
        for method in methods_of(merchant, choice.freight, choice.fulfillment_type)
        if to.country == merchant.home or not method.home_only
    ]
    return tuple(sorted(priced, key=lambda method: method.cents))


def _priced(method: Method, merchant: Merchant, to: Destination, fares: Fares) -> Method:
    at_home = to.country == merchant.home
    far = at_home and to.state in FAR_AWAY
    reached = method.free_over is not None and (fares.free or fares.goods >= method.free_over)
    if method in PICKUP_METHODS or (at_home and not far and reached):
        return replace(method, cents=0)
    surcharge = FAR_STATE if far else 0 if at_home else OTHER_COUNTRY
    return replace(method, cents=method.cents + surcharge + fares.added)


def names_of(fulfillment_type: str) -> Json:
    """A fulfillment type as a cart shows it."""
    name, description = {
        SHIP: ("Ship to Address", "Standard shipping"),
        SCHEDULED: ("Scheduled Delivery", "Delivery on a day you choose"),
        PICKUP: ("Pickup in Store", "Collect it yourself"),
    }[fulfillment_type]
    return {"id": fulfillment_type, "name": name, "description": description}
