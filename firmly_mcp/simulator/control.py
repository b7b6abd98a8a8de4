"""The control path: another process reads the books, sets faults and changes the stores.

Without the secret every request to it is answered as if the path did not exist. `ask` is the other end of it.
"""

import asyncio
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from firmly_mcp.simulator.answers import Answer, Json, Refusal

if TYPE_CHECKING:
    from firmly_mcp.simulator.ledger import Books
    from firmly_mcp.simulator.world import Received, Request, World

PREFIX = "/__control__/"
SECRET = "x-simulator-secret"  # noqa: S105 - the name of a header
ANSWER_WITHIN = 10.0


async def controlled(world: "World", method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a control request; without the secret it is 404."""
    action = ACTIONS.get((method, path.removeprefix(PREFIX)))
    if action is None or not hmac.compare_digest(headers.get(SECRET, "").encode(), world.control_secret.encode()):
        return Refusal("RouteNotFound", "No such route").answer()
    try:
        result = action(world, json.loads(body) if body else {})
        if isinstance(result, Awaitable):
            result = await result
    except (ValueError, TypeError, LookupError) as wrong:
        return Refusal("BadRequest", str(wrong)).answer()
    world.state.commit()
    return Answer({} if result is None else result)


def _ping(world: "World", body: Json) -> Json:
    return {"pid": os.getpid(), "now": world.now().isoformat()}


def _logged(one: "Received | Request") -> Json:
    return {**asdict(one), "at": one.at.isoformat()}


def _add_fault(world: "World", body: Json) -> Json:
    known = {name: body[name] for name in ("match", "n", "times") if name in body}
    return world.faults.add(body["action"], **known, **body.get("options", {})).to_json()


def _advance(world: "World", body: Json) -> Json:
    world.advance(timedelta(seconds=body["advance_seconds"]))
    return {"now": world.now().isoformat()}


async def _release(world: "World", body: Json) -> Json:
    return {"event": await world.gates[body["gate"]].release()}


ACTIONS: dict[tuple[str, str], Callable[["World", Json], Any]] = {
    ("GET", "ping"): _ping,
    ("GET", "books"): lambda world, body: {"charges": [charge.to_json() for charge in world.books.charges]},
    ("GET", "received"): lambda world, body: {"received": [_logged(one) for one in world.received]},
    ("GET", "requests"): lambda world, body: {"requests": [_logged(one) for one in world.requests]},
    ("GET", "faults"): lambda world, body: {"faults": [fault.to_json() for fault in world.faults.waiting]},
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): lambda world, body: world.faults.clear(),
    ("POST", "rotate-key"): lambda world, body: {"kid": world.keys.rotate(same_kid=body.get("same_kid") is True)},
    ("POST", "price"): lambda world, body: world.stock.set_price(body["store"], body["sku"], body["cents"]),
    ("POST", "stock"): lambda world, body: world.stock.set_stock(body["store"], body["sku"], body["left"]),
    ("POST", "terms"): lambda world, body: world.terms.change(body.pop("store"), **body),
    ("POST", "clock"): _advance,
    ("POST", "return"): lambda world, body: world.orders.return_order(body["order_number"], world.now()),
    ("POST", "gates"): lambda world, body: {"gate": world.gates.index(world.hold_events(body.get("store")))},
    ("POST", "gates/release"): _release,
    ("POST", "gates/open"): lambda world, body: world.gates[body["gate"]].open(),
}


class Address(Protocol):
    """Where a simulator runs, and the secret of its control path."""

    @property
    def api_url(self) -> str:
        """The base URL of its api host."""
        ...

    @property
    def control_secret(self) -> str:
        """Its secret."""
        ...


async def ask(address: Address, path: str, body: Any = None, *, method: str | None = None) -> Any:
    """Send one control request: `ask(address, "books")`, `ask(address, "faults", {"action": ...})`.

    Raises ConnectionError when nothing answers there, ValueError when the answer is a refusal.
    """
    where = urlsplit(address.api_url)
    raw = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method or ('GET' if body is None else 'POST')} {PREFIX}{path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"{SECRET}: {address.control_secret}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    )
    async with asyncio.timeout(ANSWER_WITHIN):
        status, answer = await _exchange(where.hostname or "", where.port or 80, head.encode() + raw)
    if status != 200:
        raise ValueError(f"the simulator refused {path}: {answer.decode(errors='replace')}")
    return json.loads(answer)


async def fetch_books(address: Address) -> "Books":
    """Return the books of a simulator in another process."""
    from firmly_mcp.simulator.ledger import Books, Charge

    return Books([Charge.from_json(charge) for charge in (await ask(address, "books"))["charges"]])


async def _exchange(host: str, port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not status:
        raise ConnectionResetError("the simulator closed the connection")
    return int(status[0]), body
