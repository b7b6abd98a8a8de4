"""How each shipment can travel and what that costs, by where it goes.

The cheapest way comes first and is the default.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from firmly_mcp.simulator.answers import Json, fresh
from firmly_mcp.simulator.carts import (
    Cart,
    Choice,
    Line,
    PricedLine,
    Selection,
    cart_discount,
    chosen_addons,
    find_promo,
    promo_applies,
    promo_expired,
    selection_cents,
)
from firmly_mcp.simulator.catalog import Catalog
from firmly_mcp.simulator.geography import FAR_AWAY, country_of_postal_code, tax
from firmly_mcp.simulator.ledger import AllTerms, Stock
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, SHIP, Addon, Merchant, Method, Promo

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


def arrange_shipments(cart: Cart, lines: Sequence[PricedLine], merchant: Merchant) -> None:
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


def fulfillment_view(fulfillment_type: str) -> Json:
    """A fulfillment type as a cart shows it."""
    name, description = {
        SHIP: ("Ship to Address", "Standard shipping"),
        SCHEDULED: ("Scheduled Delivery", "Delivery on a day you choose"),
        PICKUP: ("Pickup in Store", "Collect it yourself"),
    }[fulfillment_type]
    return {"id": fulfillment_type, "name": name, "description": description}


@dataclass(frozen=True, slots=True)
class Priced:
    """A cart with everything that is worked out about it; amounts in cents."""

    cart: Cart
    merchant: Merchant
    to: Destination | None
    lines: tuple[PricedLine, ...]
    shipments: tuple[PricedShipment, ...]
    promos: tuple[Promo, ...]
    selections: tuple[tuple[Addon, Selection], ...]
    sub_total: int
    discount: int
    shipping: int
    tax: int
    addons: int
    notices: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        """What would be charged."""
        return self.sub_total - self.discount + self.shipping + self.tax + self.addons

    @property
    def status(self) -> str:
        """`active`, or what stands in the way."""
        codes = {code for code, _ in self.notices}
        if "ITEM_NOT_SHIPPABLE" in codes:
            return "item_not_shippable"
        return (
            "checkout_blocked" if codes & {"ITEM_OUT_OF_STOCK", "PROMO_EXPIRED", "SHIPPING_NOT_AVAILABLE"} else "active"
        )


class Till:
    """Works out carts, with all that may change under them: prices, stock, a store's terms, the clock."""

    def __init__(self, catalog: Catalog, stock: Stock, terms: AllTerms) -> None:
        self._catalog = catalog
        self._stock = stock
        self._terms = terms

    def priced(self, cart: Cart, postal_code: str | None, now: datetime) -> Priced:
        """The cart at this moment."""
        merchant = self._terms.merchant(self._catalog.merchant(cart.store))
        lines = tuple(self._line(cart.store, line) for line in cart.lines)
        valid = (self.valid_promo(merchant, code, now) for code in cart.coupons)
        promos = tuple(promo for promo in valid if promo is not None and promo_applies(promo, lines))
        sub_total = sum(line.line_price for line in lines)
        discount = cart_discount(promos, lines)
        to = destination(cart, postal_code)
        free = any(promo.free_shipping for promo in promos)
        added = self._terms.of(cart.store).shipping_added
        shipments = priced_shipments(
            cart, lines, merchant, to, Fares(free=free, goods=sub_total - discount, added=added)
        )
        selections = tuple(chosen_addons(cart, merchant, lines))
        return Priced(
            cart=cart,
            merchant=merchant,
            to=to,
            lines=lines,
            shipments=tuple(shipments),
            promos=promos,
            selections=selections,
            sub_total=sub_total,
            discount=discount,
            shipping=sum(shipment.method.cents for shipment in shipments if shipment.method),
            tax=self._tax(cart, sub_total - discount),
            addons=sum(selection_cents(addon, selection, lines) for addon, selection in selections),
            notices=(
                *_line_notices(merchant, shipments, to),
                *self._promo_notices(cart, merchant, promos, now),
                *_shipment_notices(shipments, to),
            ),
        )

    def valid_promo(self, merchant: Merchant, code: str, now: datetime) -> Promo | None:
        """The promotion of this code, if the store has it and its time is not over."""
        promo = find_promo(merchant, code)
        if promo is None or promo_expired(promo, now) or promo.code in self._terms.of(merchant.domain).promos_ended:
            return None
        return promo

    def arrange(self, cart: Cart) -> None:
        """Group the lines into shipments; done whenever a cart changes, so that shipment ids last."""
        lines = tuple(self._line(cart.store, line) for line in cart.lines)
        arrange_shipments(cart, lines, self._catalog.merchant(cart.store))

    def _line(self, store: str, line: Line) -> PricedLine:
        product, variant = self._catalog.shelf(store).of_sku(line.sku)
        return PricedLine(line, product, variant, self._stock.price(store, variant), self._stock.left(store, variant))

    def _tax(self, cart: Cart, goods: int) -> int:
        if cart.shipping_info is None:
            return 0
        added = self._terms.of(cart.store).tax_added
        return tax(goods, cart.shipping_info["country"], cart.shipping_info["state_or_province"], added)

    def _promo_notices(
        self, cart: Cart, merchant: Merchant, promos: tuple[Promo, ...], now: datetime
    ) -> Iterator[tuple[str, str]]:
        applied = {promo.code for promo in promos}
        for code in cart.coupons:
            if self.valid_promo(merchant, code, now) is None:
                yield "PROMO_EXPIRED", f"{code} has expired"
            elif code not in applied:
                yield "PROMO_NOT_APPLICABLE", f"{code} does not apply to this cart"


def _line_notices(
    merchant: Merchant, shipments: list[PricedShipment], to: Destination | None
) -> Iterator[tuple[str, str]]:
    for shipment in shipments:
        goal = None if shipment.choice.fulfillment_type == PICKUP else to
        for line in shipment.lines:
            name = line.product.title
            if goal is not None and not ships_to(merchant, line, goal):
                yield "ITEM_NOT_SHIPPABLE", f"{name} cannot be shipped to this address"
            if line.left < line.line.quantity:
                yield "ITEM_OUT_OF_STOCK", f"Only {line.left} of {name} left"
            if line.price > line.line.added_price:
                yield "PRICE_INCREASED", f"The price of {name} has increased"


def _shipment_notices(shipments: list[PricedShipment], to: Destination | None) -> Iterator[tuple[str, str]]:
    if to is not None and any(not shipment.options for shipment in shipments):
        yield "SHIPPING_NOT_AVAILABLE", "Nothing ships to this address"
