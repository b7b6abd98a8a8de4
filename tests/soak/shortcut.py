"""HTTP without sockets: the simulator's application called from the client's transport, request by request.

A stage without processes would spend a quarter of its time on sockets and on writing and parsing HTTP; the servers of
the other stage go through both. What is kept: bodies stream, a hang-up breaks the answer where it stands, and a client
that is gone does not stop the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from firmly_mcp.api.transport import Http
from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.app import App

_END: Final = b""


class Shortcut(Http):
    """Our HTTP client, over such a transport."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._hosts = {
            urlsplit(simulator.api_url).netloc: App(simulator.world, "api"),
            urlsplit(simulator.payment_url).netloc: App(simulator.world, "payment"),
        }

    def _new_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=_Transport(self._hosts), timeout=None, follow_redirects=False)


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, hosts: Mapping[str, App]) -> None:
        self._hosts = hosts

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _Exchange(request, await request.aread())
        exchange.begin(self._hosts[request.url.netloc.decode()])
        try:
            status, headers = await exchange.started
        except asyncio.CancelledError:
            exchange.client_is_gone()
            raise
        return httpx2.Response(status, headers=headers, stream=_Body(exchange), request=request)


class _Exchange:
    """One request at the application. Its task is nobody's to cancel: a store goes on without its client."""

    _running: Final[set[asyncio.Task[None]]] = set()

    def __init__(self, request: httpx2.Request, body: bytes) -> None:
        self.started: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()
        self.parts: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._request = request
        self._body: bytes | None = body
        self._parted = asyncio.Event()

    def begin(self, app: App) -> None:
        """Let the application answer."""
        task = asyncio.get_running_loop().create_task(self._run(app))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def client_is_gone(self) -> None:
        """Nobody reads the answer any more."""
        self._parted.set()

    def abort(self) -> None:
        """The store resets the connection."""
        self._hang_up(httpx2.ReadError("reset"))

    def close(self) -> None:
        """The store closes the connection in the middle."""
        self._hang_up(httpx2.RemoteProtocolError("closed"))

    def _hang_up(self, error: Exception) -> None:
        self._parted.set()
        if self.started.done():
            self.parts.put_nowait(error)
        else:
            self.started.set_exception(error)

    async def _run(self, app: App) -> None:
        url = self._request.url
        scope = {
            "type": "http",
            "method": self._request.method,
            "path": url.path,
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "simulator.transport": self,
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None and not self._parted.is_set():
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._parted.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self._parted.is_set():
            return
        if message["type"] == "http.response.start":
            if not self.started.done():
                self.started.set_result((message["status"], message["headers"]))
            return
        if message.get("body"):
            self.parts.put_nowait(message["body"])
        if not message.get("more_body", False):
            self.parts.put_nowait(_END)
        await asyncio.sleep(0)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await self._exchange.parts.get()) != _END:
            if isinstance(part, Exception):
                raise part
            yield part

    async def aclose(self) -> None:
        self._exchange.client_is_gone()
