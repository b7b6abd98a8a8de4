"""The control path: lets another process read the books and set faults. Without the secret it is not there."""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.dialect import Dialect
from firmly_mcp.simulator.world import World

PREFIX = "/__control__/"
SECRET = "x-simulator-secret"  # noqa: S105 - the name of a header

Turn = Callable[[World, dict[str, Any]], Any]


async def controlled(world: World, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a control request; 404 to everyone who does not know the secret."""
    action = ACTIONS.get((method, path.removeprefix(PREFIX)))
    if action is None or not _knows(world, headers.get(SECRET, "")):
        return Refusal("RouteNotFound", "No such route").answer()
    try:
        result = action(world, json.loads(body) if body else {})
        if isinstance(result, Awaitable):
            result = await result
    except (ValueError, TypeError, LookupError) as wrong:
        return Refusal("BadRequest", str(wrong)).answer()
    world.state.commit()
    return Answer(result)


def _knows(world: World, secret: str) -> bool:
    return hmac.compare_digest(secret.encode(), world.control_secret.encode())


def _ping(world: World, body: dict[str, Any]) -> Any:
    return {"pid": os.getpid(), "now": world.now().isoformat()}


def _books(world: World, body: dict[str, Any]) -> Any:
    return {"charges": [charge.to_json() for charge in world.books.charges]}


def _received(world: World, body: dict[str, Any]) -> Any:
    return {"received": [received.to_json() for received in world.received]}


def _requests(world: World, body: dict[str, Any]) -> Any:
    return {"requests": [request.to_json() for request in world.requests]}


def _faults(world: World, body: dict[str, Any]) -> Any:
    return {"faults": [fault.to_json() for fault in world.faults.waiting]}


def _add_fault(world: World, body: dict[str, Any]) -> Any:
    known = {name: body[name] for name in ("match", "n", "times") if name in body}
    return world.faults.add(body["action"], **known, **body.get("options", {})).to_json()


def _clear_faults(world: World, body: dict[str, Any]) -> Any:
    world.faults.clear()
    return {}


def _rotate_key(world: World, body: dict[str, Any]) -> Any:
    return {"kid": world.keys.rotate(same_kid=body.get("same_kid") is True)}


def _price(world: World, body: dict[str, Any]) -> Any:
    world.stock.set_price(body["store"], body["sku"], body["cents"])
    return {}


def _stock(world: World, body: dict[str, Any]) -> Any:
    world.stock.set_stock(body["store"], body["sku"], body["left"])
    return {}


def _terms(world: World, body: dict[str, Any]) -> Any:
    world.terms.change(body.pop("store"), **body)
    return {}


def _clock(world: World, body: dict[str, Any]) -> Any:
    world.advance(timedelta(seconds=body["advance_seconds"]))
    return {"now": world.now().isoformat()}


def _dialect(world: World, body: dict[str, Any]) -> Any:
    return asdict(world.dialect)


def _set_dialect(world: World, body: dict[str, Any]) -> Any:
    statuses = tuple((name, status) for name, status in body.pop("statuses", []))
    world.dialect = replace(Dialect(**body), statuses=statuses)
    return asdict(world.dialect)


def _return(world: World, body: dict[str, Any]) -> Any:
    world.orders.send_back(body["order_number"], world.now())
    return {}


def _hold(world: World, body: dict[str, Any]) -> Any:
    return {"gate": world.gates.number(world.gates.hold(body.get("store")))}


async def _release(world: World, body: dict[str, Any]) -> Any:
    return {"event": await world.gates.numbered(body["gate"]).release()}


def _open(world: World, body: dict[str, Any]) -> Any:
    world.gates.numbered(body["gate"]).open()
    return {}


ACTIONS: dict[tuple[str, str], Turn] = {
    ("GET", "ping"): _ping,
    ("GET", "books"): _books,
    ("GET", "received"): _received,
    ("GET", "requests"): _requests,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "rotate-key"): _rotate_key,
    ("POST", "price"): _price,
    ("POST", "stock"): _stock,
    ("POST", "terms"): _terms,
    ("POST", "clock"): _clock,
    ("GET", "dialect"): _dialect,
    ("POST", "dialect"): _set_dialect,
    ("POST", "return"): _return,
    ("POST", "gates"): _hold,
    ("POST", "gates/release"): _release,
    ("POST", "gates/open"): _open,
}
