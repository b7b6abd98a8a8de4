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
from firmly_mcp.api.encoding import store_name
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
from firmly_mcp.settings import Owner

from .deps import Deps, StoreClients
from .journal.lookup import PurchaseKeys
from .models import Attempt, Item, OrderIntent, ProgressEvent, intent_key
from .quote import Quote, purchase_key

Tell = Callable[[ProgressEvent], None]

_NOT_PRICED: Final = (
    "The store did not give the price: one of its answers was missing or an error. Nothing was ordered, and the "
    "person's own cart was not touched. The same call can be made again."
)
# A token that is at hand when the price is read last is still good for the order that follows.
_SPARE_SECONDS: Final = 60.0


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

    async def discard_cart(self) -> None:
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

    async def discard_cart(self) -> None:
        return None


@dataclass(slots=True)
class ItemsOrder:
    """Have the store make a cart of these items for this address, and pay it."""

    store: str
    items: Sequence[Item]
    shipping: Mapping[str, str]
    pricing: FirmlyClient
    stores: StoreClients
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
        self._sender = await self.stores.of_attempt(attempt_id)
        await self._session_at_hand()

    async def _session_at_hand(self) -> None:
        assert self._sender is not None, "an attempt is prepared before its price is read again"
        await self._sender.session.token(for_order=True, spare=_SPARE_SECONDS)
        if not self._sender.session.persisted:
            raise WalletError(
                "The keyring does not keep what is needed to find out how this order ends. Nothing was sent."
            )

    async def settled(self, attempt_id: str) -> None:
        await self.stores.forget(attempt_id)

    async def send(
        self, sealed: EncryptedCard, billing: Mapping[str, str], hold: CartLock | None, tell: Tell, last_look: LastLook
    ) -> StreamResult:
        items = [(encoding.unpack(item.ref), item.quantity) for item in self.items]
        assert self._sender is not None, "an attempt is prepared before it is sent"
        order = self._sender.place_order(self.store, items, self.shipping, billing, sealed, last_look=last_look)
        async with order as events:
            return await read_to_end(events, lambda event: tell(_in_words(event)))

    async def discard_cart(self) -> None:
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


async def request_for(intent: OrderIntent, deps: Deps) -> OrderRequest:
    """Return the way to order that an intent means.

    Raises:
        InvalidRequest: the store is no host name.
        AddressNotFound: no address has this label.
    """
    store = store_name(intent.store)
    if intent.items is None:
        return CartOrder(store, await deps.stores.shopper())
    address = await deps.wallet.address(intent.address)
    return ItemsOrder(store, intent.items, address.as_firmly(), await deps.stores.throwaway(), deps.stores)


def keys_of(request: OrderRequest, intent: OrderIntent, cart: Cart, owner: Owner) -> PurchaseKeys:
    """Return what finds the attempts of this purchase once its cart was read; it takes no card and no keyring."""
    return PurchaseKeys(
        store=request.store,
        intent_key=request.intent_key,
        purchase_key=purchase_key(owner.environment, owner.shopper, request.store, cart),
        cart_id=cart.cart_id if request.sends_cart else None,
        reference=intent.reference,
    )


def new_attempt(attempt_id: str, purchase: OrderRequest, quoted: Quote, reference: str | None) -> Attempt:
    """Return the attempt that an order of this quote would be, before it is written."""
    return Attempt(
        id=attempt_id,
        store=quoted.store,
        tool=purchase.tool,
        purchase_key=quoted.purchase_key,
        digest=quoted.digest,
        cart_id=quoted.cart_id if purchase.sends_cart else None,
        total=quoted.total,
        lines=quoted.lines,
        card=quoted.payer.card,
        reference=reference,
        address_hash=quoted.address_hash,
        intent_key=purchase.intent_key,
    )
