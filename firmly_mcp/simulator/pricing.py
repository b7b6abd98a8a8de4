"""What a cart costs now, and how each of its shipments can be sent.

total = sub_total - cart_discount + shipping_total + tax_total + addon_total, in integers of cents. `sub_total` is the
sum of the lines before discounts; tax is on the discounted goods, and only once the cart has an address. The cheapest
shipping method comes first and is the default.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from firmly_mcp.simulator import carts
from firmly_mcp.simulator.answers import Json, new_id
from firmly_mcp.simulator.carts import Cart, Choice, Line, PricedLine, Selection
from firmly_mcp.simulator.catalog import Catalog
from firmly_mcp.simulator.geography import FAR_AWAY, country_of_postal_code, sales_tax
from firmly_mcp.simulator.ledger import AllTerms, Stock
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, SHIP, Addon, Merchant, Method, Promo

FAR_STATE = 1_000
OTHER_COUNTRY = 1_500
SCHEDULED_METHODS = (
    Method("SCHEDULED_DAY", "Scheduled, 8:00 to 18:00", 2_500, "On the day you choose"),
    Method("SCHEDULED_EVENING", "Scheduled, evening", 3_900, "On the evening you choose"),
)
PICKUP_METHODS = (Method("PICKUP", "Pickup in store", 0, "Ready in 2 hours"),)
BLOCKS = frozenset({"ITEM_OUT_OF_STOCK", "PROMO_EXPIRED", "SHIPPING_NOT_AVAILABLE"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a cart goes; `state` is empty when only a postal code is known."""

    country: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class ShippingRates:
    """What changes the price of shipping: a promotion, the worth of the goods in cents, the store's own addition."""

    free: bool
    goods: int
    added: int


@dataclass(frozen=True, slots=True)
class PricedShipment:
    """A shipment with its lines and its methods, cheapest first. `method` is the chosen one, or the cheapest."""

    choice: Choice
    lines: tuple[PricedLine, ...]
    types: tuple[str, ...]
    options: tuple[Method, ...]
    method: Method | None


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A cart with everything that is computed about it; amounts in cents."""

    cart: Cart
    merchant: Merchant
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
        """`active`, or what prevents an order."""
        codes = {code for code, _ in self.notices}
        if "ITEM_NOT_SHIPPABLE" in codes:
            return "item_not_shippable"
        return "checkout_blocked" if codes & BLOCKS else "active"


class Pricing:
    """Prices carts with all that may change under them: prices, stock, a store's terms, the clock."""

    def __init__(self, catalog: Catalog, stock: Stock, terms: AllTerms) -> None:
        self._catalog = catalog
        self._stock = stock
        self._terms = terms

    def price(self, cart: Cart, postal_code: str, now: datetime) -> PricedCart:
        """Price the cart at this moment; `postal_code` is the device's, or empty."""
        merchant, terms = self._terms.merchant(self._catalog.merchant(cart.store)), self._terms.of(cart.store)
        lines = self._lines(cart)
        valid = (self.valid_promo(merchant, code, now) for code in cart.coupons)
        promos = tuple(promo for promo in valid if promo is not None and carts.promo_applies(promo, lines))
        sub_total, discount = sum(line.line_price for line in lines), carts.cart_discount(promos, lines)
        to = _destination(cart, postal_code)
        rates = ShippingRates(any(promo.free_shipping for promo in promos), sub_total - discount, terms.shipping_added)
        shipments = tuple(_priced_shipment(choice, lines, merchant, to, rates) for choice in cart.choices)
        selections = tuple(carts.chosen_addons(cart, merchant, lines))
        return PricedCart(
            cart=cart,
            merchant=merchant,
            lines=lines,
            shipments=shipments,
            promos=promos,
            selections=selections,
            sub_total=sub_total,
            discount=discount,
            shipping=sum(shipment.method.cents for shipment in shipments if shipment.method),
            tax=_tax(sub_total - discount, cart.shipping_info, terms.tax_added),
            addons=sum(carts.selection_cents(addon, selection, lines) for addon, selection in selections),
            notices=(
                *_line_notices(merchant, shipments, to),
                *self._promo_notices(cart, merchant, promos, now),
                *_shipment_notices(shipments, to),
            ),
        )

    def valid_promo(self, merchant: Merchant, code: str, now: datetime) -> Promo | None:
        """Return the promotion of this code in any case, if the store has it and it has not ended."""
        promo = next((promo for promo in merchant.promos if promo.code == code.strip().upper()), None)
        if promo is None or promo.code in self._terms.of(merchant.domain).promos_ended:
            return None
        return promo if promo.expires is None or now < promo.expires else None

    def arrange(self, cart: Cart) -> None:
        """Group the lines into shipments. This is done at each change of a cart, so that shipment ids last."""
        groups = {line.product.freight for line in self._lines(cart)}
        cart.choices = [choice for choice in cart.choices if choice.freight in groups]
        for freight in sorted(groups - {choice.freight for choice in cart.choices}):
            first = fulfillment_types(self._catalog.merchant(cart.store), freight)[0]
            cart.choices.append(Choice(new_id("ship"), freight, first))

    def _lines(self, cart: Cart) -> tuple[PricedLine, ...]:
        return tuple(self._line(cart.store, line) for line in cart.lines)

    def _line(self, store: str, line: Line) -> PricedLine:
        product, variant = self._catalog.shelf(store).of_sku(line.sku)
        return PricedLine(line, product, variant, self._stock.price(store, variant), self._stock.left(store, variant))

    def _promo_notices(
        self, cart: Cart, merchant: Merchant, promos: tuple[Promo, ...], now: datetime
    ) -> Iterator[tuple[str, str]]:
        applied = {promo.code for promo in promos}
        for code in cart.coupons:
            if self.valid_promo(merchant, code, now) is None:
                yield "PROMO_EXPIRED", f"{code} has expired"
            elif code not in applied:
                yield "PROMO_NOT_APPLICABLE", f"{code} does not apply to this cart"


