"""One cart per device and store; a submitted cart is read-only, and the next add opens a new one.

A cart remembers what the shopper chose. Prices, stock, shipping and tax are worked out each time it is read, as a store
that is asked in real time would; only a submitted cart answers with what it was when the order was placed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firmly_mcp.simulator.answers import Json, fresh, share
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.merchants import Addon, Merchant, Promo
from firmly_mcp.simulator.state import Row, State


@dataclass(slots=True)
class Line:
    """So many of one variant. `added_price` is the unit price when it was put in."""

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
    """An addon that was chosen, for which lines, with which children."""

    addon_id: str
    line_item_ids: list[str] = field(default_factory=list)
    child_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Cart:
    """What one device wants from one store. Addresses are kept with country and state as codes."""

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
    hidden_until: float | None = None  # a fault: the order shows in the cart only then (a timestamp)
    gone_until: float | None = None  # a fault: reads do not find the cart until then (a timestamp)
    version: int = 0

    def is_gone(self, now: datetime) -> bool:
        """Whether a read does not find it, though it is there."""
        return self.gone_until is not None and now.timestamp() < self.gone_until

    def is_submitted(self, now: datetime) -> bool:
        """Whether an order was placed with it, and shows; then it never changes again."""
        return self.order_number is not None and (self.hidden_until is None or now.timestamp() >= self.hidden_until)

    def line_of_sku(self, sku: str) -> Line | None:
        """The line that holds this sku."""
        return next((line for line in self.lines if line.sku == sku), None)

    def add(self, sku: str, quantity: int, price: int) -> None:
        """Put some in; the same variant again makes its line longer (U-10)."""
        line = self.line_of_sku(sku)
        if line is None:
            place = str(len(self.lines))
            self.lines.append(Line(fresh("item"), place, sku, quantity, price))
        else:
            line.quantity += quantity

    def set_quantity(self, line: Line, quantity: int) -> None:
        """Change a line; none left removes it."""
        line.quantity = quantity
        if quantity == 0:
            self.lines.remove(line)

    def clear(self, *, shipping: bool = False) -> None:
        """Empty it. The shipping address stays unless asked otherwise (C-8)."""
        self.lines, self.choices, self.coupons, self.selections = [], [], [], []
        if shipping:
            self.shipping_info = self.billing_info = None


class Carts:
    """All carts, and which of them a device has at a store."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._carts = {row.id: cart_of(row.body) for row in state.loaded("cart")}
        self._current: dict[tuple[str, str], str] = {}
        for row in state.loaded("current"):
            self._current[row.body["device_id"], row.body["store"]] = row.body["cart_id"]

    def current(self, device_id: str, store: str) -> Cart | None:
        """The cart that a read shows, if there is one."""
        cart_id = self._current.get((device_id, store))
        return None if cart_id is None else self._carts[cart_id]

    def of_device(self, device_id: str) -> list[Cart]:
        """Every store's current cart of a device, in the order of their first use."""
        return [self._carts[cart_id] for (device, _), cart_id in self._current.items() if device == device_id]

    def open(self, device_id: str, store: str, now: datetime) -> Cart:
        """The cart that changes go to: the current one, or a new one after an order."""
        cart = self.current(device_id, store)
        if cart is None or cart.is_submitted(now):
            cart = self.new(device_id, store)
            self.show(cart)
        return cart

    def new(self, device_id: str, store: str) -> Cart:
        """A cart of its own, which a read does not show yet."""
        cart = Cart(fresh("cart"), device_id, store)
        self.keep(cart)
        return cart

    def show(self, cart: Cart) -> None:
        """From now on a read of this device and store shows this cart."""
        self._current[cart.device_id, cart.store] = cart.cart_id
        body = {"device_id": cart.device_id, "store": cart.store, "cart_id": cart.cart_id}
        self._state.keep(Row("current", f"{cart.device_id}|{cart.store}", body))

    def keep(self, cart: Cart) -> None:
        """Note that the cart changed."""
        cart.version += 1
        self._carts[cart.cart_id] = cart
        self._state.keep(Row("cart", cart.cart_id, cart))


