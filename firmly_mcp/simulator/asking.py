"""Reads the control path of a simulator that runs in another process: plain HTTP/1.1 on loopback."""

import asyncio
import json
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from firmly_mcp.simulator.books import Books

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
    from firmly_mcp.simulator.control import PREFIX, SECRET

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
    from firmly_mcp.simulator.books import Books, Charge

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
