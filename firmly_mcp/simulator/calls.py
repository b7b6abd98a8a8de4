"""One request as an endpoint sees it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.cash import Json
from firmly_mcp.simulator.faults import Fault
from firmly_mcp.simulator.stream import Stream
from firmly_mcp.simulator.tokens import Device
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
