"""The two ways to order at Firmly, behind one shape: learn the price, read it again, send once.

`CartOrder` pays the shopper's own cart (complete-order). `ItemsOrder` has the store make a cart of given items
(place-order, streamed): its price is learnt from a cart of the same items on a device of its own, and it is sent from
another device of its own, so the shopper's cart is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from firmly_mcp.api import encoding
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.locks import CartLock
from firmly_mcp.api.models import Cart, Order
from firmly_mcp.api.payments import (
    CreatingCart,
    EncryptedCard,
    ItemAdded,
    OrderEvent,
    OrderPlaced,
    ShippingUpdated,
    StreamError,
    StreamResult,
    read_to_end,
)
from firmly_mcp.api.transport import LastLook
from firmly_mcp.errors import FirmlyError, WalletError

from .models import Item, ProgressEvent, intent_key

Tell = Callable[[ProgressEvent], None]

_NOT_PRICED: Final = (
    "The store did not give the price: one of its answers was missing or an error. Nothing was ordered, and the "
    "person's own cart was not touched. The same call can be made again."
)
# A token that is at hand when the price is read last is still good for the order that follows.
_SPARE_SECONDS: Final = 60.0


class SendingDevices(Protocol):
    """Devices at Firmly that live for one attempt; their tokens are kept until the attempt's outcome is certain."""

    async def of_attempt(self, attempt_id: str) -> FirmlyClient:
        """The attempt's own device, made at the first call and found again at any later one."""

    async def kept(self, attempt_id: str) -> FirmlyClient | None:
        """The attempt's own device as it was made; None where its token is not kept."""

    async def forget(self, attempt_id: str) -> None:
        """Delete the attempt's token."""


class OrderRequest(Protocol):
    """What placement needs to know of a way to order."""

    @property
    def tool(self) -> str:
        """The MCP tool that asks for it."""

    @property
    def store(self) -> str:
        """The merchant's domain."""

    @property
    def intent_key(self) -> str | None:
        """What finds its attempts before anything is read; None where the shopper's own cart is paid."""

    @property
    def sends_cart(self) -> bool:
        """Whether the cart that is priced is the cart that is paid."""

    @property
    def steps(self) -> int:
        """How many steps its feed will have, roughly."""

    def hold(self) -> AbstractAsyncContextManager[CartLock | None]:
        """Keep others from changing the cart, from the check to the outcome."""

    async def price(self) -> Cart:
        """The cart with its final total."""

    async def price_again(self, hold: CartLock | None) -> Cart:
        """The same cart as it is now, read once everything is at hand that `send` needs."""

    @property
    def is_ready(self) -> bool:
        """Whether `send` needs nothing more from the network or the keyring before its request."""

    async def prepare(self, attempt_id: str) -> None:
        """Have at hand what settling this attempt will need, should its outcome stay in doubt."""

    async def settled(self, attempt_id: str) -> None:
        """Let go of that: the outcome is certain."""

    async def send(
        self, sealed: EncryptedCard, billing: Mapping[str, str], hold: CartLock | None, tell: Tell, last_look: LastLook
    ) -> Order | StreamResult | None:
        """Send the order request, once, and read its answer to the end. None is an answer without an order.

        `last_look` is awaited right before the request's first byte; what it raises is raised here, and nothing was
        sent.
        """

    async def tidy(self) -> None:
        """Leave nothing behind that was made only to learn a price."""


@dataclass(frozen=True, slots=True)
class CartOrder:
    """Pay the shopper's own cart at a store."""

    store: str
    firmly: FirmlyClient
    tool: str = "complete_order"
    intent_key: str | None = None
    sends_cart: bool = True
    steps: int = 2

    def hold(self) -> AbstractAsyncContextManager[CartLock | None]:
        return self.firmly.hold(self.store)

    async def price(self) -> Cart:
        return await self.firmly.get_cart(self.store)

    async def price_again(self, hold: CartLock | None) -> Cart:
        await self.firmly.session.token(for_order=True, spare=_SPARE_SECONDS)
        return await self.firmly.get_cart(self.store, hold=hold)

    @property
    def is_ready(self) -> bool:
        return self.firmly.session.has_token

    async def prepare(self, attempt_id: str) -> None:
        # The shopper's own device is kept anyway; a session in memory could not be asked after a crash.
        await self.firmly.session.token(for_order=True)

    async def settled(self, attempt_id: str) -> None:
        return None

    async def send(
        self, sealed: EncryptedCard, billing: Mapping[str, str], hold: CartLock | None, tell: Tell, last_look: LastLook
    ) -> Order | None:
        answer = await self.firmly.complete_order(self.store, sealed, billing, hold=hold, last_look=last_look)
        return answer if isinstance(answer, Order) else None

    async def tidy(self) -> None:
        return None


