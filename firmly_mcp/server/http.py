"""The token of the HTTP server: in a file that only this user can read, made once and then kept.

A file that others could have read or put there is refused, not repaired: the token in it may be known.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import re
import secrets
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from firmly_mcp.app import Services, open_services
from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import Settings
from firmly_mcp.system.files import make_data_dir
from firmly_mcp.system.loopback import secret_shown

from .app import build_server, leave, leave_in_time, let_calls_end, settle_doubts
from .sessions import Sessions

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from uvicorn import Server as Web

FILE: Final = "http-token"

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{40,200}")

_BYTES: Final = 32

# A link is not followed; not every system can say so.
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)


def read_or_make(path: Path) -> str:
    """The token of this file in the data directory; both are made where they are not there.

    Raises:
        SettingsError: the file is another's, readable by others, holds no token, or cannot be made.
    """
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise SettingsError(f"The token file cannot be used ({type(error).__name__}): {path}.") from None


def _read(path: Path) -> str:
    descriptor = os.open(path, _READ)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        if not _is_ours_alone(os.fstat(descriptor)):
            raise SettingsError(
                f"Others can read or change {path}, so its token may be known. Delete it, and the next start makes a "
                "new one."
            )
        token = file.read(1000).strip()
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"{path} holds no token. Delete it, and the next start makes a new one.")
    return token


def _make(path: Path) -> None:
    """Write a new token, whole or not at all; if another process is first, its token stays."""
    make_data_dir(path.parent)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(_BYTES)}\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            return
    finally:
        fresh.unlink()


def _is_ours_alone(found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    # Windows has no modes: the user's own directories are closed to others there.
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)


# The door of the HTTP server: only who holds the token is let in, and nobody once it closes.

_NO_TOKEN: Final = (401, b"This server needs its token, as `Authorization: Bearer TOKEN`. The server named its file.\n")

_CLOSED: Final = (503, b"The server is about to end.\n")


class BearerAuth:
    """An application behind a token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode("ascii")
        self._closed = False
        self._inside: set[anyio.CancelScope] = set()
        self._answering = 0
        self._answered = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away."""
        if scope["type"] != "http":
            return
        if self._closed:
            await _turn_away(send, *_CLOSED)
        elif not self._knows_token(scope):
            await _turn_away(send, *_NO_TOKEN)
        else:
            secret_shown(scope)
            await self._let_in(scope, receive, send)

    async def quiet(self) -> None:
        """Let nobody in any more, and wait for the answers to calls."""
        self._closed = True
        while self._answering:
            await self._answered.wait()

    async def close(self) -> None:
        """Let nobody in any more, and end what still streams."""
        self._closed = True
        for request in list(self._inside):
            request.cancel()

    def _knows_token(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        call = scope["method"] == "POST"  # a GET is a stream that the client keeps open for as long as it lives
        self._answering += call
        try:
            with anyio.CancelScope() as request:
                self._inside.add(request)
                await self._app(scope, receive, answer)
        finally:
            self._inside.discard(request)
            self._answering -= call
            self._answered.set()
            self._answered = anyio.Event()
        if request.cancelled_caught:
            await answer.end()


class _Answer:
    """What was sent of an answer, so that one that is cut short still ends as HTTP demands."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._ended = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End the answer, with a refusal if it had not begun."""
        if not self._begun:
            await _turn_away(self._send, *_CLOSED)
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _turn_away(send: Send, status: int, text: bytes) -> None:
    # Whoever has no token keeps no connection.
    headers = [
        (b"connection", b"close"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start: MutableMapping[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": text})


# Serving over streamable HTTP: one person's server, on loopback, for clients that hold its token.

LOOPBACK: Final = "127.0.0.1"

PORT: Final = 8437

PATH: Final = "/mcp"

# A call's arguments are some hundred bytes; the largest, fifty items, are a few thousand.
BODY_LIMIT: Final = 1024 * 1024

# One person's assistants; each of the older kind keeps a session.
_SESSIONS: Final = 100

_KEEP_ALIVE: Final = 75


def run_http(settings: Settings, *, port: int, demo: bool = False) -> None:
    """Serve until SIGTERM or SIGINT arrives; then let a send in flight end, for up to 20 s.

    Raises:
        SettingsError: the port is taken, or the token's file cannot be used.
    """
    anyio.run(_serve, settings, port, demo)
    leave()


async def _serve(settings: Settings, port: int, demo: bool) -> None:
    token_file = settings.data_dir / FILE
    behind = partial(BearerAuth, token=read_or_make(token_file))
    with listening_on(port) as bound:
        async with open_services(settings, demo=demo) as services, anyio.create_task_group() as tasks:
            tasks.start_soon(settle_doubts, services)
            async with serving(build_server(services), bound, behind) as served, _told_to_end() as told:
                sys.stderr.write(f"Serving MCP at {served.url}\n  token: in {token_file}\n")
                sys.stderr.flush()
                await told.wait()
                leave_in_time()
                await served.stop(services)
            tasks.cancel_scope.cancel()


@contextmanager
def listening_on(port: int) -> Iterator[socket.socket]:
    """A socket that listens on this port of loopback; 0 takes a free one.

    Raises:
        SettingsError: the port is taken or not ours to take.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        if sys.platform != "win32":  # there it would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
            bound.listen()
        except OSError as error:
            raise SettingsError(
                f"Port {port} cannot be used ({error.strerror}). Choose another with --port; 0 takes a free one."
            ) from None
        bound.setblocking(False)
        yield bound


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is being served."""

    url: str
    door: BearerAuth
    web: Web

    async def stop(self, services: Services) -> None:
        """Take no more connections, let orders in flight end, let their answers out."""
        for listener in self.web.servers:
            listener.close()
        await let_calls_end(services, self.door.quiet)
        await self.door.close()


@asynccontextmanager
async def serving(
    server: MCPServer[Services],
    bound: socket.socket,
    behind: Callable[[ASGIApp], BearerAuth],
    *,
    sessions: int = _SESSIONS,
) -> AsyncIterator[Served]:
    """Serve on a listening socket, behind a door, for as long as the context lasts."""
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    from firmly_mcp.system.loopback import Connection, Guests

    hosts = [f"{name}:{bound.getsockname()[1]}" for name in (LOOPBACK, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=BODY_LIMIT,
        max_sessions=sessions,
        transport_security=security,
    )
    door = behind(Sessions(app, sessions))
    web = uvicorn.Server(
        uvicorn.Config(
            door, http=Connection.to(Guests()), ws="none", lifespan="off", interface="asgi3", log_config=None,
            log_level="warning", access_log=False, server_header=False, timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    web.capture_signals = contextlib.nullcontext  # type: ignore[assignment]  # signals are this module's
    async with app.router.lifespan_context(app):
        running = asyncio.create_task(web.serve(sockets=[bound]))
        try:
            yield Served(f"http://{hosts[0]}{PATH}", door, web)
        finally:
            await door.close()
            web.should_exit = True
            await running


@asynccontextmanager
async def _told_to_end() -> AsyncIterator[anyio.Event]:
    """An event that the first signal sets; further ones change nothing."""
    told = anyio.Event()
    if sys.platform == "win32":
        yield told  # Ctrl-C interrupts the event loop there
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_set_by_signal, signals, told)
            yield told
            tasks.cancel_scope.cancel()


async def _set_by_signal(signals: AsyncIterator[signal.Signals], told: anyio.Event) -> None:
    async for _ in signals:
        told.set()
