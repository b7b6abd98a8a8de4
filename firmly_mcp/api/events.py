"""The order stream as typed events. Only `order-placed` with an order number proves an order; an end proves nothing.

Firmly's documented events (Firmly: place-order-v2): creating-cart, item-added, shipping-updated, order-placed, error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from firmly_mcp.errors import StoreError, UnexpectedAnswer

from .fields import parse_json, read
from .models import Cart, Order
from .refusals import NoProof, envelope, stream_refusal
from .transport import NoAnswer, Stream


@dataclass(frozen=True)
class CreatingCart:
    """The store began to make a cart."""


@dataclass(frozen=True)
class ItemAdded:
    """An item, or all of them, is in the cart."""

    cart: Cart


@dataclass(frozen=True)
class ShippingUpdated:
    """The address is set; shipping and tax are in the cart."""

    cart: Cart


@dataclass(frozen=True)
class OrderPlaced:
    """The store took the order; it has a `platform_order_number`."""

    order: Order


@dataclass(frozen=True)
class StreamError:
    """The store said no; `refusals.proves_not_placed` tells whether that proves that nothing was placed."""

    error: StoreError


@dataclass(frozen=True)
class UnknownEvent:
    """An event that is not documented, or a documented one whose data cannot be read."""

    name: str


OrderEvent = CreatingCart | ItemAdded | ShippingUpdated | OrderPlaced | StreamError | UnknownEvent

_WITH_CART: Final[Mapping[str, type[ItemAdded | ShippingUpdated]]] = {
    "item-added": ItemAdded,
    "shipping-updated": ShippingUpdated,
}

# What the parser makes of a block with an `id:` or `retry:` alone; by the standard it is no event.
_ONLY_AN_ID: Final = ("message", "")


async def order_events(stream: Stream) -> AsyncGenerator[OrderEvent, None]:
    """The stream's events, to the one that ends it: `OrderPlaced` or `StreamError`.

    Raises:
        NoProof: the stream ended, broke or lost its meaning before that.
    """
    while True:
        try:
            sent = await stream.next_event()
        except NoAnswer as failure:
            raise NoProof(f"The order was sent, but {failure}.") from None
        if sent is None:
            raise NoProof("The order was sent, but the answer ended before the store confirmed or refused it.")
        if sent == _ONLY_AN_ID:
            continue
        event = order_event(*sent, request_id=stream.request_id)
        yield event
        if isinstance(event, OrderPlaced | StreamError):
            return


def order_event(name: str, data: str, *, request_id: str | None = None) -> OrderEvent:
    """One event by its name and its data, which is JSON.

    Raises:
        NoProof: it tells how the order ended, but not in a way that can be read.
    """
    try:
        content = parse_json(data.encode(errors="replace"))
    except ValueError:
        content = None
    fields = content if isinstance(content, dict) else {}
    if name == "order-placed":
        return OrderPlaced(confirmed(fields.get("order")))
    if name == "error":
        return _stream_error(fields, request_id)
    if name == "creating-cart":
        return CreatingCart()
    return _with_cart(name, fields.get("cart"))


def confirmed(raw: object) -> Order:
    """An order with its number. Its other fields may be beyond reading: that it exists counts for more.

    Raises:
        NoProof: there is no order number.
    """
    try:
        order = read(Order, raw)
    except UnexpectedAnswer:
        order = _bare_order(raw)
    if not (order.platform_order_number or "").strip():
        raise NoProof("The order was sent and answered, but without an order number.")
    return order


def _bare_order(raw: object) -> Order:
    fields = raw if isinstance(raw, dict) else {}
    kept: dict[str, object] = {}
    for name in ("platform_order_number", "cart_id", "total"):
        try:
            kept |= {name: getattr(read(Order, {name: fields.get(name)}), name)}
        except UnexpectedAnswer:
            continue
    return read(Order, kept).model_copy(update={"doubts": ("the order's details cannot be read",)})


def _stream_error(fields: dict[str, object], request_id: str | None) -> StreamError:
    if not envelope(fields).name:
        raise NoProof("The order was sent, and the store reported an error that cannot be read.")
    return StreamError(stream_refusal(fields, request_id=request_id))


def _with_cart(name: str, raw: object) -> OrderEvent:
    if name in _WITH_CART and isinstance(raw, dict):
        try:
            return _WITH_CART[name](read(Cart, raw))
        except UnexpectedAnswer:
            pass
    return UnknownEvent(name[:64])
