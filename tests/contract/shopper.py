"""A shopper in plain HTTP. What is sent wrongly on purpose is sent as it stands; every call gives the whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import httpx2
import pytest
from jwcrypto import jwe, jwk

from .bodies import (
    AddLineItem,
    Body,
    Card,
    CompleteOrder,
    FullAddress,
    Item,
    PlaceOrder,
    Renewal,
    SimpleItem,
)
from .cart_schemas import Cart
from .schemas import CartRef, Product, Session, Variant, plain, read
from .service import Place, Service

BRITISH = FullAddress(
    address1="1 High St", city="Bath", state_or_province="Somerset", postal_code="BA1 1AA", country="GB"
)
ADDRESSES = {"US": FullAddress(), "GB": BRITISH}
CARD = Card(number="4111111111111111", name="Ana Lima", verification_value="123", month="08", year="2040")
Sent = Body | Mapping[str, Any] | list[Any] | None


class Shopper:
    """One device at the service; `place` is the store that is tried."""

    def __init__(self, service: Service, http: httpx2.AsyncClient) -> None:
        self.service = service
        self.http = http
        self.place = service.places[0]
        self.token = ""

    async def session(self, old_token: str | None = None) -> Session:
        """Start a session, or go on with an old one; it is used from now on."""
        headers = {"x-firmly-app-id": self.service.app_id}
        url = f"{self.service.api}/api/v1/browser-session"
        session = read(Session, await self.http.post(url, headers=headers, json=Renewal(access_token=old_token).sent()))
        self.token = session.access_token
        return session

    async def api(self, method: str, path: str, body: Sent = None, **headers: str | None) -> httpx2.Response:
        """A call of the API host; a header that is None is not sent, `x_firmly_...` names any other."""
        return await self._call(self.service.api, method, path, body, headers)

    async def pay(self, method: str, path: str, body: Sent = None, **headers: str | None) -> httpx2.Response:
        """A call of the payment host."""
        return await self._call(self.service.payment, method, path, body, headers)

    async def cart(
        self, method: str, path: str = "", body: Sent = None, *, at: Place | None = None, **headers: str | None
    ) -> httpx2.Response:
        """A call of a store's Full Cart."""
        return await self.api(method, f"/api/v2/domains/{(at or self.place).domain}/cart{path}", body, **headers)

    async def simple(self, method: str, path: str = "", body: Sent = None) -> httpx2.Response:
        """A call of the store's Simple Cart."""
        return await self.api(method, f"/api/v1/domains/{self.place.domain}/cart{path}", body)

    async def shown(self, at: Place | None = None) -> Cart:
        """The Full Cart as it is now, whichever way it is routed (a test of its own is about that)."""
        answer = await self.cart("GET", at=at)
        return read(Cart, answer if answer.status_code == 200 else await self.cart("GET", "/", at=at))

    async def product(self, at: Place | None = None) -> Product:
        """The product that there is to buy."""
        place = at or self.place
        handle = place.handle.replace("/", "%2F")
        return read(Product, await self.api("GET", f"/api/v1/domains-products/{place.domain}/{handle}"))

    async def variants(self, at: Place | None = None) -> list[Variant]:
        """Its variants that can be had."""
        found = [variant for variant in (await self.product(at)).variants if variant.available]
        assert found
        return found

    async def add(self, ref: CartRef | Mapping[str, Any], quantity: int = 1, *, at: Place | None = None) -> Cart:
        """Put something into the cart."""
        body = AddLineItem(add_to_cart_ref=plain(ref) if isinstance(ref, CartRef) else dict(ref), quantity=quantity)
        return read(Cart, await self.cart("POST", "/line-items", body, at=at))

    async def filled(self, at: Place | None = None, quantity: int = 1) -> Cart:
        """A cart with the product in it."""
        return await self.add((await self.variants(at))[0].add_to_cart_ref, quantity, at=at)

    async def shipped(self, at: Place | None = None, quantity: int = 1) -> Cart:
        """The same with an address."""
        await self.filled(at, quantity)
        return read(Cart, await self.cart("POST", "/shipping-info", self.address(at), at=at))

    def address(self, at: Place | None = None) -> FullAddress:
        """An address that the store ships to."""
        return ADDRESSES[(at or self.place).country]

    async def somewhere(self, wanted: Callable[[Cart], bool], what: str) -> tuple[Place, Cart]:
        """The first store whose cart, filled and with an address, has what is wanted."""
        for place in self.service.places:
            cart = await self.shipped(place)
            if wanted(cart):
                return place, cart
        return self.lacks(what)

    def lacks(self, what: str) -> NoReturn:
        """There is no such store or word here: leave the test out, but not where everything should be."""
        if self.service.own:
            pytest.fail(f"the simulator should have {what}")
        pytest.skip(f"not known at this service: {what}")

    def told(self, value: str | None, what: str) -> str:
        """Something that has to be known from inside."""
        return self.lacks(what) if value is None else value

    def may_order(self) -> None:
        """Go on only where an order buys nothing."""
        if not self.service.orders:
            pytest.skip("orders are placed with FIRMLY_CONTRACT_ORDERS=yes, at the sandbox or a simulator")

    async def sealed(self, card: Card = CARD) -> str:
        """The card as its page wants it: a compact JWE for the key of this moment (RFC 7516)."""
        answer = await self.http.get(f"{self.service.payment}/api/v1/payment/key")
        key = answer.json()
        header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": answer.headers["x-firmly-kid"]}
        token = jwe.JWE(json.dumps(card.sent()).encode(), json.dumps(header))
        token.add_recipient(jwk.JWK(kty=key["kty"], n=key["n"], e=key["e"]))
        return str(token.serialize(compact=True))

    async def complete(self, version: int = 2, card: Card = CARD, *, at: Place | None = None) -> httpx2.Response:
        """Pay the cart."""
        self.may_order()
        return await self.completed_with(CompleteOrder(encrypted_card=await self.sealed(card)), version, at=at)

    async def completed_with(self, body: Sent, version: int = 2, *, at: Place | None = None) -> httpx2.Response:
        """Send such a payment of the cart."""
        return await self.pay(
            "POST", f"/api/v{version}/payment/domains/{(at or self.place).domain}/complete-order", body
        )

    async def place_order(
        self, items: list[Item] | list[SimpleItem], version: int = 2, *, card: Card = CARD, sse: bool = False
    ) -> httpx2.Response:
        """Buy items in one call, as an answer or as a stream."""
        self.may_order()
        body = PlaceOrder(encrypted_card=await self.sealed(card), items=items)
        query = "?sse=true" if sse else ""
        return await self.pay("POST", f"/api/v{version}/payment/domains/{self.place.domain}/place-order{query}", body)

    async def _call(
        self, base: str, method: str, path: str, body: Sent, headers: Mapping[str, str | None]
    ) -> httpx2.Response:
        given = {"x-firmly-authorization": self.token, **{name.replace("_", "-"): v for name, v in headers.items()}}
        sent = body.sent() if isinstance(body, Body) else body
        known = {name: value for name, value in given.items() if value is not None}
        if sent is None:
            return await self.http.request(method, base + path, headers=known)
        return await self.http.request(method, base + path, headers=known, json=sent)


def events(stream: str) -> list[tuple[str, Any]]:
    """A whole stream's named events with their JSON (WHATWG HTML, server-sent events)."""
    found = []
    for frame in stream.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(":") for line in frame.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for name, _, value in lines if name == "data")
        if data:
            [name] = [value.removeprefix(" ") for name, _, value in lines if name == "event"]
            found.append((name, json.loads(data)))
    return found
