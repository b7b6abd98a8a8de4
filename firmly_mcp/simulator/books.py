"""What was charged: one Charge for each order that was paid. The judge of whoever buys here."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

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
