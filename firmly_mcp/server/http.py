"""Serving over streamable HTTP: one person's server, on loopback, for clients that hold its token.

Every program of this machine and every web page in its browsers can reach a loopback port. So a request counts only
with the token of a file that is this user's alone, under this server's own name, and from no page of another origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from firmly_mcp.errors import SettingsError
from firmly_mcp.services import Services, open_services
from firmly_mcp.settings import Settings

from .app import build_server
from .door import Door
from .lifetime import leave, leave_in_time, let_calls_end, settle_doubts
from .sessions import Sessions
from .token_file import FILE, read_or_make

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp
    from uvicorn import Server as Web

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
    behind = partial(Door, token=read_or_make(token_file))
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
    door: Door
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
    behind: Callable[[ASGIApp], Door],
    *,
    sessions: int = _SESSIONS,
) -> AsyncIterator[Served]:
    """Serve on a listening socket, behind a door, for as long as the context lasts."""
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    from firmly_mcp.guests import Connection, Guests

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
