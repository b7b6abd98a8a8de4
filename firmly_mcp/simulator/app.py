"""The HTTP edge: finds the endpoint, asks for the token, lets faults strike, and sends what the endpoint gives.

Whatever an endpoint changed is on disk before a byte of its answer is sent.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from firmly_mcp.simulator.answers import Answer, Refusal, with_total
from firmly_mcp.simulator.calls import Call, Handler, Route, identified
from firmly_mcp.simulator.control import PREFIX, controlled
from firmly_mcp.simulator.endpoints import account, cart, catalog, payment, simple_cart
from firmly_mcp.simulator.faults import WORLD, Fault, at
from firmly_mcp.simulator.payments import turn
from firmly_mcp.simulator.stream import Bent, Stream, to_the_end
from firmly_mcp.simulator.world import Request, World, anonymous

EVENTS = "text/event-stream; charset=utf-8"


class Hangup(Exception):
    """Close the connection without (the rest of) an answer; `abruptly` resets it."""

    def __init__(self, *, abruptly: bool) -> None:
        super().__init__("hang up")
        self.abruptly = abruptly


class App:
    """The ASGI application of one host, "api" or "payment"."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the simulator stops; the connection is gone already
            await Exchange(self._world, self._host, scope, receive, send).run()


class Exchange:
    """One request and its answer."""

    def __init__(self, world: World, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.world = world
        self._host = host
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._path: str = scope["path"]
        self._logged = Request(self._method, self._path, host, world.now())

    async def run(self) -> None:
        """Answer, or hang up where a fault says so."""
        if self._host == "api" and self._path.startswith(PREFIX):
            await self._answer(
                await controlled(self.world, self._method, self._path, self._headers, await self._body())
            )
            return
        self.world.requests.append(self._logged)
        try:
            await self._serve()
        except Hangup as hangup:
            self.world.state.commit()
            await self._hang_up(hangup)

    async def _serve(self) -> None:
        found = find_route(self._host, self._method, self._path)
        name = found[0].name if found else "no_route"
        line = f"{self._method} {self._path}"
        struck = self.world.faults.struck((name, line, f"{self._host} {line}"))
        at_head(struck)
        body = await self._body(in_parts=bool(at("body", struck)))
        if found is None:
            await self._answer(self._refused(Refusal("RouteNotFound", f"No route {line} on this host")))
            return
        route, params = found
        call = Call(
            self.world, route, self._path, params, QueryParams(self._scope["query_string"]), self._headers, body,
            anonymous(), struck,
        )  # fmt: skip
        result = await self._result(call)
        if isinstance(result, Stream):
            await self._stream(result, struck)
        else:
            self.world.state.commit()
            await self._whole(await on_answer(result, struck), struck)

    async def _result(self, call: Call) -> Answer | Stream:
        try:
            turned(call)
            known = identified(call)
            early = await before(known if isinstance(known, Call) else call)
            if early is not None:
                return early
            if isinstance(known, Refusal):
                return self._refused(known)
            return self.world.encode.respond(known.route.handler, known)
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> Answer:
        return self.world.encode.refusal(refusal).answer()

    async def _whole(self, answer: Answer, struck: Sequence[Fault]) -> None:
        answer = replace(answer, json=self.world.encode.body(answer.json))
        keep = kept_share(struck)
        if keep is None:
            await self._answer(answer)
            return
        raw = answer.encoded()
        await self._start(answer.status, answer.media_type, {**answer.headers, "content-length": str(len(raw))})
        await self._write(raw[: int(len(raw) * keep)])
        raise Hangup(abruptly=False)

    async def _stream(self, stream: Stream, struck: Sequence[Fault]) -> None:
        await self._start(200, EVENTS, {"cache-control": "no-store"})
        bent = Bent(self.world.encode, at("frames", struck), at("answer", struck))
        gates = self.world.gates
        for number, event in enumerate(to_the_end(stream.steps, self.world.state.commit, self.world.encode), 1):
            passing = gates.before(stream.store)
            for gate in passing:
                await gate.wait()
            for frame in bent.frames(number, event):
                await self._write(frame)
            for gate in passing:
                gate.passed(event.name)
            if bent.cut is not None:
                self._run_out(stream, goes_on=bent.cut)
                raise Hangup(abruptly=False)
            if self.world.step_delay or bent.stall:
                await asyncio.sleep(self.world.step_delay + bent.stall)
        for frame in bent.rest():
            await self._write(frame)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _run_out(self, stream: Stream, *, goes_on: bool) -> None:
        if goes_on:
            for _ in to_the_end(stream.steps, self.world.state.commit, self.world.encode):
                pass

    @property
    def _headers(self) -> Headers:
        return Headers(scope=self._scope)

    async def _body(self, *, in_parts: bool = False) -> bytes:
        parts = []
        while True:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Hangup(abruptly=True)
            parts.append(message.get("body", b""))
            if in_parts:
                raise Hangup(abruptly=True)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _answer(self, answer: Answer) -> None:
        self._logged.status = answer.status
        response = Response(answer.encoded(), answer.status, answer.headers, answer.media_type)
        await response(self._scope, self._receive, self._send)

    async def _start(self, status: int, media_type: str, headers: dict[str, str]) -> None:
        self._logged.status = status
        raw = [(name.encode(), value.encode()) for name, value in {"content-type": media_type, **headers}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, raw: bytes) -> None:
        await self._send({"type": "http.response.body", "body": raw, "more_body": True})

    async def _hang_up(self, hangup: Hangup) -> None:
        transport: Any = self._scope["simulator.transport"]
        if hangup.abruptly:
            transport.abort()
        else:
            transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def at_head(faults: Sequence[Fault]) -> None:
    """Nothing of the body was read."""
    if at("head", faults):
        raise Hangup(abruptly=True)


def turned(call: Call) -> None:
    """The world changes before anything else is looked at."""
    for fault in at("before", call.faults):
        if fault.action in WORLD:
            turn(call.world, fault)


async def before(call: Call) -> Answer | None:
    """Everything was read and nothing done; an answer given here is the endpoint's."""
    answer = None
    for fault in at("before", call.faults):
        if fault.action == "delay":
            await asyncio.sleep(fault.options["seconds"])
        elif fault.action not in WORLD:
            answer = _refused(call, fault)
    return answer


def _refused(call: Call, fault: Fault) -> Answer:
    told = fault.options
    match fault.action:
        case "reset-after-body":
            raise Hangup(abruptly=True)
        case "notice":
            cart = call.world.carts.current(call.device.device_id, call.params.get("d", ""))
            return Answer({**({} if cart is None else call.world.view(cart)), "notice": [told["notice"]]})
        case "rate-limit":
            raise Refusal("RateLimitExceeded", "Too many requests", retry_after=told["retry_after"])
        case _:
            description = told.get("description", "Refused on request")
            raise Refusal(told["error"], description, status=told.get("status"))


async def on_answer(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """Everything was done and is on disk."""
    for fault in at("answer", faults):
        match fault.action:
            case "lose-answer":
                raise Hangup(abruptly=False)
            case "delay-answer":
                await asyncio.sleep(fault.options["seconds"])
            case "refuse-after" | "gateway-timeout":
                answer = instead(fault)
            case "lie-amount" if isinstance(answer.json, dict):
                answer = replace(answer, json=with_total(answer.json, fault.options["cents"]))
            case "not-json":
                answer = replace(answer, body=fault.options["body"].encode())
    return answer


def instead(fault: Fault) -> Answer:
    """The error that hides what was done."""
    told = fault.options
    if fault.action == "gateway-timeout":
        page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
        return Answer(body=page, status=504, media_type="text/html")
    return Refusal(told["error"], told["description"], status=told["status"]).answer()


def kept_share(faults: Sequence[Fault]) -> float | None:
    """How much of the body goes out before the connection closes; None: all of it."""
    return next((fault.options["keep"] for fault in faults if fault.action == "truncate"), None)


STORE1, STORE2 = "/api/v1/domains/{d}/cart", "/api/v2/domains/{d}/cart"
PAY1, PAY2 = "/api/v1/payment/domains/{d}", "/api/v2/payment/domains/{d}"


def _api(name: str, method: str, path: str, handler: Handler, auth: str = "token") -> Route:
    return Route(name, method, path, "api", auth, handler)


def _pay(name: str, method: str, path: str, handler: Handler, auth: str = "token") -> Route:
    return Route(name, method, path, "payment", auth, handler)


ROUTES: tuple[Route, ...] = (
    _api("get_cart_v2", "GET", STORE2, cart.get_cart),
    _api("add_line_item_v2", "POST", f"{STORE2}/line-items", cart.add_line_item),
    _api("update_line_item_v2", "PUT", STORE2 + "/line-items/{line}", cart.update_line_item),
    _api("clear_cart_v2", "DELETE", f"{STORE2}/line-items", cart.clear_cart),
    _api("add_promo_codes_v2", "POST", f"{STORE2}/promo-codes", cart.set_promo_codes),
    _api("set_promo_codes_v2", "PUT", f"{STORE2}/promo-codes", cart.set_promo_codes),
    _api("clear_promo_codes_v2", "DELETE", f"{STORE2}/promo-codes", cart.clear_promo_codes),
    _api("set_shipping_info_v2", "POST", f"{STORE2}/shipping-info", cart.set_shipping_info),
    _api("put_shipping_info_v2", "PUT", f"{STORE2}/shipping-info", cart.set_shipping_info),
    _api("set_billing_info_v2", "POST", f"{STORE2}/billing-info", cart.set_billing_info),
    _api("set_fulfillment_type_v2", "POST", f"{STORE2}/shipments/fulfillment-type", cart.set_fulfillment_type),
    _api("set_shipping_method_v2", "POST", f"{STORE2}/shipment/methods", cart.set_shipping_method),
    _api("other_shipping_method_v2", "POST", f"{STORE2}/shipments/shipping-method", cart.other_shipping_method),
    _api("get_availability_v2", "POST", f"{STORE2}/shipments/get-availability", cart.get_availability),
    _api("add_addon_v2", "POST", f"{STORE2}/addons", cart.add_addon),
    _api("remove_addon_v2", "POST", f"{STORE2}/addons/_remove", cart.remove_addon),
    _api("transfer_session_v2", "POST", "/api/v2/domains/{d}/session/transfer", account.transfer_session),
    _api("get_active_domains", "GET", "/api/v2/carts/active-domains", account.get_active_domains, "domains"),
    _api("get_active_carts", "GET", "/api/v2/carts/active", account.get_active_carts, "session"),
    _api("get_postal_code", "GET", "/api/v2/carts/postal-code", account.get_postal_code, "session"),
    _api("set_postal_code", "POST", "/api/v2/carts/postal-code", account.set_postal_code, "session"),
    _api("get_cart_v1", "GET", STORE1, simple_cart.get_cart),
    _api("add_item_v1", "POST", STORE1 + "/line-items/{sku}/quantity/{quantity}", simple_cart.add_item),
    _api("update_item_v1", "PUT", STORE1 + "/line-items/{sku}", simple_cart.update_item),
    _api("clear_cart_v1", "DELETE", f"{STORE1}/line-items", simple_cart.clear_cart),
    _api("set_shipping_info_v1", "POST", f"{STORE1}/shipping-info", simple_cart.set_shipping_info),
    _api("set_shipping_method_v1", "POST", f"{STORE1}/shipping-method", simple_cart.set_shipping_method),
    _api("browser_session", "POST", "/api/v1/browser-session", account.browser_session, "none"),
    _api("list_products", "GET", "/api/v1/domains-products/{d}", catalog.list_products),
    _api("get_product", "GET", "/api/v1/domains-products/{d}/{handle:path}", catalog.get_product),
    _api("get_product_from_url", "GET", "/api/v1/domains-pdp", catalog.get_product_from_url, "page"),
    _api("search", "POST", "/api/v1/discovery/search", catalog.search, "discovery"),
    _api("search_next", "GET", "/api/v1/discovery/search", catalog.search_next, "discovery"),
    _api("discovery_options", "GET", "/api/v1/discovery/options", catalog.options, "discovery"),
    _api("get_order_status", "GET", "/api/v1/orders/domains/{d}/order/{order}/status", payment.get_order_status),
    _pay("get_key", "GET", "/api/v1/payment/key", payment.get_key, "none"),
    _pay("complete_order_v1", "POST", f"{PAY1}/complete-order", payment.complete_order_v1),
    _pay("complete_order_v2", "POST", f"{PAY2}/complete-order", payment.complete_order_v2),
    _pay("place_order_v1", "POST", f"{PAY1}/place-order", payment.place_order_v1),
    _pay("place_order_v2", "POST", f"{PAY2}/place-order", payment.place_order_v2),
)


def _pattern(path: str) -> re.Pattern[str]:
    named = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", named) + "/?")


_TABLE = {
    (host, method): [(_pattern(r.path), r) for r in ROUTES if (r.host, r.method) == (host, method)]
    for host, method in {(r.host, r.method) for r in ROUTES}
}


def find_route(host: str, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The endpoint of a request and what its path says; a trailing slash does not matter (C-5)."""
    for pattern, route in _TABLE.get((host, method), ()):
        found = pattern.fullmatch(path)
        if found is not None:
            return route, found.groupdict()
    return None
