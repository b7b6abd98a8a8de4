"""What Firmly tells beside carts: an order's status, delivery dates, the postal code, stores with a cart."""

from __future__ import annotations

from .fields import Amount, Count, Flag, Id, Many, Sent, Text, Word
from .models import FulfillmentType


class Tracking(Sent):
    """Where a parcel is; times as ISO 8601 text."""

    tracking_number: Id = None
    carrier: Text = None
    shipped_at: Text = None
    delivered_at: Text = None


class StatusLine(Sent):
    """An ordered item and how far it is."""

    line_item_id: Id = None
    sku: Id = None
    status: Text = None
    quantity: Count = None
    tracking: Tracking | None = None
    refund_amount: Amount = None


class Fulfillment(Tracking):
    """A parcel of the order, with the skus in it."""

    id: Id = None
    status: Text = None
    estimated_delivery: Text = None
    line_item_skus: Many[Word] = ()


class StatusEvent(Sent):
    """Something that happened to the order, with its time as ISO 8601 text."""

    type: Text = None
    timestamp: Text = None
    description: Text = None
    line_item_sku: Id = None


class ReturnedLine(Sent):
    """What comes back in a return."""

    sku: Id = None
    quantity: Count = None


class Return(Sent):
    """A return and how far it is."""

    id: Id = None
    status: Text = None
    line_items: Many[ReturnedLine] = ()


class Refund(Sent):
    """Money given back."""

    id: Id = None
    amount: Amount = None


class OrderStatus(Sent):
    """Where an order is, read from the merchant now (Firmly: get-order-status). `status` is an open set of words."""

    status: Text = None
    order_number: Id = None
    refund_total: Amount = None
    order_status_page_url: Text = None
    line_items: Many[StatusLine] = ()
    fulfillments: Many[Fulfillment] = ()
    events: Many[StatusEvent] = ()
    returns: Many[Return] = ()
    refunds: Many[Refund] = ()


class TimeSlot(Sent):
    """A part of a day; Firmly documents no way to choose one."""

    slot_id: Id = None
    start_time: Text = None
    end_time: Text = None
    description: Text = None
    available: Flag = None


class AvailableDate(Sent):
    """A day (`YYYY-MM-DD`) that a shipment can be delivered on."""

    date: Text = None
    description: Text = None
    time_slots: Many[TimeSlot] = ()


class DateRange(Sent):
    """First and last day, both `YYYY-MM-DD`."""

    start_date: Text = None
    end_date: Text = None


class DeliveryWindow(Sent):
    """A span of days with a price; Firmly documents no way to choose one."""

    window_id: Id = None
    name: Text = None
    description: Text = None
    price: Amount = None
    date_range: DateRange | None = None


class Availability(Sent):
    """When a `SCHEDULED_DELIVERY` shipment can come (Firmly: get-availability)."""

    shipment_id: Id = None
    fulfillment_type: FulfillmentType | None = None
    available_dates: Many[AvailableDate] = ()
    delivery_windows: Many[DeliveryWindow] = ()


class PostalCode(Sent):
    """The shopper's postal code for all stores; empty or None when unset (Firmly: get-postal-code)."""

    postal_code: Text = None


class ActiveDomains(Sent):
    """Stores where this device has a cart with something in it (Firmly: get-active-domains)."""

    domains: Many[Word] = ()
