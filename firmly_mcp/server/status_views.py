"""What a store says of an order, as a model sees it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.orders import OrderStatus
from firmly_mcp.store_addresses import shown_address
from firmly_mcp.store_text import clean, named, quoted
from firmly_mcp.suspicion import suspicions

from .order_views import OrderView
from .views import MoneyView, View, told, told_by_store, with_next


class ItemStatusView(BaseModel):
    """An ordered item and how far it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: str
    status: str
    quantity: int | None = None
    tracking: str | None = None
    delivered: str | None = None
    refund: MoneyView | None = None

    def __str__(self) -> str:
        facts = [f"Item {self.quantity or 1} x {named(self.sku)}: {named(self.status)}"]
        facts += [f"tracking {quoted(self.tracking)}"] if self.tracking else []
        facts += [f"delivered {named(self.delivered)}"] if self.delivered else []
        facts += [f"refund {self.refund}"] if self.refund else []
        return ", ".join(facts)


class StatusView(View):
    """How an order stands: `attempt` is what was sent from here, the rest what the store says now."""

    store: str
    order_number: str | None = None
    status: str | None = None
    items: tuple[ItemStatusView, ...] = ()
    returns: tuple[str, ...] = ()
    refunded: MoneyView | None = None
    page: str | None = None
    attempt: OrderView | None = None
    warnings: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, store: str, status: OrderStatus, *, attempt: OrderView | None = None) -> Self:
        """The view of a store's answer."""
        return cls(
            store=store,
            order_number=clean(status.order_number, 80) or None,
            status=clean(status.status, 40) or None,
            items=tuple(_items(status)),
            returns=tuple(clean(f"{back.id}: {back.status}", 80) for back in status.returns),
            refunded=MoneyView.of(status.refund_total),
            page=shown_address(status.order_status_page_url),
            attempt=attempt,
            suspicious=suspicions(status),
            next="To cancel or return, the person uses the store's own order page.",
        )

    def structured(self) -> dict[str, Any]:
        shown = super().structured()
        # What to do next is said once, for the whole.
        shown.get("attempt", {}).pop("next", None)
        return shown

    def text(self) -> str:
        lines = self.attempt.in_lines() if self.attempt else []
        number = named(self.order_number or "without a number")
        lines += [f"Order {number} at {self.store}: the store says {named(self.status)}"] if self.status else []
        lines += [f"- {item}" for item in self.items]
        lines += told_by_store("Return", self.returns)
        lines += [f"Refunded: {self.refunded}"] if self.refunded else []
        lines += [f"Order page: {self.page}"] if self.page else []
        lines += told("Warning", self.warnings)
        return with_next(lines, self.next, suspicious=self.suspicious)


def _items(status: OrderStatus) -> list[ItemStatusView]:
    return [
        ItemStatusView(
            sku=clean(line.sku, 80),
            status=clean(line.status, 40),
            quantity=line.quantity,
            tracking=_tracking(line.tracking.carrier, line.tracking.tracking_number) if line.tracking else None,
            delivered=clean(line.tracking.delivered_at, 40) or None if line.tracking else None,
            refund=MoneyView.of(line.refund_amount),
        )
        for line in status.line_items
    ]


def _tracking(carrier: str | None, number: str | None) -> str | None:
    return clean(" ".join(part for part in (carrier, number) if part), 80) or None
