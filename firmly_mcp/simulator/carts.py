"""Carts, and what promotions and addons do to their lines.

A device has one cart at each store. A submitted cart is read-only, and the next add opens a new one. A cart keeps what
the shopper chose; prices, stock, shipping and tax are computed at each read, like a store that is asked in real time.
Only a submitted cart answers with what it was when the order was placed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from firmly_mcp.simulator.answers import Json, new_id, share
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.merchants import Addon, Merchant, Promo
from firmly_mcp.simulator.state import State


@dataclass(slots=True)
class Line:
    """A quantity of one variant. `added_price` is the unit price when it was added, in cents."""

    line_item_id: str
    platform_line_item_id: str
    sku: str
    quantity: int
    added_price: int


@dataclass(slots=True)
class Choice:
    """What was chosen for one shipment. `freight` names the group of lines that travel together."""

    shipment_id: str
    freight: bool
    fulfillment_type: str
    method_id: str | None = None
    notes: str | None = None
    selected_date: str | None = None
    location_id: str | None = None


@dataclass(slots=True)
class Selection:
    """A chosen addon, with its lines and children."""

    addon_id: str
    line_item_ids: list[str] = field(default_factory=list)
    child_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Cart:
    """One device's cart at one store. Addresses are kept with country and state as codes."""

    cart_id: str
    device_id: str
    store: str
    lines: list[Line] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    coupons: list[str] = field(default_factory=list)
    selections: list[Selection] = field(default_factory=list)
    shipping_info: Json | None = None
    billing_info: Json | None = None
    order_number: str | None = None
    submitted: Json | None = None  # the whole view at the moment of the order
    hidden_until: float | None = None  # a fault: the order does not show in the cart before this timestamp
    gone_until: float | None = None  # a fault: reads do not find the cart before this timestamp
    version: int = 0

    def is_gone(self, now: datetime) -> bool:
        """Return whether a fault hides the cart from reads."""
        return self.gone_until is not None and now.timestamp() < self.gone_until

    def is_submitted(self, now: datetime) -> bool:
        """Return whether its order is placed and shows; then the cart never changes again."""
        return self.order_number is not None and (self.hidden_until is None or now.timestamp() >= self.hidden_until)

    def line_of_sku(self, sku: str) -> Line | None:
        """Return the line of a sku, if there is one."""
        return next((line for line in self.lines if line.sku == sku), None)

    def add(self, sku: str, quantity: int, price: int) -> None:
        """Add a variant; if the cart has it already, its line gets longer (U-10)."""
        line = self.line_of_sku(sku)
        if line is None:
            self.lines.append(Line(new_id("item"), str(len(self.lines)), sku, quantity, price))
        else:
            line.quantity += quantity

    def set_quantity(self, line: Line, quantity: int) -> None:
        """Change the quantity of a line; 0 removes it."""
        line.quantity = quantity
        if quantity == 0:
            self.lines.remove(line)

    def clear(self, *, addresses: bool = False) -> None:
        """Remove lines, choices, codes and addons, and the addresses only if asked to (C-8)."""
        self.lines, self.choices, self.coupons, self.selections = [], [], [], []
        if addresses:
            self.shipping_info = self.billing_info = None

    def prune_selections(self) -> None:
        """Remove selections of lines that are gone."""
        known = {line.line_item_id for line in self.lines}
        for selection in self.selections:
            selection.line_item_ids = [id_ for id_ in selection.line_item_ids if id_ in known]
        self.selections = [selection for selection in self.selections if selection.line_item_ids]


class Carts:
    """All carts, and which of them a device has at a store."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._carts = {row.id: _read_cart(row.body) for row in state.rows("cart")}
        self._current: dict[tuple[str, str], str] = {}
        for row in state.rows("current"):
            self._current[row.body["device_id"], row.body["store"]] = row.body["cart_id"]

    def current(self, device_id: str, store: str) -> Cart | None:
        """Return the cart that a read shows, if there is one."""
        cart_id = self._current.get((device_id, store))
        return None if cart_id is None else self._carts[cart_id]

    def of_device(self, device_id: str) -> list[Cart]:
        """Return a device's current cart at every store, in the order of their first use."""
        return [self._carts[cart_id] for (device, _), cart_id in self._current.items() if device == device_id]

    def open(self, device_id: str, store: str, now: datetime) -> Cart:
        """Return the cart that changes go to: the current one, or a new one after an order."""
        cart = self.current(device_id, store)
        if cart is None or cart.is_submitted(now):
            cart = self.new(device_id, store)
            self.show(cart)
        return cart

    def new(self, device_id: str, store: str) -> Cart:
        """Return a new cart that a read does not show yet."""
        cart = Cart(new_id("cart"), device_id, store)
        self.save(cart)
        return cart

    def show(self, cart: Cart) -> None:
        """Make this cart the current one of its device and store."""
        self._current[cart.device_id, cart.store] = cart.cart_id
        body = {"device_id": cart.device_id, "store": cart.store, "cart_id": cart.cart_id}
        self._state.put("current", f"{cart.device_id}|{cart.store}", body)

    def save(self, cart: Cart) -> None:
        """Keep a new or changed cart."""
        cart.version += 1
        self._carts[cart.cart_id] = cart
        self._state.put("cart", cart.cart_id, cart)


