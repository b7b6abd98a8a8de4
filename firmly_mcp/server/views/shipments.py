"""When a shipment can come, as a model sees it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.models import Shipment, ShippingMethod
from firmly_mcp.api.order_status import Availability, AvailableDate, DeliveryWindow
from firmly_mcp.untrusted import clean, clean_markup, named, quoted, suspicions

from .view import MOST_LISTED, MoneyView, View, with_next

# A calendar of months is too long to choose from.
MOST_DATES = 21


class DateView(BaseModel):
    """A day, with the times of day that the store names. A time cannot be chosen; the day can."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    times: tuple[str, ...] = ()

    @classmethod
    def of(cls, day: AvailableDate) -> Self:
        """The view of a day."""
        slots = (slot for slot in day.time_slots if slot.available is not False)
        times = (clean(f"{slot.start_time or ''}-{slot.end_time or ''}", 20).strip("-") for slot in slots)
        return cls(date=clean(day.date, 20), times=tuple(time for time in times if time))

    def __str__(self) -> str:
        return f"Day {named(self.date)}" + (f" ({', '.join(map(named, self.times))})" if self.times else "")


class WindowView(BaseModel):
    """A span of days with a price; the store gives no way to choose it here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    first: str | None = None
    last: str | None = None
    price: MoneyView | None = None

    @classmethod
    def of(cls, window: DeliveryWindow) -> Self:
        """The view of a delivery window."""
        days = window.date_range
        return cls(
            name=clean_markup(window.name, 60) or None,
            first=clean(days.start_date, 20) or None if days else None,
            last=clean(days.end_date, 20) or None if days else None,
            price=MoneyView.of(window.price),
        )

    def __str__(self) -> str:
        days = f"{named(self.first)} to {named(self.last or 'open')}" if self.first else None
        facts = (quoted(self.name) if self.name else None, days, self.price)
        return ", ".join(str(fact) for fact in facts if fact)


class AvailabilityView(View):
    """The days on which a shipment can come."""

    store: str
    shipment_id: str | None = None
    dates: tuple[DateView, ...] = ()
    more_dates: int | None = None
    windows: tuple[WindowView, ...] = ()
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, store: str, availability: Availability) -> Self:
        """The view of a shipment's availability."""
        days = availability.available_dates
        return cls(
            store=store,
            shipment_id=clean(availability.shipment_id, 200) or None,
            dates=tuple(DateView.of(day) for day in days[:MOST_DATES]),
            more_dates=len(days) - MOST_DATES if len(days) > MOST_DATES else None,
            windows=tuple(WindowView.of(window) for window in availability.delivery_windows),
            suspicious=suspicions(availability),
            next="set_fulfillment with a method and a date" if days else "get_cart, for another type or method",
        )

    def text(self) -> str:
        lines = [f"Shipment {named(self.shipment_id) if self.shipment_id else ''} at {self.store}:"]
        lines += [f"- {day}" for day in self.dates] or ["No dates are offered."]
        lines += [f"{self.more_dates} later dates are not shown."] if self.more_dates else []
        lines += [f"Window: {window}" for window in self.windows]
        return with_next(lines, self.next, suspicious=self.suspicious)


class PostalCodeView(View):
    """The shopper's postal code, for all stores."""

    postal_code: str
    next: str | None = "search_products or get_product, for prices and stock there"

    def text(self) -> str:
        return with_next([f"The postal code is {self.postal_code}."], self.next)


# A cart's shipments as a model sees them: what travels together, how, and what else it could choose.


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