def fulfillment_types(merchant: Merchant, freight: bool) -> tuple[str, ...]:
    """Return the types that can be set on a shipment."""
    if freight:
        return merchant.freight_types
    return (SHIP, PICKUP) if merchant.locations else (SHIP,)


def _tax(goods: int, address: Json | None, added: int) -> int:
    return 0 if address is None else sales_tax(goods, address["country"], address["state_or_province"], added)


def _destination(cart: Cart, postal_code: str) -> Destination | None:
    """Return the destination by the cart's address, else by the device's postal code."""
    if cart.shipping_info is not None:
        return Destination(cart.shipping_info["country"], cart.shipping_info["state_or_province"])
    country = country_of_postal_code(postal_code)
    return None if country is None else Destination(country)


def _priced_shipment(
    choice: Choice, lines: Sequence[PricedLine], merchant: Merchant, to: Destination | None, rates: ShippingRates
) -> PricedShipment:
    """Return a shipment with its methods; it has none before the destination is known."""
    methods = merchant.freight_methods if choice.freight else merchant.methods
    methods = {SCHEDULED: SCHEDULED_METHODS, PICKUP: PICKUP_METHODS}.get(choice.fulfillment_type, methods)
    options: tuple[Method, ...] = ()
    if to is not None:
        possible = (method for method in methods if to.country == merchant.home or not method.home_only)
        priced = [_priced_method(method, merchant, to, rates) for method in possible]
        options = tuple(sorted(priced, key=lambda method: method.cents))
    chosen = next((method for method in options if method.id == choice.method_id), options[0] if options else None)
    mine = tuple(line for line in lines if line.product.freight == choice.freight)
    return PricedShipment(choice, mine, fulfillment_types(merchant, choice.freight), options, chosen)


def _priced_method(method: Method, merchant: Merchant, to: Destination, rates: ShippingRates) -> Method:
    at_home = to.country == merchant.home
    far = at_home and to.state in FAR_AWAY
    free = method.free_over is not None and (rates.free or rates.goods >= method.free_over)
    if method in PICKUP_METHODS or (at_home and not far and free):
        return replace(method, cents=0)
    surcharge = FAR_STATE if far else 0 if at_home else OTHER_COUNTRY
    return replace(method, cents=method.cents + surcharge + rates.added)


def _line_notices(
    merchant: Merchant, shipments: Sequence[PricedShipment], to: Destination | None
) -> Iterator[tuple[str, str]]:
    for shipment in shipments:
        goal = None if shipment.choice.fulfillment_type == PICKUP else to
        for line in shipment.lines:
            name, excluded = line.product.title, line.product.states_excluded
            if goal is not None and (goal.country not in merchant.ships_to or goal.state in excluded):
                yield "ITEM_NOT_SHIPPABLE", f"{name} cannot be shipped to this address"
            if line.left < line.line.quantity:
                yield "ITEM_OUT_OF_STOCK", f"Only {line.left} of {name} left"
            if line.price > line.line.added_price:
                yield "PRICE_INCREASED", f"The price of {name} has increased"


def _shipment_notices(shipments: Sequence[PricedShipment], to: Destination | None) -> Iterator[tuple[str, str]]:
    if to is not None and any(not shipment.options for shipment in shipments):
        yield "SHIPPING_NOT_AVAILABLE", "Nothing ships to this address"
