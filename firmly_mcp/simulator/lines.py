"""The lines of a cart with what they cost at this moment."""

from dataclasses import dataclass

from firmly_mcp.simulator.carts import Line
from firmly_mcp.simulator.catalog import Product, Variant


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
