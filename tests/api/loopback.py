"""A raw HTTP/1.1 server on loopback that answers as a test says: byte by byte, cut, reset, or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

RESET: Final = object()
SILENCE: Final = object()

SESSION_PATH: Final = "/api/v1/browser-session"
TOKEN: Final = "token-1"

Step = object
Script = Callable[["Asked"], Iterable[Step]]


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body or b"null")


@dataclass
class Loopback:
    """Where it listens, and what it was asked, sessions left out."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    sessions: list[Asked] = field(default_factory=list)
    connections: int = 0


def reply(status: int, body: object, **headers: str) -> bytes:
    """A whole answer; bytes go as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-type": "application/json", "content-length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


def stream_head(content_type: str = "text/event-stream") -> bytes:
    """The beginning of a stream that ends with the connection."""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode()


def chunked_head(content_type: str = "text/event-stream") -> bytes:
    """The beginning of a stream whose end is marked by the last chunk."""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()


def chunk(content: bytes) -> bytes:
    """A part of such a stream; an empty one is its end."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def session_reply(token: str | None = TOKEN, device: str | None = "device-1", **fields: object) -> bytes:
    """A session's answer."""
    return reply(200, {"access_token": token, "device_id": device, "expires_in": 3600, **fields})


@asynccontextmanager
async def loopback(script: Script, session: Script = lambda _: [session_reply()]) -> AsyncIterator[Loopback]:
    """Serve until the block ends. A script gives its steps for a request: bytes to flush, RESET or SILENCE."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        try:
            while asked := await _request(reader):
                is_session = asked.path == SESSION_PATH
                (heard.sessions if is_session else heard.asked).append(asked)
                if not await _answer(writer, (session if is_session else script)(asked)):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    heard = Loopback(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield heard
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _answer(writer: asyncio.StreamWriter, steps: Iterable[Step]) -> bool:
    """Whether the connection goes on."""
    sent = b""
    for step in steps:
        if step is RESET:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if step is SILENCE:
            await asyncio.Event().wait()
        assert isinstance(step, bytes)
        writer.write(step)
        await writer.drain()
        sent += step
        # A turn of the loop, so that a chunk can be read before the next is written.
        await asyncio.sleep(0)
    head, _, body = sent.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}".encode() in head.split(b"\r\n")
