"""One request as an endpoint sees it, and the caller that it is from.

`x-firmly-authorization` carries a device's token or a server's secret (contract 2.2, 3.2), with or without the prefix
`Bearer` (C-1). The error names of a bad one differ by page (C-23).
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from firmly_mcp.simulator.answers import Answer, Json, Refusal
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.faults import Fault
from firmly_mcp.simulator.security import Device
from firmly_mcp.simulator.stream import Stream
from firmly_mcp.simulator.world import World

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
BEARER = "Bearer "


AUTH = {  # an endpoint's error names of a missing and of a bad token
    "none": ("", ""),
    "token": ("MissingAuthHeader", "InvalidToken"),
    "session": ("MissingAuthHeader", "InvalidJWTToken"),
    "domains": ("Unauthorized", "Unauthorized"),
    "discovery": ("Unauthorized", "Unauthorized"),  # also takes a server's secret
    "page": ("MissingAuthHeader", "InvalidToken"),  # also takes an App ID alone (C-2)
}


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the endpoint table. `host` is "api" or "payment"; `auth` is a row of AUTH."""

    name: str
    method: str
    path: str
    host: str
    auth: str
    handler: "Handler"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that found its endpoint; `device` is the caller's, or an anonymous one with an empty id."""

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
        """Return the device's cart at the store, or raise `ErrorCartNotFound`."""
        cart = self.world.carts.current(self.device.device_id, self.store)
        if cart is None or cart.is_gone(self.world.now()):
            raise Refusal("ErrorCartNotFound", f"No cart at {self.store}")
        return cart

    def open_cart(self) -> Cart:
        """Return the cart to change it; a submitted one is read-only (U-20)."""
        cart = self.cart()
        if cart.is_submitted(self.world.now()):
            raise Refusal("ErrorCartSubmitted", "This cart was submitted and cannot be changed")
        return cart

    def new_or_open_cart(self) -> Cart:
        """Return the cart to change it; a new one if there is none or it was submitted."""
        return self.world.carts.open(self.device.device_id, self.store, self.world.now())

    def saved(self, cart: Cart) -> Answer:
        """Keep a changed cart, and answer with its v2 view."""
        self.world.save(cart)
        return Answer(self.world.view(cart))

    def check_stock(self, product: Product, variant: Variant, wanted: int) -> None:
        """Raise `ErrorNotEnoughStock` if the store has fewer."""
        left = self.world.stock.left(self.store, variant)
        if wanted > left:
            raise Refusal("ErrorNotEnoughStock", f"Only {left} of {product.title} left")

    def any_json(self, error: str) -> Any:
        """Return the body, which must be JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refusal(error, "The body is not JSON") from None

    def json(self, error: str = "ErrorInvalidInputBody") -> Json:
        """Return the body, which must be a JSON object."""
        body = self.any_json(error)
        if not isinstance(body, dict):
            raise Refusal(error, "The body must be a JSON object")
        return body

    def flag(self, name: str) -> bool:
        """Return a boolean of the query string."""
        return self.query.get(name, "false").lower() == "true"


Handler = Callable[[Call], Answer | Stream]


def text_field(body: Mapping[str, Any], name: str) -> str:
    """Return a string that the body must have."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal("ErrorInvalidInputBody", f"{name} is required and must be a string")
    return value


def are_strings(value: Any) -> bool:
    """Return whether a part of a body is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def identify(call: Call) -> Call:
    """Return the call with its device, or raise why it has none."""
    (missing, invalid), header = AUTH[call.route.auth], call.headers.get("x-firmly-authorization")
    by_app_id = header is None and call.headers.get("x-firmly-app-id") == call.world.app_id
    if call.route.auth == "none" or (call.route.auth == "page" and by_app_id):
        return call
    secret = header or ""
    if call.route.auth == "discovery" and _is_server(call, secret):
        return call
    if not secret.removeprefix(BEARER.strip()).strip():
        raise Refusal(missing, "The x-firmly-authorization header is missing")
    return replace(call, device=call.world.tokens.device(secret.removeprefix(BEARER).strip(), invalid))


def _is_server(call: Call, secret: str) -> bool:
    """Return whether a server calls: it names the device that it calls for, or has the secret."""
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
