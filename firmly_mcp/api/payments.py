"""An order request is sent at most once: nothing here repeats, renews or falls back after the first byte.

The result states what is proven. Unreachable: nothing was sent. A StoreError: refused, and proven so.
OutcomeUnknown: sent, and nothing proves how it ended. An Order: placed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import FirmlyError, OutcomeUnknown, StoreError, UnexpectedAnswer, Unreachable
from firmly_mcp.redaction import OneUse

from .calls import Calls, not_reached
from .error_codes import envelope, error_from_event, error_from_response, names_an_order, proves_not_placed
from .fields import names_each_field_once, parse_json, read
from .models import Cart, Order
from .session import DeviceSession
from .transport import LastLook, NoAnswer, NotSent, OneUseBody, Request, Response, Stream, json_bytes

# A JWE in compact form. An order waits for its answer for minutes: what its frames hold then is empty.
EncryptedCard = OneUse[SecretStr] | SecretStr | str


@dataclass(frozen=True)
class NotConfirmed:
    """A 200 without an order: `cart` is what came, and its `notice` may state why. It proves nothing."""

    cart: Cart


class Payments:
    """The two ways to order, each one request."""

    def __init__(self, session: DeviceSession, calls: Calls) -> None:
        self._session = session
        self._calls = calls

    async def complete(
        self, store: str, body: Mapping[str, object], card: EncryptedCard, last_look: LastLook | None = None
    ) -> Order | NotConfirmed:
        """POST /api/v2/payment/domains/{d}/complete-order (Firmly: complete-order-v2). Raises as the module states."""
        request = await self._prepared(f"/api/v2/payment/domains/{store}/complete-order", body, card, last_look)
        try:
            answer = await self._session.http.send_alone(request)
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise OutcomeUnknown(f"The order was sent, but {failure}.") from None
        return _outcome(answer)

    @asynccontextmanager
    async def place(
        self, store: str, body: Mapping[str, object], card: EncryptedCard, last_look: LastLook | None = None
    ) -> AsyncIterator[AsyncGenerator[OrderEvent, None]]:
        """POST /api/v2/payment/domains/{d}/place-order?sse=true (Firmly: place-order-v2). Raises as the module states.

        `read_to_end` combines the events to what they prove together.
        """
        path = f"/api/v2/payment/domains/{store}/place-order?sse=true"
        request = await self._prepared(path, body, card, last_look)
        try:
            async with self._session.http.stream_alone(request) as answer, aclosing(_events(answer)) as events:
                yield events
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise OutcomeUnknown(f"The order was sent, but {failure}.") from None

    async def _prepared(
        self, path: str, body: Mapping[str, object], card: EncryptedCard, last_look: LastLook | None
    ) -> Request:
        try:
            token = await self._session.token(for_order=True)
        except FirmlyError as error:
            raise Unreachable(f"The order was not sent: {error.message}", next=error.next) from error
        url = self._session.hosts.payment + path
        taken = card.take() if isinstance(card, OneUse) else card
        jwe = taken if isinstance(taken, str) else taken.get_secret_value()
        content = OneUseBody(json_bytes({**body, "encrypted_card": jwe}))
        return Request("POST", url, self._calls.authorization(token), content, last_look)


def _outcome(answer: Response) -> Order | NotConfirmed:
    if isinstance(answer.body, dict) and answer.body.get("platform_order_number"):
        # The number of an order counts for more than any error that came with it.
        with suppress(OutcomeUnknown):
            return confirmed(answer.body)
    if answer.status >= 400:
        error = error_from_response(
            answer.status, answer.body, answer.headers, request_id=answer.request_id, order=True
        )
        if answer.whole and proves_not_placed(error):
            raise error
        error.money_moved = "unknown"
        raise OutcomeUnknown("The order was sent, and the answer does not prove that it was refused.", answer=error)
    if not answer.is_success or not isinstance(answer.body, dict):
        raise OutcomeUnknown("The order was sent, but the answer is none that Firmly documents.")
    try:
        return NotConfirmed(read(Cart, answer.body))
    except UnexpectedAnswer:
        raise OutcomeUnknown("The order was sent and answered, but without an order number.") from None


async def _events(answer: Stream | Response) -> AsyncGenerator[OrderEvent, None]:
    if isinstance(answer, Response):
        yield _as_event(answer)
        return
    async with aclosing(order_events(answer)) as events:
        async for event in events:
            yield event


def _as_event(answer: Response) -> OrderEvent:
    """An answer that came whole instead of a stream."""
    outcome = _outcome(answer)
    if isinstance(outcome, Order):
        return OrderPlaced(outcome)
    raise OutcomeUnknown("The order was sent and answered, but without an order number.")


# The order stream as typed events, read to its end.


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
    """The store reported an error. It proves something only as a part of the whole stream (see `StreamResult`)."""

    error: StoreError


@dataclass(frozen=True)
class UnknownEvent:
    """An event that is not documented, or a documented step whose data cannot be read."""

    name: str


@dataclass(frozen=True)
class UnclearEvent:
    """An event that may concern the order's outcome, in a way that cannot be read: with it, no refusal is proven."""

    name: str


OrderEvent = CreatingCart | ItemAdded | ShippingUpdated | OrderPlaced | StreamError | UnknownEvent | UnclearEvent


