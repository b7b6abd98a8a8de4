"""How far an order has come, computed from when it was placed and the time now.

An order is confirmed after ten minutes, packed after an hour and sent after a day; its first line arrives after three
days and each further one two days later. Some stores get the first of several lines back on the tenth day; a whole
order comes back from the moment it is returned. What came back is refunded four days later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from firmly_mcp.simulator.answers import Json, money, share
from firmly_mcp.simulator.ledger import Order

CONFIRMED, PROCESSING, SENT = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
ARRIVED, LATER = timedelta(days=3), timedelta(days=2)
RETURNED, REFUNDED = timedelta(days=10), timedelta(days=4)
CARRIER = "Parcel Sim"


@dataclass(frozen=True, slots=True)
class Timeline:
    """When one line of an order is sent, arrives, comes back and is refunded, and its status at `now`."""

    order: Order
    place: int
    now: datetime
    returns_at: datetime | None

    @property
    def line(self) -> Json:
        """The line item of the order."""
        return self.order.lines[self.place]

    @property
    def placed_at(self) -> datetime:
        """When the order was placed."""
        return datetime.fromisoformat(self.order.placed_at)

    @property
    def sent_at(self) -> datetime:
        """When the line leaves the store."""
        return self.placed_at + SENT

    @property
    def arrives_at(self) -> datetime:
        """When the line arrives."""
        return self.placed_at + ARRIVED + LATER * self.place

    @property
    def refunded_at(self) -> datetime | None:
        """When the line is refunded, if it is."""
        return None if self.returns_at is None else self.returns_at + REFUNDED

    @property
    def is_refunded(self) -> bool:
        """Whether the line is refunded by now."""
        return self.refunded_at is not None and self.now >= self.refunded_at

    @property
    def refund(self) -> int:
        """The refund in cents: the line and its part of the tax."""
        price: int = self.line["line_price"]["number"]
        return price + share(self.order.tax, price, max(1, self.order.goods))

    @property
    def status(self) -> str:
        """The status of the line."""
        if self.returns_at is not None and self.now >= self.returns_at:
            return "returned"
        if self.now >= self.sent_at:
            return "delivered" if self.now >= self.arrives_at else "on_its_way"
        age = self.now - self.placed_at
        if age < CONFIRMED:
            return "pending"
        return "confirmed" if age < PROCESSING else "processing"


def order_status(order: Order, now: datetime, *, returns: bool) -> Json:
    """Return the answer of the order status endpoint; `returns` is whether the store gets its first line back."""
    lines = [Timeline(order, place, now, _returns_at(order, place, returns)) for place in range(len(order.lines))]
    status: Json = {
        "status": _status(lines),
        "order_number": order.number,
        "order_status_page_url": f"https://{order.store}/orders/{order.number}",
        "line_items": [_line(line) for line in lines],
        "fulfillments": [_fulfillment(line) for line in lines if now >= line.sent_at],
        "events": [event for event in _events(lines) if datetime.fromisoformat(event["timestamp"]) <= now],
    }
    returned = [line for line in lines if line.status == "returned"]
    if returned:
        status["returns"] = [_return(line) for line in returned]
    refunded = [line for line in lines if line.is_refunded]
    if refunded:
        status["refund_total"] = money(sum(line.refund for line in refunded), order.currency)
        status["refunds"] = [
            {"id": f"rf-{line.place + 1}", "amount": money(line.refund, order.currency)} for line in refunded
        ]
    return status


def _returns_at(order: Order, place: int, returns: bool) -> datetime | None:
    if order.returned_at is not None:
        return datetime.fromisoformat(order.returned_at)
    comes_back = returns and place == 0 and len(order.lines) > 1
    return datetime.fromisoformat(order.placed_at) + RETURNED if comes_back else None


def _status(lines: list[Timeline]) -> str:
    statuses = {line.status for line in lines}
    if statuses == {"returned"}:
        return "refunded" if all(line.is_refunded for line in lines) else "returned"
    return statuses.pop() if len(statuses) == 1 else "partially_delivered"


def _line(line: Timeline) -> Json:
    view: Json = {
        "line_item_id": line.line["line_item_id"],
        "sku": line.line["sku"],
        "status": line.status,
        "quantity": line.line["quantity"],
    }
    if line.now >= line.sent_at:
        view["tracking"] = _tracking(line)
    if line.is_refunded:
        view["refund_amount"] = money(line.refund, line.order.currency)
    return view


def _tracking(line: Timeline) -> Json:
    view: Json = {
        "tracking_number": f"{line.order.number}-{line.place + 1}",
        "carrier": CARRIER,
        "shipped_at": _text(line.sent_at),
    }
    if line.now >= line.arrives_at:
        view["delivered_at"] = _text(line.arrives_at)
    return view


def _fulfillment(line: Timeline) -> Json:
    return {
        "id": f"f-{line.place + 1}",
        "status": "DELIVERED" if line.now >= line.arrives_at else "IN_TRANSIT",
        **_tracking(line),
        "estimated_delivery": _text(line.arrives_at),
        "line_item_skus": [line.line["sku"]],
    }


def _events(lines: list[Timeline]) -> Iterator[Json]:
    start = lines[0].placed_at
    yield _event("order_placed", start, "Order placed")
    yield _event("order_confirmed", start + CONFIRMED, "Order confirmed")
    yield _event("shipped", start + SENT, "Shipped")
    for line in lines:
        about = {"line_item_sku": line.line["sku"]}
        yield _event("delivered", line.arrives_at, "Delivered") | about
        if line.returns_at is not None and line.refunded_at is not None:
            yield _event("returned", line.returns_at, "Returned") | about
            yield _event("refund_completed", line.refunded_at, "Refund Completed") | about


def _event(kind: str, at: datetime, description: str) -> Json:
    return {"type": kind, "timestamp": _text(at), "description": description}


def _return(line: Timeline) -> Json:
    items = [{"sku": line.line["sku"], "quantity": line.line["quantity"]}]
    return {"id": f"r-{line.place + 1}", "status": "completed" if line.is_refunded else "received", "line_items": items}


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
