"""A shopper for tests: plain HTTP in the contract's words, so that what is sent stands in the test."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from jwcrypto import jwe, jwk

from firmly_mcp.simulator import TEST_CARD, Simulator

LUMA = "staging.luma.gift"
VOLTA = "volta-electronics.example"
HEARTH = "hearth-and-home.example"
FERNHILL = "fernhill-garden.example"
TEE = {"variant_id": "WS12-XS-Orange"}
HOODIE = {"variant_id": "MH07-XS-Gray"}
ADDRESS = {
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "2065550100",
    "address1": "1 Test St",
    "city": "Seattle",
    "state_or_province": "WA",
    "postal_code": "98101",
    "country": "US",
}
BRITISH = {
    **ADDRESS,
    "address1": "1 High St",
    "city": "Bath",
    "state_or_province": "Somerset",
    "postal_code": "BA1 1AA",
    "country": "GB",
}


@dataclass
class Clock:
    """A clock that tests move."""

    time: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.time

    def tick(self, **by: float) -> None:
        """Let time pass."""
        self.time += timedelta(**by)


class Shopper:
    """One device at one simulator. Every call gives the whole response."""

    def __init__(self, sim: Simulator, http: httpx2.AsyncClient) -> None:
        self.sim = sim
        self.http = http
        self.token = ""
        self.device_id = ""

    async def session(self, token: str | None = None) -> httpx2.Response:
        """Start or renew the session, and use it from now on if it was given."""
        body = {} if token is None else {"access_token": token}
        headers = {"x-firmly-app-id": self.sim.app_id}
        answer = await self.http.post(f"{self.sim.api_url}/api/v1/browser-session", headers=headers, json=body)
        if answer.status_code == 200:
            self.token, self.device_id = answer.json()["access_token"], answer.json()["device_id"]
        return answer

    async def api(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """A call of the api host."""
        return await self._call(self.sim.api_url, method, path, body, **more)

    async def pay(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """A call of the payment host."""
        return await self._call(self.sim.payment_url, method, path, body, **more)

    async def cart(
        self, method: str = "GET", path: str = "", body: Any = None, *, store: str = LUMA
    ) -> httpx2.Response:
        """A call of the v2 cart."""
        return await self.api(method, f"/api/v2/domains/{store}/cart{path}", body)

    async def add(self, ref: dict[str, Any], quantity: Any = 1, *, store: str = LUMA) -> httpx2.Response:
        """Put something in."""
        return await self.cart("POST", "/line-items", {"add_to_cart_ref": ref, "quantity": quantity}, store=store)

    async def ship(self, address: Any = ADDRESS, *, store: str = LUMA) -> httpx2.Response:
        """Say where it goes."""
        return await self.cart("POST", "/shipping-info", address, store=store)

    async def sealed(self, card: Any = TEST_CARD, **header: Any) -> str:
        """The card sealed for this simulator; `header` changes the protected header."""
        key = (await self.pay("GET", "/api/v1/payment/key")).json()
        return seal(key, card, **header)

    async def buyable(self, query: str, store: str) -> dict[str, Any]:
        """The reference of the best hit's first variant that is in stock."""
        body = {"query": query, "filters": {"domains": [store], "in_stock": True}}
        hit = (await self.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
        ref: dict[str, Any] = next(v["add_to_cart_ref"] for v in hit["variants"] if v["available"])
        return ref

    async def complete(self, *, store: str = LUMA, **body: Any) -> httpx2.Response:
        """Pay for the cart."""
        whole = {"encrypted_card": body.pop("encrypted_card", None) or await self.sealed(), "billing_info": ADDRESS}
        return await self.pay("POST", f"/api/v2/payment/domains/{store}/complete-order", {**whole, **body})

    async def order_body(self, *items: dict[str, Any], **body: Any) -> dict[str, Any]:
        """The body of place-order for one of each."""
        return {
            "encrypted_card": body.pop("encrypted_card", None) or await self.sealed(),
            "billing_info": ADDRESS,
            "shipping_info": ADDRESS,
            "items": [{"add_to_cart_ref": ref, "quantity": 1} for ref in items],
            **body,
        }

    async def place(self, *items: dict[str, Any], store: str = LUMA, **body: Any) -> httpx2.Response:
        """Order without a stream."""
        whole = await self.order_body(*items, **body)
        return await self.pay("POST", f"/api/v2/payment/domains/{store}/place-order", whole)

    async def stream(self, *items: dict[str, Any], store: str = LUMA, **body: Any) -> list[tuple[str, Any]]:
        """Order with a stream; all events as (name, data). Raises httpx2.RemoteProtocolError if it is cut."""
        whole = await self.order_body(*items, **body)
        answer = await self.pay("POST", f"/api/v2/payment/domains/{store}/place-order?sse=true", whole)
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
        return events(answer.text)

    async def _call(self, base: str, method: str, path: str, body: Any, **more: Any) -> httpx2.Response:
        headers = {"x-firmly-authorization": self.token, **more.pop("headers", {})}
        sent = {} if body is None else {"json": body}
        return await self.http.request(method, base + path, headers=headers, **sent, **more)


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a whole stream."""
    return [event(frame) for frame in text.split("\n\n") if frame]


def event(frame: str) -> tuple[str, Any]:
    """One frame's name and data."""
    name, data = frame.split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def seal(key: dict[str, Any], card: Any, **header: Any) -> str:
    """A compact JWE of the card as contract section 6 wants it, made by another library than the one that reads it."""
    public = jwk.JWK(**{name: key[name] for name in ("kty", "n", "e")})
    protected = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key["kid"], **header}
    known = {name: value for name, value in protected.items() if value is not None}
    sealed = jwe.JWE(json.dumps(card).encode(), json.dumps(known))
    sealed.add_recipient(public)
    return str(sealed.serialize(compact=True))


def error(answer: httpx2.Response) -> tuple[int, str]:
    """Status and error name, after checking that the envelope is one of the two documented ones."""
    body = answer.json()
    if set(body) == {"error", "message"}:
        return answer.status_code, body["error"]
    assert set(body) == {"code", "error", "description"}, body
    assert body["code"] == answer.status_code
    return answer.status_code, body["error"]


def cents(money: dict[str, Any]) -> int:
    """The amount of a Money object, after checking that it has all four fields and that they agree."""
    assert set(money) == {"currency", "value", "number", "symbol"}
    assert f"{money['value']:.2f}" == f"{money['number'] / 100:.2f}"
    assert isinstance(money["number"], int)
    return money["number"]