@dataclass(frozen=True)
class StreamResult:
    """What a stream holds from its beginning to its end, for `checkout.proof` to conclude from.

    `order` is the first that was confirmed, and `another_number` is True where a later one has another number. `error`
    is the last error. `only_refusals` is True where every event from the first error on is an error that proves a
    refusal, and no event is unclear. `broken` states how the stream broke off, and is None where it ended properly.
    """

    order: Order | None = None
    another_number: bool = False
    error: StoreError | None = None
    only_refusals: bool = True
    broken: str | None = None

    def after(self, event: OrderEvent) -> StreamResult:
        """Return what the stream holds with one more event."""
        if isinstance(event, OrderPlaced):
            return self._after_order(event.order)
        if isinstance(event, StreamError):
            proves = self.only_refusals and proves_not_placed(event.error)
            return replace(self, error=event.error, only_refusals=proves)
        if isinstance(event, UnclearEvent) or self.error is not None:
            return replace(self, only_refusals=False)
        return self

    def _after_order(self, order: Order) -> StreamResult:
        if self.order is None:
            return replace(self, order=order)
        same = order.platform_order_number == self.order.platform_order_number
        return self if same else replace(self, another_number=True)


# A store that confirmed the order may leave its stream open (Firmly's own sample closes it from the client's side).
_AFTER_ORDER_SECONDS: Final = 1.0

_WITH_CART: Final[Mapping[str, type[ItemAdded | ShippingUpdated]]] = {
    "item-added": ItemAdded,
    "shipping-updated": ShippingUpdated,
}

# What the parser makes of a block with an `id:` or `retry:` alone; by the standard it is no event.
_ONLY_AN_ID: Final = ("message", "")


async def order_events(stream: Stream) -> AsyncGenerator[OrderEvent, None]:
    """Give the stream's events as they come, to its end; after an order, for a second at most.

    Raises:
        OutcomeUnknown: the stream held no order, and broke off or ended in a way that may be a cut.
    """
    is_placed = False
    while True:
        try:
            sent = await stream.next_event()
        except NoAnswer as failure:
            if is_placed:
                return
            raise OutcomeUnknown(f"The order was sent, but {failure}.") from None
        if sent is None:
            break
        if sent == _ONLY_AN_ID:
            continue
        event = order_event(*sent, request_id=stream.request_id)
        yield event
        if isinstance(event, OrderPlaced) and not is_placed:
            is_placed = True
            stream.end_within(_AFTER_ORDER_SECONDS)
    if not (is_placed or stream.ended_properly):
        raise OutcomeUnknown("The order was sent, but the store's answer may have been cut off before its end.")


async def read_to_end(events: AsyncIterator[OrderEvent], report: Callable[[OrderEvent], None]) -> StreamResult:
    """Read a stream to its end, report each event as it comes, and return what they hold together.

    Raises:
        StoreError: an answer that is no stream refused the order, and proves so.
        OutcomeUnknown: an answer that is no stream proves nothing.
    """
    result = StreamResult()
    try:
        async for event in events:
            result = result.after(event)
            report(event)
    except OutcomeUnknown as failure:
        if failure.answer is not None:
            raise
        return replace(result, broken=failure.message)
    except Exception:
        # Whatever broke after the order was confirmed, the order exists.
        if result.order is None:
            raise
    return result


def order_event(name: str, data: str, *, request_id: str | None = None) -> OrderEvent:
    """One event by its name and its data, which is JSON."""
    content = data.encode(errors="replace")
    try:
        read_data = parse_json(content)
    except ValueError:
        read_data = None
    fields = read_data if isinstance(read_data, dict) else {}
    match name:
        case "order-placed":
            return _order_placed(fields)
        case "error" if envelope(fields).name and names_each_field_once(content):
            return StreamError(error_from_event(fields, request_id=request_id))
        case "error":
            return UnclearEvent(name)
        case _ if names_an_order(read_data):
            return UnclearEvent(name[:64])
        case "creating-cart":
            return CreatingCart()
    return _with_cart(name, fields.get("cart"))


def _order_placed(fields: dict[str, object]) -> OrderEvent:
    try:
        return OrderPlaced(confirmed(fields.get("order")))
    except OutcomeUnknown:
        return UnclearEvent("order-placed")


def confirmed(raw: object) -> Order:
    """An order with its number. Its other fields may be beyond reading: that it exists counts for more.

    Raises:
        OutcomeUnknown: it has no order number.
    """
    try:
        order = read(Order, raw)
    except UnexpectedAnswer:
        order = _bare_order(raw)
    if not (order.platform_order_number or "").strip():
        raise OutcomeUnknown("The order was sent and answered, but without an order number.")
    return order


def _bare_order(raw: object) -> Order:
    fields = raw if isinstance(raw, dict) else {}
    kept: dict[str, object] = {}
    for name in ("platform_order_number", "cart_id", "total"):
        try:
            kept |= {name: getattr(read(Order, {name: fields.get(name)}), name)}
        except UnexpectedAnswer:
            continue
    return read(Order, kept).model_copy(update={"inconsistencies": ("the order's details cannot be read",)})


def _with_cart(name: str, raw: object) -> OrderEvent:
    if name in _WITH_CART and isinstance(raw, dict):
        try:
            return _WITH_CART[name](read(Cart, raw))
        except UnexpectedAnswer:
            pass
    return UnknownEvent(name[:64])
