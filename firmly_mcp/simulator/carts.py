"""One cart per device and store; a submitted cart is read-only, and the next add opens a new one.

A cart remembers what the shopper chose. Prices, stock, shipping and tax are worked out each time it is read, as a store
that is asked in real time would; only a submitted cart answers with what it was when the order was placed.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firmly_mcp.simulator.cash import Json
from firmly_mcp.simulator.ids import fresh
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
