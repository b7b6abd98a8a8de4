"""What the stores keep: charges, orders, changed terms, and today's price and stock of each variant.

The books are the judge of every purchase: one Charge for each order that was paid, amounts in cents.
"""

import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.catalog import Variant
from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.state import State


@dataclass(frozen=True, slots=True)
class ChargedLine:
    """One line of a charge."""

    sku: str
    quantity: int
    price: int
    line_price: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken. `order_number` is the one in the answer, also if the answer was lost."""

    order_number: str
    store: str
    device_id: str
    cart_id: str
    amount: int
    currency: str
    last_four: str
    brand: str
    placed_at: datetime
    lines: tuple[ChargedLine, ...]

    def to_json(self) -> Json:
        """Return the charge as it is kept and as the control path shows it."""
        return {**asdict(self), "placed_at": self.placed_at.isoformat(), "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a charge from that form."""
        placed_at = datetime.fromisoformat(body["placed_at"])
        return cls(**{**body, "placed_at": placed_at, "lines": tuple(ChargedLine(**line) for line in body["lines"])})


class Books:
    """Every charge, in the order in which they were made."""

    def __init__(self, charges: list[Charge]) -> None:
        self.charges = charges

    @classmethod
    def load(cls, state: State) -> Self:
        """Read the books from the disk."""
        return cls([Charge.from_json(row.body) for row in state.rows("charge")])

    def record(self, charge: Charge, state: State) -> None:
        """Add a charge; it is on disk after the next commit."""
        self.charges.append(charge)
        state.put("charge", f"{len(self.charges):08}", charge.to_json())

    def total(self, store: str | None = None, currency: str = "USD") -> int:
        """Return the sum of charges in cents, of one store or of all."""
        return sum(c.amount for c in self.charges if c.currency == currency and store in {None, c.store})

    def of_order(self, order_number: str) -> list[Charge]:
        """Return the charges of one order; more than one is a double charge."""
        return [charge for charge in self.charges if charge.order_number == order_number]

    def of_cart(self, cart_id: str) -> list[Charge]:
        """Return the charges of one cart."""
        return [charge for charge in self.charges if charge.cart_id == cart_id]


@dataclass(slots=True)
class Order:
    """One order. `lines` are the line items as the order's answer showed them; `goods` and `tax` are cents."""

    number: str
    store: str
    device_id: str
    placed_at: str
    currency: str
    lines: list[Json]
    goods: int
    tax: int
    returned_at: str | None = None


class Orders:
    """Every order by its number. Numbers begin with `SIM-` and are unique, also between two simulators."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._orders = {row.id: Order(**row.body) for row in state.rows("order")}

    def new_number(self) -> str:
        """Return a number for the next order."""
        return f"SIM-{len(self._orders) + 1:06}-{secrets.token_hex(3).upper()}"

    def save(self, order: Order) -> None:
        """Keep a new or changed order."""
        self._orders[order.number] = order
        self._state.put("order", order.number, order)

    def find(self, store: str, number: str) -> Order:
        """Return the order of this number at a store."""
        order = self._orders.get(number)
        if order is None or order.store != store:
            raise Refusal("ErrorOrderNotFound", f"No order '{number}' at {store}")
        return order

    def return_order(self, number: str, now: datetime) -> None:
        """Note that the whole order comes back to its store."""
        order = self._orders[number]
        order.returned_at = now.isoformat()
        self.save(order)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one store changed. `tax_added` in thousandths of a percent, `shipping_added` in cents per paid shipment."""

    tax_added: int = 0
    shipping_added: int = 0
    currency: str | None = None
    promos_ended: tuple[str, ...] = ()


UNCHANGED = Terms()


class AllTerms:
    """The changed terms of every store. Tests and faults change them between a quote and the payment."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._changes = {
            row.id: Terms(**{**row.body, "promos_ended": tuple(row.body["promos_ended"])})
            for row in state.rows("terms")
        }

    def of(self, store: str) -> Terms:
        """Return what a store changed."""
        return self._changes.get(store, UNCHANGED)

    def change(
        self,
        store: str,
        *,
        tax_added: int | None = None,
        shipping_added: int | None = None,
        currency: str | None = None,
        end_promo: str | None = None,
    ) -> None:
        """Change some of a store's terms; the others stay."""
        new: dict[str, Any] = {"tax_added": tax_added, "shipping_added": shipping_added, "currency": currency or None}
        if end_promo is not None:
            new["promos_ended"] = (*self.of(store).promos_ended, end_promo.upper())
        changes = replace(self.of(store), **{name: value for name, value in new.items() if value is not None})
        self._changes[store] = changes
        self._state.put("terms", store, changes)

    def merchant(self, merchant: Merchant) -> Merchant:
        """Return the store as it sells now: in another currency, if it changed that."""
        currency = self.of(merchant.domain).currency
        return merchant if currency is None else replace(merchant, currency=currency)


@dataclass(slots=True)
class StockLevel:
    """What differs from the generated variant."""

    store: str
    sku: str
    price: int | None = None
    stock: int | None = None
    sold: int = 0


class Stock:
    """Today's prices and stock: what was generated, less what was sold, unless it was set otherwise."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._levels = {row.id: StockLevel(**row.body) for row in state.rows("level")}

    def price(self, store: str, variant: Variant) -> int:
        """Return the unit price now, in cents."""
        level = self._levels.get(f"{store}|{variant.sku}")
        return variant.price if level is None or level.price is None else level.price

    def left(self, store: str, variant: Variant) -> int:
        """Return how many can still be bought."""
        level = self._levels.get(f"{store}|{variant.sku}")
        if level is None:
            return variant.stock
        return max(0, (variant.stock if level.stock is None else level.stock) - level.sold)

    def sell(self, store: str, sku: str, quantity: int) -> None:
        """Take some out of the stock."""
        self._changed(store, sku).sold += quantity

    def set_price(self, store: str, sku: str, cents: int | None) -> None:
        """Change a unit price; None restores the generated one."""
        self._changed(store, sku).price = cents

    def set_stock(self, store: str, sku: str, left: int | None) -> None:
        """Change how many are left; None restores the generated stock."""
        level = self._changed(store, sku)
        level.stock, level.sold = left, 0

    def _changed(self, store: str, sku: str) -> StockLevel:
        key = f"{store}|{sku}"
        level = self._levels.setdefault(key, StockLevel(store, sku))
        self._state.put("level", key, level)
        return level