def _read_cart(body: Json) -> Cart:
    parts = {
        "lines": [Line(**line) for line in body["lines"]],
        "choices": [Choice(**choice) for choice in body["choices"]],
        "selections": [Selection(**selection) for selection in body["selections"]],
    }
    return Cart(**{**body, **parts})


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its product and its unit price now, in cents; `left` is what the store still has."""

    line: Line
    product: Product
    variant: Variant
    price: int
    left: int

    @property
    def id(self) -> str:
        """The line item id."""
        return self.line.line_item_id

    @property
    def line_price(self) -> int:
        """Unit price times quantity, in cents."""
        return self.price * self.line.quantity


def promo_applies(promo: Promo, lines: Sequence[PricedLine]) -> bool:
    """Return whether the promotion applies to something in the cart."""
    covered = any(promo.product_type in {None, line.product.product_type} for line in lines)
    return covered and sum(line.line_price for line in lines) >= promo.minimum


def line_discount(promos: Sequence[Promo], line: PricedLine) -> int:
    """Return what percentages take off one line, in cents."""
    percent = sum(promo.percent for promo in promos if promo.product_type in {None, line.product.product_type})
    return share(line.line_price, min(percent, 100), 100)


def cart_discount(promos: Sequence[Promo], lines: Sequence[PricedLine]) -> int:
    """Return what all promotions take off the goods, at most what the goods cost."""
    off = sum(line_discount(promos, line) for line in lines) + sum(promo.cents for promo in promos)
    return min(off, sum(line.line_price for line in lines))


def eligible_lines(addon: Addon, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """Return the lines that an addon can cover."""
    return [line for line in lines if not addon.product_types or line.product.product_type in addon.product_types]


def offered_addons(merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """Return the store's addons that can cover a line."""
    return [addon for addon in merchant.addons if eligible_lines(addon, lines)]


def addon_cents(addon: Addon, lines: Sequence[PricedLine]) -> int:
    """Return what an addon costs for lines, in cents: item addons by the piece, others once."""
    if addon.scope == "ITEM" and len(lines) != 1:
        return sum(addon_cents(addon, [line]) for line in lines)
    if addon.percent:
        return share(sum(line.line_price for line in lines), addon.percent, 100)
    return addon.cents * lines[0].line.quantity if addon.scope == "ITEM" else addon.cents


def covered_lines(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """Return the lines that a selection covers: item addons the chosen ones, others all that are eligible."""
    eligible = eligible_lines(addon, lines)
    return eligible if addon.scope != "ITEM" else [line for line in eligible if line.id in selection.line_item_ids]


def selection_cents(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> int:
    """Return what a selection costs with its children, in cents."""
    covered = covered_lines(addon, selection, lines)
    children = (child for child in addon.children if child.id in selection.child_ids)
    return sum(addon_cents(part, covered) for part in (addon, *children))


def chosen_addons(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[tuple[Addon, Selection]]:
    """Return the selections that still cover a line."""
    by_id = {addon.id: addon for addon in offered_addons(merchant, lines)}
    return [(by_id[selection.addon_id], selection) for selection in cart.selections if selection.addon_id in by_id]


def missing_addons(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """Return the required addons of which none of their choice group is selected."""
    selected = {selection.addon_id for selection in cart.selections}
    choices = {addon.choice for addon in merchant.addons if addon.id in selected and addon.choice}
    required = (addon for addon in offered_addons(merchant, lines) if addon.required)
    return [addon for addon in required if addon.id not in selected and addon.choice not in choices]
