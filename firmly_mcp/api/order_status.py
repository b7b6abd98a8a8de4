"""Order status, delivery dates, the postal code, and the stores with a cart, as Firmly sends them."""

from __future__ import annotations

from .fields import Amount, Count, FirmlyModel, Flag, Id, IdText, ListOf, Text


class Tracking(FirmlyModel):
    """Where a parcel is; times as ISO 8601 text."""

    tracking_number: Id = None
    carrier: Text = None
    delivered_at: Text = None


class StatusLine(FirmlyModel):
    """An ordered item and how far it is."""

    sku: Id = None
    status: Text = None
    quantity: Count = None
    tracking: Tracking | None = None
    refund_amount: Amount = None


class Return(FirmlyModel):
    """A return and how far it is."""

    id: Id = None
    status: Text = None


class OrderStatus(FirmlyModel):
    """Where an order is, read from the merchant now (Firmly: get-order-status). `status` is an open set of words."""

    status: Text = None
    order_number: Id = None
    refund_total: Amount = None
    order_status_page_url: Text = None
    line_items: ListOf[StatusLine] = ()
    returns: ListOf[Return] = ()


class TimeSlot(FirmlyModel):
    """A part of a day; Firmly documents no way to choose one."""

    start_time: Text = None
    end_time: Text = None
    available: Flag = None


class AvailableDate(FirmlyModel):
    """A day (`YYYY-MM-DD`) that a shipment can be delivered on."""

    date: Text = None
    time_slots: ListOf[TimeSlot] = ()


class DateRange(FirmlyModel):
    """First and last day, both `YYYY-MM-DD`."""

    start_date: Text = None
    end_date: Text = None


class DeliveryWindow(FirmlyModel):
    """A span of days with a price; Firmly documents no way to choose one."""

    name: Text = None
    price: Amount = None
    date_range: DateRange | None = None


class Availability(FirmlyModel):
    """When a `SCHEDULED_DELIVERY` shipment can come (Firmly: get-availability)."""

    shipment_id: Id = None
    available_dates: ListOf[AvailableDate] = ()
    delivery_windows: ListOf[DeliveryWindow] = ()


class PostalCode(FirmlyModel):
    """The shopper's postal code for all stores; empty or None when unset (Firmly: get-postal-code)."""

    postal_code: Text = None


class ActiveDomains(FirmlyModel):
    """Stores where this device has a cart with something in it (Firmly: get-active-domains)."""

    domains: ListOf[IdText] = ()
