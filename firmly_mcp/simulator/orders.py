"""The orders that were placed."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.state import Row, State


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
