"""Today's price and stock of each variant: what was generated, less what was sold, unless someone set it otherwise."""

from dataclasses import dataclass

from firmly_mcp.simulator.catalog import Variant
from firmly_mcp.simulator.state import Row, State


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
