"""How far an order has come: worked out from when it was placed and what time it is now.

An order is confirmed after ten minutes, packed after an hour and sent after a day; its first line arrives after
three days and each further one two days later. Some stores get the first of several lines back on the tenth
day; a whole order comes back from the moment someone asks for it. What came back is refunded four days later.
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
class Journey:
    """One line's way, as far as it has come by `now`."""

    order: Order
    place: int
    now: datetime
    returns_at: datetime | None

    @property
    def line(self) -> Json:
        """The line item of the order."""
        return self.order.lines[self.place]

    @property
    def sent_at(self) -> datetime:
        """When it leaves the store."""
        return placed(self.order) + SENT

    @property
    def arrives_at(self) -> datetime:
        """When it is there."""
        return placed(self.order) + ARRIVED + LATER * self.place

    @property
    def refunded_at(self) -> datetime | None:
        """When the money is back, if it comes back at all."""
        return None if self.returns_at is None else self.returns_at + REFUNDED

    @property
    def refund(self) -> int:
        """What is given back, in cents: the line and its part of the tax."""
        price: int = self.line["line_price"]["number"]
        return price + share(self.order.tax, price, max(1, self.order.goods))

    @property
    def status(self) -> str:
        """Where it is now."""
        if self.returns_at is not None and self.now >= self.returns_at:
            return "returned"
        if self.now >= self.arrives_at:
            return "delivered"
        return "on_its_way" if self.now >= self.sent_at else _before_sending(self.order, self.now)


def tracked(order: Order, now: datetime, *, returns: bool) -> Json:
    """The answer of the order status endpoint at this moment."""
    journeys = [Journey(order, place, now, _returns_at(order, place, returns)) for place in range(len(order.lines))]
    refunds = [journey for journey in journeys if journey.refunded_at is not None and now >= journey.refunded_at]
    status: Json = {
        "status": _status(journeys, refunds),
        "order_number": order.number,
        "order_status_page_url": f"https://{order.store}/orders/{order.number}",
        "line_items": [_line(journey) for journey in journeys],
        "fulfillments": [_fulfillment(journey) for journey in journeys if now >= journey.sent_at],
        "events": [event for event in _events(order, journeys) if datetime.fromisoformat(event["timestamp"]) <= now],
    }
    back = [journey for journey in journeys if journey.status == "returned"]
    if back:
        status["returns"] = [_return(journey) for journey in back]
    if refunds:
        status["refund_total"] = money(sum(journey.refund for journey in refunds), order.currency)
        status["refunds"] = [_refund(journey) for journey in refunds]
    return status


def placed(order: Order) -> datetime:
    """When it was placed."""
    return datetime.fromisoformat(order.placed_at)


def _returns_at(order: Order, place: int, returns: bool) -> datetime | None:
    if order.returned_at is not None:
        return datetime.fromisoformat(order.returned_at)
    return placed(order) + RETURNED if returns and place == 0 and len(order.lines) > 1 else None


def _before_sending(order: Order, now: datetime) -> str:
    age = now - placed(order)
    if age < CONFIRMED:
        return "pending"
    return "confirmed" if age < PROCESSING else "processing"


def _status(journeys: list[Journey], refunds: list[Journey]) -> str:
    statuses = {journey.status for journey in journeys}
    if statuses == {"returned"}:
        return "refunded" if len(refunds) == len(journeys) else "returned"
    if len(statuses) == 1:
        return statuses.pop()
    return "partially_delivered"


def _line(journey: Journey) -> Json:
    line = journey.line
    view: Json = {
        "line_item_id": line["line_item_id"],
        "sku": line["sku"],
        "status": journey.status,
        "quantity": line["quantity"],
    }
    if journey.now >= journey.sent_at:
        view["tracking"] = _tracking(journey)
    if journey.refunded_at is not None and journey.now >= journey.refunded_at:
        view["refund_amount"] = money(journey.refund, journey.order.currency)
    return view


def _tracking(journey: Journey) -> Json:
    view: Json = {
        "tracking_number": f"{journey.order.number}-{journey.place + 1}",
        "carrier": CARRIER,
        "shipped_at": _at(journey.sent_at),
    }
    if journey.now >= journey.arrives_at:
        view["delivered_at"] = _at(journey.arrives_at)
    return view


def _fulfillment(journey: Journey) -> Json:
    there = journey.now >= journey.arrives_at
    return {
        "id": f"f-{journey.place + 1}",
        "status": "DELIVERED" if there else "IN_TRANSIT",
        **_tracking(journey),
        "estimated_delivery": _at(journey.arrives_at),
        "line_item_skus": [journey.line["sku"]],
    }


def _events(order: Order, journeys: list[Journey]) -> Iterator[Json]:
    start = placed(order)
    yield {"type": "order_placed", "timestamp": _at(start), "description": "Order placed"}
    yield {"type": "order_confirmed", "timestamp": _at(start + CONFIRMED), "description": "Order confirmed"}
    yield {"type": "shipped", "timestamp": _at(start + SENT), "description": "Shipped"}
    for journey in journeys:
        sku = journey.line["sku"]
        yield _event("delivered", journey.arrives_at, sku)
        if journey.returns_at is not None and journey.refunded_at is not None:
            yield _event("returned", journey.returns_at, sku)
            yield _event("refund_completed", journey.refunded_at, sku)


def _event(kind: str, at: datetime, sku: str) -> Json:
    return {"type": kind, "timestamp": _at(at), "description": kind.replace("_", " ").title(), "line_item_sku": sku}


def _return(journey: Journey) -> Json:
    items = [{"sku": journey.line["sku"], "quantity": journey.line["quantity"]}]
    done = journey.refunded_at is not None and journey.now >= journey.refunded_at
    return {"id": f"r-{journey.place + 1}", "status": "completed" if done else "received", "line_items": items}


def _refund(journey: Journey) -> Json:
    return {"id": f"rf-{journey.place + 1}", "amount": money(journey.refund, journey.order.currency)}


def _at(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
