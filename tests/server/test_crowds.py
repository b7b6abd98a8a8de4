"""A crowd before the HTTP server, with the token or without, keeps out nobody who has it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from firmly_mcp.app import open_services
from firmly_mcp.server.app import build_server
from firmly_mcp.server.http import BearerAuth, listening_on, serving
from firmly_mcp.settings import Settings
from firmly_mcp.system.loopback import MOST, Connection, Guests
from tests.http_server import mcp_client
from tests.server.test_http import INITIALIZE, TOKEN, browser
from tests.shop import STORE, Shop, call, fill_cart

DEADLINE = 60
SESSIONS = 5
pytestmark = pytest.mark.anyio


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with open_services(Settings(data_dir=tmp_path)) as services:
        with listening_on(0) as bound:
            async with serving(
                build_server(services), bound, partial(BearerAuth, token=TOKEN), sessions=SESSIONS
            ) as server:
                yield server.url


@contextmanager
def connected(url: str, number: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that only say this."""
    parts = httpx2.URL(url)
    with ExitStack() as stack:
        crowd = []
        for _ in range(number):
            crowd.append(stack.enter_context(socket.create_connection((parts.host, parts.port or 80), DEADLINE)))
            crowd[-1].sendall(said)
        yield crowd


async def opened(url: str) -> httpx2.Response:
    async with browser() as client:
        return await client.post(url, json=INITIALIZE)


async def closed(one: socket.socket) -> None:
    """Wait until the server has closed a connection."""
    one.setblocking(False)
    with anyio.fail_after(DEADLINE):
        try:
            while await asyncio.get_running_loop().sock_recv(one, 10_000):
                pass
        except ConnectionError:
            pass


@pytest.mark.parametrize("said", [b"", b"POST /mcp HTTP/1.1\r\nHost: x\r\nX: "], ids=["nothing", "a head without end"])
async def test_a_crowd_without_the_token_keeps_nobody_out_and_has_to_go(url: str, said: bytes) -> None:
    with connected(url, 3 * MOST, said) as crowd:
        assert (await opened(url)).status_code == 200
        for one in crowd[: 2 * MOST - 1]:
            await closed(one)


async def test_who_shows_no_token_in_time_has_to_go_and_who_has_stays() -> None:
    guests = Guests(seconds=0.2)
    left: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/secret":
            from firmly_mcp.system.loopback import secret_shown

            secret_shown(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    import uvicorn

    config = uvicorn.Config(app, http=Connection.to(guests), lifespan="off", log_config=None, interface="asgi3")
    config.load()
    from uvicorn.server import ServerState

    kind, state = config.http_protocol_class, ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: kind(config, state, {}), "127.0.0.1", 0)  # type: ignore[call-arg]
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(DEADLINE):
        knows, knows_not = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for (reader, writer), path in ((knows, b"/secret"), (knows_not, b"/other")):
            writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            left.append((await reader.readuntil(b"ok"))[-2:])
        assert left == [b"ok", b"ok"]
        assert len(guests) == 1
        assert not await knows_not[0].read()
        assert not len(guests)
        knows[1].write(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await knows[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        for _, writer in (knows, knows_not):
            writer.close()


async def test_a_request_without_the_token_keeps_no_connection(url: str) -> None:
    with connected(url, 1, b"GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n") as (one,):
        await closed(one)


async def session_of(url: str) -> str:
    return str((await opened(url)).headers["mcp-session-id"])


async def ping(url: str, session: str) -> int:
    async with browser(**{"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}) as client:
        return (await client.post(url, json={"jsonrpc": "2.0", "id": 2, "method": "ping"})).status_code


async def test_sessions_that_were_left_give_way_to_new_ones_the_oldest_first(url: str) -> None:
    first, second = await session_of(url), await session_of(url)
    rest = [await session_of(url) for _ in range(SESSIONS - 2)]
    assert await ping(url, first) == 200
    late = await session_of(url)
    assert [await ping(url, session) for session in (first, second, rest[0], late)] == [200, 404, 200, 200]
    for _ in range(SESSIONS):
        assert (await opened(url)).status_code == 200
    assert await ping(url, first) == 404


async def test_a_session_with_a_call_in_flight_does_not_give_way(shop: Shop) -> None:
    shop.simulator.faults.add("delay", "*_order_v2", seconds=60)
    orders: list[dict[str, Any]] = []
    with listening_on(0) as bound:
        behind = partial(BearerAuth, token=TOKEN)
        async with (
            serving(build_server(shop.services), bound, behind, sessions=SESSIONS) as server,
            mcp_client(server.url, TOKEN, "legacy") as buyer,
            asyncio.timeout(DEADLINE),
            asyncio.TaskGroup() as tasks,
        ):
            await fill_cart(buyer)

            async def order() -> None:
                orders.append(await call(buyer, "complete_order", store=STORE))

            tasks.create_task(order())
            while not shop.orders_sent():
                await anyio.lowlevel.checkpoint()
            for _ in range(2 * SESSIONS):
                assert (await opened(server.url)).status_code == 200
            await (await shop.services.placement()).drain(0)
    assert orders[0]["status"] == "unknown"


async def test_where_every_session_has_a_call_in_flight_a_new_one_is_refused(shop: Shop) -> None:
    shop.simulator.faults.add("delay", "search", seconds=60)
    with listening_on(0) as bound:
        behind = partial(BearerAuth, token=TOKEN)
        async with serving(build_server(shop.services), bound, behind, sessions=1) as server:
            session = await session_of(server.url)
            headers = {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
            search = {"name": "search_products", "arguments": {"query": "tee"}}
            asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": search}
            async with browser(**headers) as client, asyncio.timeout(DEADLINE):
                seen = len(shop.simulator.requests)
                async with client.stream("POST", server.url, json=asked):
                    while len(shop.simulator.requests) == seen:
                        await anyio.lowlevel.checkpoint()
                    assert (await opened(server.url)).status_code == 503


async def test_a_client_of_the_newer_protocol_ends_no_session(url: str) -> None:
    first = await session_of(url)
    for _ in range(SESSIONS - 1):
        await session_of(url)
    async with mcp_client(url, TOKEN, "auto") as client:
        assert (await client.list_tools()).tools
    assert await ping(url, first) == 200
