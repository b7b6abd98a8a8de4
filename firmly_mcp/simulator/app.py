"""The HTTP edge: finds the endpoint, identifies the caller, applies faults, and sends what the endpoint returns.

What an endpoint changed is on disk before a byte of its answer is sent. ROUTES is the endpoint table (contract section
4). Klarna (rows 36 to 38) is not served; of section 12's undocumented endpoints only the other path of row 21 is.
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
from firmly_mcp.simulator.calls import Call, Handler, Route, identify
from firmly_mcp.simulator.control import PREFIX, controlled
from firmly_mcp.simulator.endpoints import account, cart, catalog, payment, simple_cart
from firmly_mcp.simulator.faults import WORLD, Fault, at
from firmly_mcp.simulator.security import Device
from firmly_mcp.simulator.stream import FaultedFrames, Stream, committed
from firmly_mcp.simulator.world import Request, World

EVENTS = "text/event-stream; charset=utf-8"
STORE1, STORE2 = "/api/v1/domains/{d}/cart", "/api/v2/domains/{d}/cart"
PAY1, PAY2 = "/api/v1/payment/domains/{d}", "/api/v2/payment/domains/{d}"


def _route(name: str, method: str, path: str, handler: Handler, auth: str = "token") -> Route:
    return Route(name, method, path, "payment" if "/payment/" in path else "api", auth, handler)


ROUTES: tuple[Route, ...] = (
    _route("get_cart_v2", "GET", STORE2, cart.get_cart),
    _route("add_line_item_v2", "POST", f"{STORE2}/line-items", cart.add_line_item),
    _route("update_line_item_v2", "PUT", STORE2 + "/line-items/{line}", cart.update_line_item),
    _route("clear_cart_v2", "DELETE", f"{STORE2}/line-items", cart.clear_cart),
    _route("add_promo_codes_v2", "POST", f"{STORE2}/promo-codes", cart.set_promo_codes),
    _route("set_promo_codes_v2", "PUT", f"{STORE2}/promo-codes", cart.set_promo_codes),
    _route("clear_promo_codes_v2", "DELETE", f"{STORE2}/promo-codes", cart.clear_promo_codes),
    _route("set_shipping_info_v2", "POST", f"{STORE2}/shipping-info", cart.set_shipping_info),
    _route("put_shipping_info_v2", "PUT", f"{STORE2}/shipping-info", cart.set_shipping_info),
    _route("set_billing_info_v2", "POST", f"{STORE2}/billing-info", cart.set_billing_info),
    _route("set_fulfillment_type_v2", "POST", f"{STORE2}/shipments/fulfillment-type", cart.set_fulfillment_type),
    _route("set_shipping_method_v2", "POST", f"{STORE2}/shipment/methods", cart.set_shipping_method),
    _route("other_shipping_method_v2", "POST", f"{STORE2}/shipments/shipping-method", cart.other_shipping_method),
    _route("get_availability_v2", "POST", f"{STORE2}/shipments/get-availability", cart.get_availability),
    _route("add_addon_v2", "POST", f"{STORE2}/addons", cart.add_addon),
    _route("remove_addon_v2", "POST", f"{STORE2}/addons/_remove", cart.remove_addon),
    _route("transfer_session_v2", "POST", "/api/v2/domains/{d}/session/transfer", account.transfer_session),
    _route("get_active_domains", "GET", "/api/v2/carts/active-domains", account.get_active_domains, "domains"),
    _route("get_active_carts", "GET", "/api/v2/carts/active", account.get_active_carts, "session"),
    _route("get_postal_code", "GET", "/api/v2/carts/postal-code", account.get_postal_code, "session"),
    _route("set_postal_code", "POST", "/api/v2/carts/postal-code", account.set_postal_code, "session"),
    _route("get_cart_v1", "GET", STORE1, simple_cart.get_cart),
    _route("add_item_v1", "POST", STORE1 + "/line-items/{sku}/quantity/{quantity}", simple_cart.add_item),
    _route("update_item_v1", "PUT", STORE1 + "/line-items/{sku}", simple_cart.update_item),
    _route("clear_cart_v1", "DELETE", f"{STORE1}/line-items", simple_cart.clear_cart),
    _route("set_shipping_info_v1", "POST", f"{STORE1}/shipping-info", simple_cart.set_shipping_info),
    _route("set_shipping_method_v1", "POST", f"{STORE1}/shipping-method", simple_cart.set_shipping_method),
    _route("browser_session", "POST", "/api/v1/browser-session", account.browser_session, "none"),
    _route("list_products", "GET", "/api/v1/domains-products/{d}", catalog.list_products),
    _route("get_product", "GET", "/api/v1/domains-products/{d}/{handle:path}", catalog.get_product),
    _route("get_product_from_url", "GET", "/api/v1/domains-pdp", catalog.get_product_from_url, "page"),
    _route("search", "POST", "/api/v1/discovery/search", catalog.search, "discovery"),
    _route("search_next", "GET", "/api/v1/discovery/search", catalog.search_next, "discovery"),
    _route("discovery_options", "GET", "/api/v1/discovery/options", catalog.options, "discovery"),
    _route("get_order_status", "GET", "/api/v1/orders/domains/{d}/order/{order}/status", payment.get_order_status),
    _route("get_key", "GET", "/api/v1/payment/key", payment.get_key, "none"),
    _route("complete_order_v1", "POST", f"{PAY1}/complete-order", payment.complete_order_v1),
    _route("complete_order_v2", "POST", f"{PAY2}/complete-order", payment.complete_order_v2),
    _route("place_order_v1", "POST", f"{PAY1}/place-order", payment.place_order_v1),
    _route("place_order_v2", "POST", f"{PAY2}/place-order", payment.place_order_v2),
)


def _pattern(path: str) -> re.Pattern[str]:
    named = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", named) + "/?")  # C-5: a trailing slash does not matter


PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


def find_route(host: str, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """Return the endpoint of a request and the parameters of its path."""
    for pattern, route in PATTERNS:
        found = pattern.fullmatch(path) if (route.host, route.method) == (host, method) else None
        if found is not None:
            return route, found.groupdict()
    return None


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
        self._world = world
        self._host = host
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._path: str = scope["path"]
        self._headers = Headers(scope=scope)
        self._logged = Request(self._method, self._path, host, world.now())

    async def run(self) -> None:
        """Answer, or close the connection where a fault demands it."""
        if self._host == "api" and self._path.startswith(PREFIX):
            body = await self._body()
            await self._answer(await controlled(self._world, self._method, self._path, self._headers, body))
            return
        self._world.requests.append(self._logged)
        try:
            await self._serve()
        except Hangup as hangup:
            self._world.state.commit()
            await self._hang_up(hangup)

    async def _serve(self) -> None:
        found = find_route(self._host, self._method, self._path)
        name, line = found[0].name if found else "no_route", f"{self._method} {self._path}"
        faults = self._world.faults.matching((name, line, f"{self._host} {line}"))
        if at("head", faults):
            raise Hangup(abruptly=True)
        body = await self._body(in_parts=bool(at("body", faults)))
        if found is None:
            await self._answer(self._refused(Refusal("RouteNotFound", f"No route {line} on this host")))
            return
        query = QueryParams(self._scope["query_string"])
        call = Call(self._world, found[0], self._path, found[1], query, self._headers, body, Device(""), faults)
        result = await self._result(call)
        if isinstance(result, Stream):
            await self._stream(result, faults)
        else:
            self._world.state.commit()
            await self._whole(await _faulted(result, faults), faults)

    async def _result(self, call: Call) -> Answer | Stream:
        """Return what the endpoint returns, or a fault instead; faults come before a refusal of the caller."""
        for fault in at("before", call.faults):
            if fault.action in WORLD:
                self._world.change(fault)
        try:
            call, refused = _identified(call)
            early = await _instead(call)
            if early is not None:
                return early
            if refused is not None:
                raise refused
            return self._world.encode.respond(call.route.handler, call)
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> Answer:
        return self._world.encode.refusal(refusal).answer()

    async def _whole(self, answer: Answer, faults: Sequence[Fault]) -> None:
        answer = replace(answer, json=self._world.encode.body(answer.json))
        keep: float | None = next((fault.options["keep"] for fault in faults if fault.action == "truncate"), None)
        if keep is None:
            await self._answer(answer)
            return
        raw = answer.content()
        await self._start(answer.status, answer.media_type, {**answer.headers, "content-length": str(len(raw))})
        await self._write(raw[: int(len(raw) * keep)])
        raise Hangup(abruptly=False)

    async def _stream(self, stream: Stream, faults: Sequence[Fault]) -> None:
        await self._start(200, EVENTS, {"cache-control": "no-store"})
        frames = FaultedFrames(self._world.encode, at("frames", faults), at("answer", faults))
        events = committed(stream.steps, self._world.state.commit, self._world.encode)
        for number, event in enumerate(events, 1):
            gates = [gate for gate in self._world.gates if gate.store in {None, stream.store}]
            for gate in gates:
                await gate.wait()
            for frame in frames.of(number, event):
                await self._write(frame)
            for gate in gates:
                gate.passed(event.name)
            if frames.cut is not None:
                for _ in events if frames.cut else ():
                    pass  # the order goes on
                raise Hangup(abruptly=False)
            if self._world.step_delay or frames.stall:
                await asyncio.sleep(self._world.step_delay + frames.stall)
        for frame in frames.rest():
            await self._write(frame)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, *, in_parts: bool = False) -> bytes:
        parts = []
        while True:
            message: Message = await self._receive()
            if in_parts or message["type"] == "http.disconnect":
                raise Hangup(abruptly=True)
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _answer(self, answer: Answer) -> None:
        self._logged.status = answer.status
        response = Response(answer.content(), answer.status, answer.headers, answer.media_type)
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


def _identified(call: Call) -> tuple[Call, Refusal | None]:
    try:
        return identify(call), None
    except Refusal as refusal:
        return call, refusal


async def _instead(call: Call) -> Answer | None:
    """Apply the faults of the moment `before`: wait, hang up, refuse, or return an answer instead of the endpoint's."""
    answer = None
    for fault in at("before", call.faults):
        options = fault.options
        match fault.action:
            case "delay":
                await asyncio.sleep(options["seconds"])
            case "reset-after-body":
                raise Hangup(abruptly=True)
            case "notice":
                shown = call.world.carts.current(call.device.device_id, call.params.get("d", ""))
                view = {} if shown is None else call.world.view(shown)
                answer = Answer({**view, "notice": [options["notice"]]})
            case "rate-limit":
                raise Refusal("RateLimitExceeded", "Too many requests", retry_after=options["retry_after"])
            case "refuse" | "unauthorized" | "unavailable":
                description = options.get("description", "Refused on request")
                raise Refusal(options["error"], description, status=options.get("status"))
    return answer


async def _faulted(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """Apply the faults of the moment `answer`: everything is done and on disk."""
    for fault in at("answer", faults):
        options = fault.options
        match fault.action:
            case "lose-answer":
                raise Hangup(abruptly=False)
            case "delay-answer":
                await asyncio.sleep(options["seconds"])
            case "refuse-after":
                answer = Refusal(options["error"], options["description"], status=options["status"]).answer()
            case "gateway-timeout":
                page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
                answer = Answer(body=page, status=504, media_type="text/html")
            case "lie-amount" if isinstance(answer.json, dict):
                answer = replace(answer, json=with_total(answer.json, options["cents"]))
            case "not-json":
                answer = replace(answer, body=options["body"].encode())
    return answer
