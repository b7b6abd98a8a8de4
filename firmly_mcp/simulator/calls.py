"""One request as an endpoint sees it."""

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from firmly_mcp.simulator.answers import Answer, Json, Refusal
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.faults import Fault
from firmly_mcp.simulator.security import Device
from firmly_mcp.simulator.stream import Stream
from firmly_mcp.simulator.world import World


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the endpoint table. `host` is "api" or "payment"; `auth` is a row of `identity.AUTH`."""

    name: str
    method: str
    path: str
    host: str
    auth: str
    handler: "Handler"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that found its endpoint; `device` is the caller's, an anonymous one where none is needed."""

    world: World
    route: Route
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    device: Device
    faults: Sequence[Fault] = ()

    @property
    def store(self) -> str:
        """The store in the path, which must exist."""
        return self.world.catalog.merchant(self.params["d"]).domain

    def cart(self) -> Cart:
        """The device's cart at the store, or `ErrorCartNotFound`."""
        cart = self.world.carts.current(self.device.device_id, self.store)
        if cart is None or cart.is_gone(self.world.now()):
            raise Refusal("ErrorCartNotFound", f"No cart at {self.store}")
        return cart

    def open_cart(self) -> Cart:
        """The same, to change it: a submitted one is read-only (U-20)."""
        cart = self.cart()
        if cart.is_submitted(self.world.now()):
            raise Refusal("ErrorCartSubmitted", "This cart was submitted and cannot be changed")
        return cart

    def json(self, error: str = "ErrorInvalidInputBody") -> Json:
        """The body, which must be a JSON object."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refusal(error, "The body is not JSON") from None
        if not isinstance(body, dict):
            raise Refusal(error, "The body must be a JSON object")
        return body

    def flag(self, name: str) -> bool:
        """A boolean of the query string."""
        return self.query.get(name, "false").lower() == "true"


Handler = Callable[[Call], Answer | Stream]


def text_field(body: Mapping[str, Any], name: str, error: str = "ErrorInvalidInputBody") -> str:
    """A string that the body must have."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(error, f"{name} is required and must be a string")
    return value


DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
BEARER = "Bearer "


class Auth(NamedTuple):
    """What an endpoint calls a missing and a bad token. Empty names: it asks for none."""

    missing: str
    invalid: str


AUTH = {
    "none": Auth("", ""),
    "token": Auth("MissingAuthHeader", "InvalidToken"),
    "session": Auth("MissingAuthHeader", "InvalidJWTToken"),
    "domains": Auth("Unauthorized", "Unauthorized"),
    "discovery": Auth("Unauthorized", "Unauthorized"),  # a server's secret will do too
    "page": Auth("MissingAuthHeader", "InvalidToken"),  # an App ID alone will do too (C-2)
}


def identified(call: Call) -> Call | Refusal:
    """The call with its device; or why there is none, which faults may hide."""
    try:
        return _identified(call)
    except Refusal as refusal:
        return refusal


def _identified(call: Call) -> Call:
    names = AUTH[call.route.auth]
    if not names.missing or (call.route.auth == "page" and _by_app_id(call)):
        return call
    header = call.headers.get("x-firmly-authorization", "")
    if call.route.auth == "discovery" and _is_server(call, header):
        return call
    if not header.removeprefix(BEARER.strip()).strip():
        raise Refusal(names.missing, "The x-firmly-authorization header is missing")
    token = header.removeprefix(BEARER).strip()  # C-1: with or without the prefix
    return replace(call, device=call.world.tokens.device(token, names.invalid))


def _by_app_id(call: Call) -> bool:
    bare = "x-firmly-authorization" not in call.headers
    return bare and call.headers.get("x-firmly-app-id") == call.world.app_id


def _is_server(call: Call, secret: str) -> bool:
    """Whether a server calls: it says which device it calls for, or shows the secret."""
    device = call.headers.get("x-firmly-device-id")
    knows = hmac.compare_digest(secret.encode(), call.world.server_secret.encode())
    if device is None:
        if knows:
            raise Refusal("BadRequest", "Missing x-firmly-device-id header")
        return False
    if not DEVICE_ID.fullmatch(device):
        raise Refusal("BadRequest", "Invalid format for x-firmly-device-id header")
    if not knows:
        raise Refusal("InvalidAPIToken", "The API token is missing, malformed or unknown")
    return True
