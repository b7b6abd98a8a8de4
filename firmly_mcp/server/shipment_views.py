"""A cart's shipments as a model sees them: what travels together, how, and what else it could choose."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.models import Shipment, ShippingMethod
from firmly_mcp.store_text import clean, clean_markup, named, quoted

from .views import MOST_LISTED, MoneyView


class MethodView(BaseModel):
    """A way to ship, with its price and the store's estimate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str | None = None
    price: MoneyView | None = None
    estimate: str | None = None
    chosen: bool | None = None

    @classmethod
    def of(cls, method: ShippingMethod, *, chosen: bool) -> Self:
        """The view of a shipping method."""
        return cls(
            id=clean(method.id, 200),
            name=clean_markup(method.description, 60) or None,
            price=MoneyView.of(method.price),
            estimate=clean_markup(method.estimated_delivery, 60) or None,
            chosen=True if chosen else None,
        )

    def __str__(self) -> str:
        facts = [quoted(self.name or self.id), str(self.price) if self.price else ""]
        facts += [quoted(self.estimate)] if self.estimate else []
        words = ", ".join(fact for fact in facts if fact)
        return f"{words} [method {named(self.id)}{', chosen' if self.chosen else ''}]"


class ShipmentView(BaseModel):
    """What travels together. `types` are the other fulfillment types it could have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shipment_id: str
    type: str | None = None
    types: tuple[str, ...] = ()
    methods: tuple[MethodView, ...] = ()
    date: str | None = None
    location: str | None = None
    notes: str | None = None

    @classmethod
    def of(cls, shipment: Shipment) -> Self:
        """The view of a shipment: the chosen method first, then the others."""
        chosen, kind = shipment.shipping_method, shipment.fulfillment_type
        others = [option for option in shipment.shipping_method_options if chosen is None or option.id != chosen.id]
        types = [option.id for option in shipment.fulfillment_type_options if option.id]
        return cls(
            shipment_id=clean(shipment.shipment_id, 200),
            type=clean(kind.id, 60) or None if kind else None,
            types=tuple(clean(name, 60) for name in types[:MOST_LISTED] if kind is None or name != kind.id),
            methods=(
                *((MethodView.of(chosen, chosen=True),) if chosen else ()),
                *(MethodView.of(option, chosen=False) for option in others[:MOST_LISTED]),
            ),
            date=clean(shipment.selected_date, 20) or None,
            location=_location(shipment.selected_location),
            notes=clean(shipment.notes, 160) or None,
        )

    def __str__(self) -> str:
        methods = "; ".join(map(str, self.methods)) or "no method yet"
        others = f"; other types: {', '.join(map(named, self.types))}" if self.types else ""
        picked = f"; date {named(self.date)}" if self.date else ""
        picked += f"; location {quoted(self.location)}" if self.location else ""
        picked += f"; notes {quoted(self.notes)}" if self.notes else ""
        kind = named(self.type) if self.type else "no type yet"
        return f"Shipment {named(self.shipment_id)} ({kind}): {methods}{picked}{others}"


def _location(location: object) -> str | None:
    """A pickup place in words; its shape is not documented, so only its plain texts are shown."""
    if isinstance(location, str):
        return clean(location, 120) or None
    if isinstance(location, dict):
        return clean_markup(", ".join(value for value in location.values() if isinstance(value, str)), 120) or None
    return None
