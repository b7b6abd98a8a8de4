"""What Firmly tells beside carts: an order's status, delivery dates, the postal code, stores with a cart."""

from __future__ import annotations

from .fields import Amount, Count, Flag, Id, Many, Sent, Text, Word


class Tracking(Sent):
    """Where a parcel is; times as ISO 8601 text."""

    tracking_number: Id = None
    carrier: Text = None
    delivered_at: Text = None


class StatusLine(Sent):
    """An ordered item and how far it is."""

    sku: Id = None
    status: Text = None
    quantity: Count = None
    tracking: Tracking | None = None
    refund_amount: Amount = None


class Return(Sent):
    """A return and how far it is."""

    id: Id = None
    status: Text = None


class OrderStatus(Sent):
    """Where an order is, read from the merchant now (Firmly: get-order-status). `status` is an open set of words."""

    status: Text = None
    order_number: Id = None
    refund_total: Amount = None
    order_status_page_url: Text = None
    line_items: Many[StatusLine] = ()
    returns: Many[Return] = ()


class TimeSlot(Sent):
    """A part of a day; Firmly documents no way to choose one."""

    start_time: Text = None
    end_time: Text = None
    available: Flag = None


class AvailableDate(Sent):
    """A day (`YYYY-MM-DD`) that a shipment can be delivered on."""

    date: Text = None
    time_slots: Many[TimeSlot] = ()


class DateRange(Sent):
    """First and last day, both `YYYY-MM-DD`."""

    start_date: Text = None
    end_date: Text = None


class DeliveryWindow(Sent):
    """A span of days with a price; Firmly documents no way to choose one."""

    name: Text = None
    price: Amount = None
    date_range: DateRange | None = None


class Availability(Sent):
    """When a `SCHEDULED_DELIVERY` shipment can come (Firmly: get-availability)."""

    shipment_id: Id = None
    available_dates: Many[AvailableDate] = ()
    delivery_windows: Many[DeliveryWindow] = ()


class PostalCode(Sent):
    """The shopper's postal code for all stores; empty or None when unset (Firmly: get-postal-code)."""

    postal_code: Text = None


class ActiveDomains(Sent):
    """Stores where this device has a cart with something in it (Firmly: get-active-domains)."""

    domains: Many[Word] = ()
