"""What a cart costs now.

total = sub_total - cart_discount + shipping_total + tax_total + addon_total, in integers. `sub_total` is the sum of
the lines before discounts; tax is on the discounted goods and is there only once an address is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from firmly_mcp.simulator import addons, promotions, shipping
from firmly_mcp.simulator.carts import Cart, Line, Selection
from firmly_mcp.simulator.catalog import Catalog
from firmly_mcp.simulator.lines import PricedLine
from firmly_mcp.simulator.merchants import PICKUP, Addon, Merchant, Promo
from firmly_mcp.simulator.shipping import Destination, PricedShipment
from firmly_mcp.simulator.stock import Stock
from firmly_mcp.simulator.taxes import tax
from firmly_mcp.simulator.terms import AllTerms


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
        promos = tuple(promo for promo in valid if promo is not None and promotions.applies(promo, lines))
        sub_total = sum(line.line_price for line in lines)
        discount = promotions.cart_discount(promos, lines)
        to = shipping.destination(cart, postal_code)
        free = any(promo.free_shipping for promo in promos)
        added = self._terms.of(cart.store).shipping_added
        shipments = shipping.priced_shipments(
            cart, lines, merchant, to, shipping.Fares(free=free, goods=sub_total - discount, added=added)
        )
        selections = tuple(addons.chosen(cart, merchant, lines))
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
            addons=sum(addons.selection_cents(addon, selection, lines) for addon, selection in selections),
            notices=(
                *_line_notices(merchant, shipments, to),
                *self._promo_notices(cart, merchant, promos, now),
                *_shipment_notices(shipments, to),
            ),
        )

    def valid_promo(self, merchant: Merchant, code: str, now: datetime) -> Promo | None:
        """The promotion of this code, if the store has it and its time is not over."""
        promo = promotions.find(merchant, code)
        if (
            promo is None
            or promotions.expired(promo, now)
            or promo.code in self._terms.of(merchant.domain).promos_ended
        ):
            return None
        return promo

    def arrange(self, cart: Cart) -> None:
        """Group the lines into shipments; done whenever a cart changes, so that shipment ids last."""
        lines = tuple(self._line(cart.store, line) for line in cart.lines)
        shipping.arrange(cart, lines, self._catalog.merchant(cart.store))

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
            if goal is not None and not shipping.ships_to(merchant, line, goal):
                yield "ITEM_NOT_SHIPPABLE", f"{name} cannot be shipped to this address"
            if line.left < line.line.quantity:
                yield "ITEM_OUT_OF_STOCK", f"Only {line.left} of {name} left"
            if line.price > line.line.added_price:
                yield "PRICE_INCREASED", f"The price of {name} has increased"


def _shipment_notices(shipments: list[PricedShipment], to: Destination | None) -> Iterator[tuple[str, str]]:
    if to is not None and any(not shipment.options for shipment in shipments):
        yield "SHIPPING_NOT_AVAILABLE", "Nothing ships to this address"
