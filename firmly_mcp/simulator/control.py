"""The control path: lets another process read the books and set faults. Without the secret it is not there."""

import asyncio
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from firmly_mcp.simulator.answers import Answer, Refusal

if TYPE_CHECKING:
    from firmly_mcp.simulator.ledger import Books
    from firmly_mcp.simulator.world import World


PREFIX = "/__control__/"
SECRET = "x-simulator-secret"  # noqa: S105 - the name of a header

Turn = Callable[["World", dict[str, Any]], Any]


async def controlled(world: "World", method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
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


def _knows(world: "World", secret: str) -> bool:
    return hmac.compare_digest(secret.encode(), world.control_secret.encode())


def _ping(world: "World", body: dict[str, Any]) -> Any:
    return {"pid": os.getpid(), "now": world.now().isoformat()}


def _books(world: "World", body: dict[str, Any]) -> Any:
    return {"charges": [charge.to_json() for charge in world.books.charges]}


def _received(world: "World", body: dict[str, Any]) -> Any:
    return {"received": [received.to_json() for received in world.received]}


def _requests(world: "World", body: dict[str, Any]) -> Any:
    return {"requests": [request.to_json() for request in world.requests]}


def _faults(world: "World", body: dict[str, Any]) -> Any:
    return {"faults": [fault.to_json() for fault in world.faults.waiting]}


def _add_fault(world: "World", body: dict[str, Any]) -> Any:
    known = {name: body[name] for name in ("match", "n", "times") if name in body}
    return world.faults.add(body["action"], **known, **body.get("options", {})).to_json()


def _clear_faults(world: "World", body: dict[str, Any]) -> Any:
    world.faults.clear()
    return {}


def _rotate_key(world: "World", body: dict[str, Any]) -> Any:
    return {"kid": world.keys.rotate(same_kid=body.get("same_kid") is True)}


def _price(world: "World", body: dict[str, Any]) -> Any:
    world.stock.set_price(body["store"], body["sku"], body["cents"])
    return {}


def _stock(world: "World", body: dict[str, Any]) -> Any:
    world.stock.set_stock(body["store"], body["sku"], body["left"])
    return {}


def _terms(world: "World", body: dict[str, Any]) -> Any:
    world.terms.change(body.pop("store"), **body)
    return {}


def _clock(world: "World", body: dict[str, Any]) -> Any:
    world.advance(timedelta(seconds=body["advance_seconds"]))
    return {"now": world.now().isoformat()}


def _return(world: "World", body: dict[str, Any]) -> Any:
    world.orders.send_back(body["order_number"], world.now())
    return {}


def _hold(world: "World", body: dict[str, Any]) -> Any:
    return {"gate": world.gates.number(world.gates.hold(body.get("store")))}


async def _release(world: "World", body: dict[str, Any]) -> Any:
    return {"event": await world.gates.numbered(body["gate"]).release()}


def _open(world: "World", body: dict[str, Any]) -> Any:
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
    ("POST", "return"): _return,
    ("POST", "gates"): _hold,
    ("POST", "gates/release"): _release,
    ("POST", "gates/open"): _open,
}

ANSWER_WITHIN = 10.0


class Address(Protocol):
    """Where a simulator is and what opens its control path."""

    @property
    def api_url(self) -> str:
        """The base URL of its api host."""
        ...

    @property
    def control_secret(self) -> str:
        """Its secret."""
        ...


async def ask(address: Address, path: str, body: Any = None, *, method: str | None = None) -> Any:
    """One control request: `ask(address, "books")`, `ask(address, "faults", {"action": ...})`.

    Raises ConnectionError when nobody answers, ValueError when the answer is a refusal.
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
    """The books of a simulator in another process."""
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