def cart_of(body: dict[str, Any]) -> Cart:
    """A cart from its kept form."""
    parts = {
        "lines": [Line(**line) for line in body["lines"]],
        "choices": [Choice(**choice) for choice in body["choices"]],
        "selections": [Selection(**selection) for selection in body["selections"]],
    }
    return Cart(**{**body, **parts})


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its product and its unit price now; `left` is what the store still has."""

    line: Line
    product: Product
    variant: Variant
    price: int
    left: int

    @property
    def line_price(self) -> int:
        """Unit price times quantity, in cents."""
        return self.price * self.line.quantity


def find_promo(merchant: Merchant, code: str) -> Promo | None:
    """The store's promotion of this code; capitals do not matter."""
    return next((promo for promo in merchant.promos if promo.code == code.strip().upper()), None)


def promo_expired(promo: Promo, now: datetime) -> bool:
    """Whether its time is over."""
    return promo.expires is not None and now >= promo.expires


def promo_applies(promo: Promo, lines: Sequence[PricedLine]) -> bool:
    """Whether something in the cart can have it."""
    covered = [line for line in lines if promo.product_type in {None, line.product.product_type}]
    return bool(covered) and sum(line.line_price for line in lines) >= promo.minimum


def line_discount(promos: Sequence[Promo], line: PricedLine) -> int:
    """What percentages take off one line, in cents."""
    percent = sum(promo.percent for promo in promos if promo.product_type in {None, line.product.product_type})
    return share(line.line_price, min(percent, 100), 100)


def cart_discount(promos: Sequence[Promo], lines: Sequence[PricedLine]) -> int:
    """What all promotions take off the goods, never more than the goods cost."""
    off = sum(line_discount(promos, line) for line in lines) + sum(promo.cents for promo in promos)
    return min(off, sum(line.line_price for line in lines))


def eligible_lines(addon: Addon, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """The lines that an addon can cover."""
    return [line for line in lines if not addon.product_types or line.product.product_type in addon.product_types]


def offered_addons(merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """The store's addons that have something to cover."""
    return [addon for addon in merchant.addons if eligible_lines(addon, lines)]


def addon_line_cents(addon: Addon, line: PricedLine) -> int:
    """What an addon costs for one line, all its pieces together."""
    return share(line.line_price, addon.percent, 100) if addon.percent else addon.cents * line.line.quantity


def addon_cents(addon: Addon, lines: Sequence[PricedLine]) -> int:
    """What an addon costs for lines: item addons by the line, others once."""
    if addon.scope == "ITEM":
        return sum(addon_line_cents(addon, line) for line in lines)
    return share(sum(line.line_price for line in lines), addon.percent, 100) if addon.percent else addon.cents


def covered_lines(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """The lines that a selection covers: item addons the chosen ones, others all that are eligible."""
    able = eligible_lines(addon, lines)
    if addon.scope != "ITEM":
        return able
    return [line for line in able if line.line.line_item_id in selection.line_item_ids]


def selection_cents(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> int:
    """What a selection costs with its children; children alone where only they were chosen."""
    mine = covered_lines(addon, selection, lines)
    children = [child for child in addon.children if child.id in selection.child_ids]
    return addon_cents(addon, mine) + sum(addon_cents(child, mine) for child in children)


def chosen_addons(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[tuple[Addon, Selection]]:
    """The selections that still have something to cover."""
    by_id = {addon.id: addon for addon in offered_addons(merchant, lines)}
    return [(by_id[picked.addon_id], picked) for picked in cart.selections if picked.addon_id in by_id]


def prune_selections(cart: Cart) -> None:
    """Forget selections for lines that are gone."""
    there = {line.line_item_id for line in cart.lines}
    for selection in cart.selections:
        selection.line_item_ids = [id_ for id_ in selection.line_item_ids if id_ in there]
    cart.selections = [selection for selection in cart.selections if selection.line_item_ids]


def missing_addons(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """Required addons of which none of their choice was made."""
    picked = {selection.addon_id for selection in cart.selections}
    choices = {addon.choice for addon in merchant.addons if addon.id in picked and addon.choice}
    return [
        addon
        for addon in offered_addons(merchant, lines)
        if addon.required and addon.id not in picked and addon.choice not in choices
    ]
