"""From a wish to a quote: which purchase is meant, what its cart says now, who pays, and where it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.encoding import store_name
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CartNotFound, FirmlyError
from firmly_mcp.wallet.wallet import Wallet

from .journal.lookup import PurchaseKeys
from .models import CardRef, OrderIntent
from .quote import PaymentMethod, Quote, Recipient, purchase_key, quote, recipient, shipping_of
from .requests import CartOrder, ItemsOrder, OrderRequest, SendingDevices


class Quoting:
    """Reads what an order would be.

    `firmly` is the shopper's own device, `new_device` makes one that nobody else has.
    """

    def __init__(
        self,
        *,
        environment: str,
        shopper: str,
        vault: Wallet,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        new_device: Callable[[], Awaitable[FirmlyClient]],
        devices: SendingDevices,
    ) -> None:
        self._environment = environment
        self._shopper = shopper
        self._vault = vault
        self._firmly = firmly
        self._new_device = new_device
        self._devices = devices

    async def purchase(self, wish: OrderIntent) -> OrderRequest:
        """The way to order that a wish means.

        Raises:
            InvalidRequest: the store is no host name.
            AddressNotFound: no address has this label.
        """
        store = store_name(wish.store)
        if wish.items is None:
            return CartOrder(store, await self._firmly())
        entry = await self._vault.address(wish.address)
        return ItemsOrder(store, wish.items, entry.as_firmly(), await self._new_device(), self._devices)

    async def priced(self, purchase: OrderRequest) -> Cart | None:
        """Its cart with the store's total, or None where there is no cart."""
        async with tidied_on_error(purchase):
            try:
                return await purchase.price()
            except CartNotFound:
                return None

    def keys(self, purchase: OrderRequest, wish: OrderIntent, cart: Cart | None) -> PurchaseKeys:
        """What finds the attempts of this purchase, once its cart was read; it takes no card and no keyring."""
        return PurchaseKeys(
            store=purchase.store,
            intent_key=purchase.intent_key,
            purchase_key=None if cart is None else purchase_key(self._environment, self._shopper, purchase.store, cart),
            cart_id=cart.cart_id if cart is not None and purchase.sends_cart else None,
            reference=wish.reference,
        )

    async def quoted(self, purchase: OrderRequest, wish: OrderIntent, cart: Cart | None) -> Quote:
        """The cart as something to pay.

        Raises:
            NotAllowed: it cannot be paid as it is; says what is missing.
            CardNotFound, AddressNotFound: no card has the wish's label, or its billing address is gone.
        """
        payer = await self._payer(wish.card)
        if isinstance(purchase, ItemsOrder):
            payer = replace(payer, ships_to=purchase.shipping)
        return quote(purchase.store, cart or Cart(), payer)

    async def recipient(self, wish: OrderIntent, cart: Cart | None, payer: PaymentMethod) -> Recipient:
        """What the address book knows of where the order goes."""
        label = None if wish.items is None else (await self._vault.address(wish.address)).label
        return recipient(await self._vault.addresses(), shipping_of(cart or Cart(), payer), label)

    async def _payer(self, card: str | None) -> PaymentMethod:
        summary = await self._vault.card_summary(card)
        billing = await self._vault.address(summary.billing_address)
        firmly = await self._firmly()
        return PaymentMethod(
            environment=self._environment,
            shopper=self._shopper,
            payment_host=firmly.session.hosts.payment,
            card=CardRef(summary.label, summary.brand, summary.last_four),
            billing=billing.as_firmly(),
            address_key=await self._vault.address_key(),
        )


@asynccontextmanager
async def tidied_on_error(purchase: OrderRequest) -> AsyncIterator[None]:
    """Leave no cart behind that was made only to learn a price, should the order end here."""
    try:
        yield
    except FirmlyError:
        await purchase.tidy()
        raise
