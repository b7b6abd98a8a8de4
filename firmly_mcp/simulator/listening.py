"""Real HTTP on loopback: uvicorn's h11 protocol on asyncio's own servers, so that no signal is touched.

Stopping resets what is still open and waits for nobody.
"""

import asyncio
import contextlib
import socket
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

LOOPBACK = "127.0.0.1"
KEEP_ALIVE = 75  # seconds; a pooled connection must not close under an order that is just being sent


class Wire(H11Protocol):
    """One connection; hands its transport on, so that the application can close it in the middle of an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own is
        super().connection_made(transport)
        inner: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["simulator.transport"] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class Listener:
    """One port that an application listens on."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=KEEP_ALIVE, interface="asgi3",
        )  # fmt: skip
        self._connections = ServerState()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self, port: int, wished: int = 0) -> None:
        """Listen on `port`; 0 takes the wished one if it is free, else any."""
        self._config.load()
        loop = asyncio.get_running_loop()
        bound = _bound(port, wished)
        self._server = await loop.create_server(lambda: Wire(self._config, self._connections, {}), sock=bound)
        self.url = f"http://{LOOPBACK}:{bound.getsockname()[1]}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    async def stop(self) -> None:
        """Close the port, reset its connections and end their requests."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()
        await asyncio.sleep(0)  # lets the connections learn that they are lost
        running = list(self._connections.tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._server.wait_closed()


def _bound(port: int, wished: int) -> socket.socket:
    if not port and wished:
        with contextlib.suppress(OSError):
            return _listening(wished)
    return _listening(port)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: no delay for TCP only
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
