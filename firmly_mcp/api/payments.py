"""An order request is sent at most once: nothing here repeats, renews or falls back after the first byte.

What comes out says what is proven. Unreachable: nothing was sent. A StoreError: refused, and proven so. NoProof: sent,
and nothing proves how it ended. An Order: placed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from firmly_mcp.errors import FirmlyError, UnexpectedAnswer, Unreachable

from .calls import Calls, not_reached
from .events import OrderEvent, OrderPlaced, confirmed, order_events
from .fields import read
from .models import Cart, Order
from .one_use import OneUseBody
from .one_use import SealedCard as SealedCard
from .refusals import NoProof, proves_not_placed, refusal
from .session import DeviceSession
from .transport import Answer, LastLook, NoAnswer, NotSent, Request, Stream, json_bytes


@dataclass(frozen=True)
class NotConfirmed:
    """A 200 without an order: `cart` is what came, and its `notice` may say why. It proves neither yes nor no."""

    cart: Cart


class Payments:
    """The two ways to order, each one request."""

    def __init__(self, session: DeviceSession, calls: Calls) -> None:
        self._session = session
        self._calls = calls

    async def complete(
        self, store: str, body: Mapping[str, object], sealed: SealedCard | str, last_look: LastLook | None = None
    ) -> Order | NotConfirmed:
        """POST /api/v2/payment/domains/{d}/complete-order (Firmly: complete-order-v2). Raises as the module says."""
        request = await self._prepared(f"/api/v2/payment/domains/{store}/complete-order", body, sealed, last_look)
        try:
            answer = await self._session.http.send_alone(request)
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise NoProof(f"The order was sent, but {failure}.") from None
        return _outcome(answer)

    @asynccontextmanager
    async def place(
        self, store: str, body: Mapping[str, object], sealed: SealedCard | str, last_look: LastLook | None = None
    ) -> AsyncIterator[AsyncGenerator[OrderEvent, None]]:
        """POST /api/v2/payment/domains/{d}/place-order?sse=true (Firmly: place-order-v2). Raises as the module says.

        `events.read_to_end` makes of the events what they prove together.
        """
        path = f"/api/v2/payment/domains/{store}/place-order?sse=true"
        request = await self._prepared(path, body, sealed, last_look)
        try:
            async with self._session.http.stream_alone(request) as answer, aclosing(_events(answer)) as events:
                yield events
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise NoProof(f"The order was sent, but {failure}.") from None

    async def _prepared(
        self, path: str, body: Mapping[str, object], sealed: SealedCard | str, last_look: LastLook | None
    ) -> Request:
        try:
            token = await self._session.token(for_order=True)
        except FirmlyError as error:
            raise Unreachable(f"The order was not sent: {error.message}", next=error.next) from error
        url = self._session.hosts.payment + path
        card = sealed if isinstance(sealed, str) else sealed.get_secret_value()
        content = OneUseBody(json_bytes({**body, "encrypted_card": card}))
        return Request("POST", url, self._calls.authorization(token), content, last_look)


def _outcome(answer: Answer) -> Order | NotConfirmed:
    if isinstance(answer.body, dict) and answer.body.get("platform_order_number"):
        # The number of an order counts for more than any error that came with it.
        with suppress(NoProof):
            return confirmed(answer.body)
    if answer.status >= 400:
        error = refusal(answer.status, answer.body, answer.headers, request_id=answer.request_id, order=True)
        if answer.whole and proves_not_placed(error):
            raise error
        error.money_moved = "unknown"
        raise NoProof("The order was sent, and the answer does not prove that it was refused.", answer=error)
    if not answer.succeeded or not isinstance(answer.body, dict):
        raise NoProof("The order was sent, but the answer is none that Firmly documents.")
    try:
        return NotConfirmed(read(Cart, answer.body))
    except UnexpectedAnswer:
        raise NoProof("The order was sent and answered, but without an order number.") from None


async def _events(answer: Stream | Answer) -> AsyncGenerator[OrderEvent, None]:
    if isinstance(answer, Answer):
        yield _as_event(answer)
        return
    async with aclosing(order_events(answer)) as events:
        async for event in events:
            yield event


def _as_event(answer: Answer) -> OrderEvent:
    """An answer that came whole instead of a stream."""
    outcome = _outcome(answer)
    if isinstance(outcome, Order):
        return OrderPlaced(outcome)
    raise NoProof("The order was sent and answered, but without an order number.")
