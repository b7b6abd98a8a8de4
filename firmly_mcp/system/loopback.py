"""The pages' port: uvicorn's HTTP protocol on asyncio's own server, so that no signal and no stream is touched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final, Self

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from firmly_mcp.errors import SettingsError

# Seconds that a browser may keep a connection without asking anything.
_KEEP_ALIVE: Final = 20


# Connections to a port that every program of this machine can reach: those that showed no secret are few and brief.

MOST: Final = 64

SECONDS: Final = 10.0


class Guests:
    """The connections of one port that have shown no secret, oldest first."""

    def __init__(self, *, most: int = MOST, seconds: float = SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._guests: dict[Connection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def come(self, guest: Connection) -> None:
        """Add a connection; the oldest one is closed if there are too many."""
        while len(self._guests) >= self._most:
            self._turn_out(next(iter(self._guests)))
        timer = asyncio.get_running_loop().call_later(self._seconds, self._turn_out, guest)
        self._guests[guest] = timer

    def leave(self, guest: Connection) -> None:
        """It is gone, or has shown a secret."""
        timer = self._guests.pop(guest, None)
        if timer is not None:
            timer.cancel()

    def _turn_out(self, guest: Connection) -> None:
        self.leave(guest)
        guest.transport.abort()


class Connection(H11Protocol):
    """uvicorn's connection, which is a guest until a request over it has shown a secret."""

    guests: ClassVar[Guests]

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], **more: Any) -> None:
        super().__init__(config, server_state, {**app_state, _CONNECTION: self}, **more)

    @classmethod
    def to(cls, guests: Guests) -> type[Self]:
        """The kind of connection that one port has."""
        return type(cls.__name__, (cls,), {"guests": guests})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.guests.come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guests.leave(self)
        super().connection_lost(exc)


class _Wire(Connection):
    """One connection. Its requests are in no log, however logging is set up: a path can be a link's secret."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.access_log = False


class Listener:
    """One port, on which an application is served in the caller's event loop.

    Port 0 is any that is free.

    Raises:
        SettingsError: the address is not this machine's, or another program has the port.
    """

    def __init__(self, address: str, port: int) -> None:
        self._bound = bound(address, port)
        self._connections = ServerState()
        self._server: asyncio.Server | None = None
        self.port: int = self._bound.getsockname()[1]

    async def serve(self, app: ASGIApp) -> None:
        """Answer from now on."""
        config = Config(
            _quiet(app), http="h11", ws="none", lifespan="off", log_config=None, access_log=False, interface="asgi3",
            server_header=False, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE,
            h11_max_incomplete_event_size=16384,
        )  # fmt: skip
        config.load()
        loop, wire = asyncio.get_running_loop(), _Wire.to(Guests())
        self._server = await loop.create_server(
            lambda: wire(config, self._connections, {}), sock=self._bound, backlog=config.backlog
        )

    async def stop(self) -> None:
        """Close the port, its connections, and the requests that still wait."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()
        await asyncio.sleep(0)  # lets the connections learn that they are lost
        waiting = list(self._connections.tasks)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None


def _quiet(app: ASGIApp) -> ASGIApp:
    """An application whose requests end without a word when the port is closed under them."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return answered


def bound(address: str, port: int) -> socket.socket:
    """A socket on which the pages can be served.

    Raises:
        SettingsError: the address is not this machine's, or another program has the port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"The pages cannot be served on port {port} of {address} ({error.strerror}): does another program have it?"
        ) from None
    listening.setblocking(False)
    return listening


# Where a request's scope names the connection that it came over.
_CONNECTION: Final = "firmly_mcp.connection"


def secret_shown(scope: Mapping[str, Any]) -> None:
    """Note that the request of this scope has shown a secret: its connection is no guest any more."""
    connection = scope.get("state", {}).get(_CONNECTION)
    if isinstance(connection, Connection):
        connection.guests.leave(connection)