@dataclass(slots=True)
class ItemsOrder:
    """Have the store make a cart of these items for this address, and pay it."""

    store: str
    items: Sequence[Item]
    shipping: Mapping[str, str]
    pricing: FirmlyClient
    senders: SendingDevices
    tool: str = "place_order"
    sends_cart: bool = False
    _sender: FirmlyClient | None = None

    @property
    def intent_key(self) -> str | None:
        return intent_key(self.items)

    @property
    def steps(self) -> int:
        # sending, creating-cart, an item-added each, shipping-updated, order-placed, and the outcome
        return 5 + len(self.items)

    def hold(self) -> AbstractAsyncContextManager[CartLock | None]:
        return nullcontext()

    async def price(self) -> Cart:
        try:
            for item in self.items:
                await self.pricing.add_line_item(self.store, encoding.unpack(item.ref), item.quantity)
            return await self.pricing.set_shipping_info(self.store, self.shipping)
        except FirmlyError as error:
            if error.perhaps_made:
                # What may be in this cart concerns the person as little as the cart does: the next call has another.
                error.restate(_NOT_PRICED, next=None, retry_safe=True)
            raise

    async def price_again(self, hold: CartLock | None) -> Cart:
        await self._session_at_hand()
        return await self.pricing.get_cart(self.store)

    @property
    def is_ready(self) -> bool:
        return self._sender is not None and self._sender.session.has_token

    async def prepare(self, attempt_id: str) -> None:
        self._sender = await self.senders.of_attempt(attempt_id)
        await self._session_at_hand()

    async def _session_at_hand(self) -> None:
        assert self._sender is not None, "an attempt is prepared before its price is read again"
        await self._sender.session.token(for_order=True, spare=_SPARE_SECONDS)
        if not self._sender.session.persisted:
            raise WalletError(
                "The keyring does not keep what is needed to find out how this order ends. Nothing was sent."
            )

    async def settled(self, attempt_id: str) -> None:
        await self.senders.forget(attempt_id)

    async def send(
        self, sealed: EncryptedCard, billing: Mapping[str, str], hold: CartLock | None, tell: Tell, last_look: LastLook
    ) -> StreamResult:
        items = [(encoding.unpack(item.ref), item.quantity) for item in self.items]
        assert self._sender is not None, "an attempt is prepared before it is sent"
        order = self._sender.place_order(self.store, items, self.shipping, billing, sealed, last_look=last_look)
        async with order as events:
            return await read_to_end(events, lambda event: tell(_in_words(event)))

    async def tidy(self) -> None:
        with suppress(FirmlyError):
            await self.pricing.clear_cart(self.store)


def _in_words(happened: OrderEvent) -> ProgressEvent:
    match happened:
        case CreatingCart():
            return ProgressEvent("creating-cart", "The store is making the cart. No charge is confirmed.", "unknown")
        case ItemAdded():
            return ProgressEvent("item-added", "An item is in the store's cart. No charge is confirmed.", "unknown")
        case ShippingUpdated():
            return ProgressEvent("shipping-updated", "Shipping and tax are set. No charge is confirmed.", "unknown")
        case OrderPlaced():
            return ProgressEvent("order-placed", "The store confirmed the order.", "yes")
        case StreamError():
            return ProgressEvent("error", "The store reported a problem. No outcome is confirmed.", "unknown")
        case _:
            return ProgressEvent("store-event", "The store reported a step that is not known here.", "unknown")
