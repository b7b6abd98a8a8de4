"""What was charged: one Charge for each order that was paid. The judge of whoever buys here."""

import secrets
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.catalog import Variant
from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.state import Row, State


@dataclass(frozen=True, slots=True)
class ChargedLine:
    """One line of a charge; amounts in cents."""

    sku: str
    quantity: int
    price: int
    line_price: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken, in cents. `order_number` is what the store answered with, or would have."""

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

    def to_json(self) -> dict[str, Any]:
        """As it is kept and shown on the control path."""
        return {**asdict(self), "placed_at": self.placed_at.isoformat(), "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """From that form."""
        placed_at = datetime.fromisoformat(body["placed_at"])
        return cls(**{**body, "placed_at": placed_at, "lines": tuple(ChargedLine(**line) for line in body["lines"])})


class Books:
    """Every charge, in the order they were made."""

    def __init__(self, charges: list[Charge]) -> None:
        self.charges = charges

    def total(self, store: str | None = None, currency: str = "USD") -> int:
        """The sum of charges in cents, of one store or all."""
        return sum(c.amount for c in self.charges if c.currency == currency and store in {None, c.store})

    def of_order(self, order_number: str) -> list[Charge]:
        """The charges of one order; more than one is what must never be."""
        return [charge for charge in self.charges if charge.order_number == order_number]

    def of_cart(self, cart_id: str) -> list[Charge]:
        """The charges of one cart."""
        return [charge for charge in self.charges if charge.cart_id == cart_id]


def kept_books(state: State) -> Books:
    """The books as the disk has them."""
    return Books([Charge.from_json(row.body) for row in state.loaded("charge")])


def enter(books: Books, state: State, charge: Charge) -> None:
    """Write a charge down; it is on disk with the next commit."""
    books.charges.append(charge)
    state.keep(Row("charge", f"{len(books.charges):08}", charge.to_json()))


@dataclass(slots=True)
class Order:
    """One order. `lines` are the line items as the order's answer showed them."""

    number: str
    store: str
    device_id: str
    placed_at: str
    currency: str
    lines: list[dict[str, Any]]
    goods: int  # sub_total, in cents
    tax: int
    returned_at: str | None = None


class Orders:
    """Every order by its number.

    Numbers begin with `SIM-` and never come twice, not even in another simulator's life.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._orders = {row.id: Order(**row.body) for row in state.loaded("order")}

    def fresh_number(self) -> str:
        """A number for the next order."""
        return f"SIM-{len(self._orders) + 1:06}-{secrets.token_hex(3).upper()}"

    def enter(self, order: Order) -> None:
        """Note an order, or that it changed."""
        self._orders[order.number] = order
        self._state.keep(Row("order", order.number, order))

    def find(self, store: str, number: str) -> Order:
        """The order of this number at a store."""
        order = self._orders.get(number)
        if order is None or order.store != store:
            raise Refusal("ErrorOrderNotFound", f"No order '{number}' at {store}")
        return order

    def send_back(self, number: str, now: datetime) -> None:
        """The whole order comes back."""
        order = self._orders[number]
        order.returned_at = now.isoformat()
        self.enter(order)


@dataclass(frozen=True, slots=True)
class Terms:
    """Changes of one store. `tax_added` in thousandths of a percent, `shipping_added` in cents per paid shipment."""

    tax_added: int = 0
    shipping_added: int = 0
    currency: str | None = None
    promos_ended: tuple[str, ...] = field(default=())


class AllTerms:
    """The changed terms of every store."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._terms = {
            row.id: Terms(**{**row.body, "promos_ended": tuple(row.body["promos_ended"])})
            for row in state.loaded("terms")
        }

    def of(self, store: str) -> Terms:
        """What this store changed."""
        return self._terms.get(store, UNCHANGED)

    def change(
        self,
        store: str,
        *,
        tax_added: int | None = None,
        shipping_added: int | None = None,
        currency: str | None = None,
        end_promo: str | None = None,
    ) -> None:
        """Change some of a store's terms; what is not named stays."""
        old = self.of(store)
        ended = old.promos_ended if end_promo is None else (*old.promos_ended, end_promo.upper())
        new = Terms(
            old.tax_added if tax_added is None else tax_added,
            old.shipping_added if shipping_added is None else shipping_added,
            currency or old.currency,
            ended,
        )
        self._terms[store] = new
        self._state.keep(Row("terms", store, new))

    def merchant(self, merchant: Merchant) -> Merchant:
        """The store as it sells now: in another currency, if it changed that."""
        currency = self.of(merchant.domain).currency
        return merchant if currency is None else replace(merchant, currency=currency)


UNCHANGED = Terms()


@dataclass(slots=True)
class Level:
    """What differs from the generated variant."""

    store: str
    sku: str
    price: int | None = None
    stock: int | None = None
    sold: int = 0

    def row(self) -> Row:
        """How it is kept on disk."""
        body = {"store": self.store, "sku": self.sku, "price": self.price, "stock": self.stock, "sold": self.sold}
        return Row("level", f"{self.store}|{self.sku}", body)


class Stock:
    """Prices and stock of all stores."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._levels = {row.id: Level(**row.body) for row in state.loaded("level")}

    def price(self, store: str, variant: Variant) -> int:
        """The unit price now, in cents."""
        level = self._levels.get(f"{store}|{variant.sku}")
        return variant.price if level is None or level.price is None else level.price

    def left(self, store: str, variant: Variant) -> int:
        """How many can still be bought."""
        level = self._levels.get(f"{store}|{variant.sku}")
        if level is None:
            return variant.stock
        return max(0, (variant.stock if level.stock is None else level.stock) - level.sold)

    def take(self, store: str, sku: str, quantity: int) -> None:
        """Sell some."""
        level = self._level(store, sku)
        level.sold += quantity
        self._state.keep(level.row())

    def set_price(self, store: str, sku: str, cents: int | None) -> None:
        """Give a variant another price; None gives the generated one back."""
        level = self._level(store, sku)
        level.price = cents
        self._state.keep(level.row())

    def set_stock(self, store: str, sku: str, left: int | None) -> None:
        """Leave so many to buy; None gives the generated stock back."""
        level = self._level(store, sku)
        level.stock, level.sold = left, 0
        self._state.keep(level.row())

    def _level(self, store: str, sku: str) -> Level:
        return self._levels.setdefault(f"{store}|{sku}", Level(store, sku))
