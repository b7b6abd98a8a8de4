"""One coroutine per endpoint, in Firmly's words.

Calls at a store's cart run one at a time (see `locks`); inside `hold(store)`, give `get_cart` and `complete_order` its
lock. Besides what a call names, any may raise Unreachable, UnexpectedAnswer, Unauthorized, RateLimited and
StoreUnavailable. A `repeatable` change has the same result when it is made twice; what adds something (a line, an
addon, promo codes) is not repeatable.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Final, Literal

from firmly_mcp.errors import NotFound
from firmly_mcp.money import Money

from .calls import Calls
from .encoding import (
    AddressFields,
    Item,
    address_body,
    at_least,
    cents,
    given,
    items_body,
    page_url,
    query,
    query_of,
    search_url,
    segment,
    store_name,
)
from .error_codes import invalid_request, method_kept
from .fields import read
from .locks import CartLock
from .models import Cart, Order, PaymentKey, carts
from .order_status import ActiveDomains, Availability, OrderStatus, PostalCode
from .payments import EncryptedCard, NotConfirmed, OrderEvent, Payments
from .products import Product, ProductListing, SearchPage, listings, product_page, search_page
from .session import DeviceSession, Notice
from .transport import LastLook

ALL: Final = slice(0, None)


class FirmlyClient:
    """Firmly's API for one device."""

    def __init__(self, session: DeviceSession) -> None:
        self.session = session
        self._api = f"{session.hosts.api}/api"
        self._calls = Calls(session)
        self._payments = Payments(session, self._calls)
        self._get_cart_tail = ""

    def take_notices(self) -> tuple[Notice, ...]:
        """What the shopper has to know since the last call: carts that are lost, a session that is not kept."""
        return self.session.take_notices()

    @asynccontextmanager
    async def hold(self, store: str) -> AsyncIterator[CartLock]:
        """Keep a store's cart unchanged, from the check to the outcome of an order.

        Raises:
            OrderInProgress: an order is being placed there.
        """
        async with self.session.locks.exclusive(store_name(store)) as hold:
            yield hold

    # Discovery and the catalog: no cart is concerned, so no lock is taken

    async def search_products(
        self,
        words: str,
        *,
        domains: Collection[str] | None = None,
        min_price: Money | None = None,
        max_price: Money | None = None,
        in_stock: bool | None = None,
        variants: Mapping[str, Sequence[str]] | None = None,
        page_size: int | None = None,
    ) -> SearchPage:
        """POST discovery/search (Firmly: discovery/search). `variants` maps an option's name to exact values.

        Prices are sent as integer cents, the lower one rounded up and the upper one down.
        """
        filters = {
            "domains": [store_name(store) for store in domains] if domains is not None else None,
            "min_price": cents(min_price, ROUND_CEILING),
            "max_price": cents(max_price, ROUND_FLOOR),
            "in_stock": in_stock,
            "variants": [{"option": name, "values": list(values)} for name, values in (variants or {}).items()] or None,
        }
        body = {"query": words, "filters": given(filters) or None, "page_size": page_size}
        answer = await self._calls.read("POST", f"{self._api}/v1/discovery/search", given(body))
        return search_page(answer.body)

    async def next_products(self, next_page: str) -> SearchPage:
        """The page that a search page's `next_page` leads to; only on the API's own origin."""
        url = search_url(next_page, self.session.hosts)
        try:
            answer = await self._calls.read("GET", url)
        except NotFound as error:
            # The method is not documented; where GET is not routed, the search's own is.
            if error.name != "RouteNotFound":
                raise
            answer = await self._calls.read("POST", url, query_of(url))
        return search_page(answer.body)

    async def list_products(
        self, store: str, page: int = 1, size: Literal[100, 500, 1000, 2000] = 100
    ) -> tuple[ProductListing, ...]:
        """GET domains-products/{d} (Firmly: get-all-products); fewer than `size` are the end.

        Raises:
            NotFound: `AllProductsNotImplemented`: the store cannot list its catalog.
        """
        url = f"{self._api}/v1/domains-products/{store_name(store)}{query(page=page, size=size)}"
        return listings((await self._calls.read("GET", url)).body)

    async def get_product(self, store: str, handle: str, *, rows: slice = ALL) -> Product:
        """GET domains-products/{d}/{handle} (Firmly: get-product), with these variants. Raises ProductNotFound."""
        url = f"{self._api}/v1/domains-products/{store_name(store)}/{segment(handle)}"
        return product_page((await self._calls.read("GET", url)).body, rows)

    async def get_product_by_url(self, url: str, *, rows: slice = ALL) -> Product:
        """GET domains-pdp (Firmly: get-product-from-url), with these variants. Raises NotFound, ProductNotFound."""
        asked = f"{self._api}/v1/domains-pdp{query(url=page_url(url))}"
        return product_page((await self._calls.read("GET", asked)).body, rows)

    # Cart

    async def get_cart(self, store: str, *, hold: CartLock | None = None) -> Cart:
        """GET cart (Firmly: get-cart). Raises CartNotFound; some stores answer an empty cart instead."""
        try:
            return await self._cart("GET", store, self._get_cart_tail, hold=hold)
        except NotFound as error:
            # One client found that this call alone wants a slash at its end.
            if error.name != "RouteNotFound" or self._get_cart_tail:
                raise
        cart = await self._cart("GET", store, "/", hold=hold)
        self._get_cart_tail = "/"
        return cart

    async def add_line_item(self, store: str, add_to_cart_ref: Mapping[str, object], quantity: int) -> Cart:
        """POST cart/line-items (Firmly: add-line-item).

        Raises:
            ProductNotFound, OutOfStock, InvalidRequest: the cart is as it was.
        """
        body = {"add_to_cart_ref": dict(add_to_cart_ref), "quantity": at_least(1, quantity)}
        return await self._cart("POST", store, "/line-items", body)

    async def update_line_item(self, store: str, line_item_id: str, quantity: int) -> Cart:
        """PUT cart/line-items/{id} (Firmly: update-line-item); 0 removes the line. Raises NotFound, OutOfStock."""
        body = {"quantity": at_least(0, quantity)}
        return await self._cart("PUT", store, f"/line-items/{segment(line_item_id)}", body)

    async def clear_cart(self, store: str) -> Cart:
        """DELETE cart/line-items (Firmly: clear-cart); the address stays."""
        return await self._cart("DELETE", store, "/line-items")

    # All stores of the device

    async def get_active_domains(self) -> tuple[str, ...]:
        """GET carts/active-domains: stores where this device has a cart with something in it."""
        async with self.session.locks.all_stores():
            answer = await self._calls.read("GET", f"{self._api}/v2/carts/active-domains")
        return read(ActiveDomains, answer.body).domains

    async def get_active_carts(self) -> tuple[Cart, ...]:
        """GET carts/active: every cart with something in it; a store that fails is missing."""
        async with self.session.locks.all_stores():
            answer = await self._calls.read("GET", f"{self._api}/v2/carts/active")
        return carts(answer.body)

    async def set_postal_code(self, postal_code: str) -> str | None:
        """POST carts/postal-code (Firmly: set-postal-code): every active cart gets new shipping prices."""
        async with self.session.locks.all_stores():
            url, body = f"{self._api}/v2/carts/postal-code", {"postal_code": postal_code}
            changed = await self._calls.change(PostalCode, "POST", url, body, repeatable=True)
        return changed.postal_code or None

    # Promotions

    async def add_promo_codes(self, store: str, promo_codes: Sequence[str]) -> Cart:
        """POST cart/promo-codes, 1 to 10 (Firmly: add-promo-codes). Raises PromoRejected; one of several may pass."""
        if not 1 <= len(promo_codes) <= 10:
            raise invalid_request("InvalidPromoCodes", "One to ten promo codes can be set at once.")
        return await self._cart("POST", store, "/promo-codes", {"promo_codes": list(promo_codes)})

    async def clear_promo_codes(self, store: str) -> Cart:
        """DELETE cart/promo-codes (Firmly: clear-promo-codes). Raises PromoRejected where the store forbids it."""
        return await self._cart("DELETE", store, "/promo-codes")

    # Addons

    async def add_addon(
        self,
        store: str,
        addon_id: str,
        *,
        line_item_ids: Sequence[str] = (),
        child_ids: Sequence[str] = (),
    ) -> Cart:
        """POST cart/addons (Firmly: add-addon); without line items, for all that it covers. Raises NotFound."""
        lists = {"selected_line_item_ids": list(line_item_ids), "selected_child_ids": list(child_ids)}
        selection = {"addon_id": addon_id} | {name: ids for name, ids in lists.items() if ids}
        return await self._cart("POST", store, "/addons", {"selections": [selection]})

    async def remove_addon(
        self,
        store: str,
        addon_id: str,
        *,
        line_item_id: str | None = None,
        child_id: str | None = None,
    ) -> Cart:
        """POST cart/addons/_remove (Firmly: remove-addon); without a line item, from all. Raises InvalidRequest."""
        fields = {"addon_id": addon_id, "deselected_line_item_id": line_item_id, "deselected_child_id": child_id}
        return await self._cart("POST", store, "/addons/_remove", given(fields))

    # Checkout

    async def set_shipping_info(self, store: str, address: AddressFields) -> Cart:
        """POST cart/shipping-info for all shipments (Firmly: set-shipping-info). Raises InvalidRequest."""
        return await self._cart("POST", store, "/shipping-info", address_body(address), repeatable=True)

    async def set_billing_info(self, store: str, address: AddressFields) -> Cart:
        """POST cart/billing-info (Firmly: set-billing-info). Raises InvalidRequest."""
        return await self._cart("POST", store, "/billing-info", address_body(address), repeatable=True)

    # Shipments

    async def set_fulfillment_type(
        self, store: str, shipment_id: str, fulfillment_type: str, location_id: str | None = None
    ) -> Cart:
        """POST cart/shipments/fulfillment-type: an id of the shipment's options. Raises NotFound, InvalidRequest."""
        fields = {"shipment_id": shipment_id, "fulfillment_type": fulfillment_type, "location_id": location_id}
        return await self._cart("POST", store, "/shipments/fulfillment-type", given(fields), repeatable=True)

    async def set_shipping_method(
        self,
        store: str,
        shipment_id: str,
        shipping_method_id: str,
        *,
        notes: str | None = None,
        selected_date: str | None = None,
    ) -> Cart:
        """POST cart/shipment/methods (Firmly: set-shipping-method); `selected_date` is YYYY-MM-DD.

        Raises:
            NotFound: no such shipment; `RouteNotFound`: the store has no such call, and keeps what it preselected.
            InvalidRequest: not a method of this shipment.
        """
        choice = {"shipment_id": shipment_id, "shipping_method_id": shipping_method_id}
        body = choice | given({"notes": notes, "selected_date": selected_date})
        # The documented path, then the one that another client calls.
        try:
            return await self._cart("POST", store, "/shipment/methods", body, repeatable=True)
        except NotFound as error:
            if error.name != "RouteNotFound":
                raise
        try:
            return await self._cart("POST", store, "/shipments/shipping-method", body, repeatable=True)
        except NotFound as error:
            raise (method_kept(error) if error.name == "RouteNotFound" else error) from None

    async def get_availability(self, store: str, shipment_id: str) -> Availability:
        """POST cart/shipments/get-availability: dates of a scheduled shipment. Raises NotFound, InvalidRequest."""
        name = store_name(store)
        url = f"{self._api}/v2/domains/{name}/cart/shipments/get-availability"
        async with self.session.locks.shared(name):
            # It changes nothing, though it is a POST.
            return read(Availability, (await self._calls.read("POST", url, {"shipment_id": shipment_id})).body)

    # Payment and orders

    async def payment_key(self) -> PaymentKey:
        """GET payment/key on the payment host, fresh for every order (Firmly: get-public-key)."""
        url = f"{self.session.hosts.payment}/api/v1/payment/key"
        answer = await self._calls.read("GET", url, with_token=False)
        return read(PaymentKey, answer.body).model_copy(update={"header_kid": answer.headers.get("x-firmly-kid")})

    async def complete_order(
        self,
        store: str,
        encrypted_card: EncryptedCard,
        billing_info: AddressFields,
        *,
        captcha_token: str | None = None,
        hold: CartLock | None = None,
        last_look: LastLook | None = None,
    ) -> Order | NotConfirmed:
        """Pay the store's cart: one request, never repeated (Firmly: complete-order-v2).

        `last_look` is awaited once the connection is open; what it raises is raised here, and nothing was sent.

        Raises:
            Unreachable: nothing was sent.
            StoreError: refused, and proven so.
            OutcomeUnknown: sent, and nothing proves how it ended.
        """
        name = store_name(store)
        body = {"billing_info": address_body(billing_info)} | given({"captcha_token": captcha_token})
        async with self.session.locks.shared(name, hold):
            return await self._payments.complete(name, body, encrypted_card, last_look)

    @asynccontextmanager
    async def place_order(
        self,
        store: str,
        items: Sequence[Item],
        shipping_info: AddressFields,
        billing_info: AddressFields,
        encrypted_card: EncryptedCard,
        *,
        captcha_token: str | None = None,
        last_look: LastLook | None = None,
    ) -> AsyncIterator[AsyncGenerator[OrderEvent, None]]:
        """Buy items in one streamed request, never repeated (Firmly: place-order-v2); gives its events.

        It is sent on entering. Raises as `complete_order`, there and from the events.
        """
        name = store_name(store)
        body = {
            "billing_info": address_body(billing_info),
            "shipping_info": address_body(shipping_info),
            "items": items_body(items),
        } | given({"captcha_token": captcha_token})
        async with (
            self.session.locks.shared(name),
            self._payments.place(name, body, encrypted_card, last_look) as events,
        ):
            yield events

    async def order_status(self, store: str, order_number: str) -> OrderStatus:
        """GET orders/domains/{d}/order/{number}/status (Firmly: get-order-status). Raises NotFound."""
        url = f"{self._api}/v1/orders/domains/{store_name(store)}/order/{segment(order_number)}/status"
        return read(OrderStatus, (await self._calls.read("GET", url)).body)

    async def _cart(
        self,
        method: str,
        store: str,
        path: str,
        body: object = None,
        *,
        repeatable: bool | None = None,
        hold: CartLock | None = None,
    ) -> Cart:
        name = store_name(store)
        url = f"{self._api}/v2/domains/{name}/cart{path}"
        async with self.session.locks.shared(name, hold):
            if method == "GET":
                return read(Cart, (await self._calls.read(method, url, body)).body)
            return await self._calls.change(Cart, method, url, body, repeatable=repeatable)
