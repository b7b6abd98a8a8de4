"""One person's server over HTTP: who is let in, and that it serves both eras as standard input does."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client

from firmly_mcp.app import Services, open_services
from firmly_mcp.errors import SettingsError
from firmly_mcp.server.app import build_server
from firmly_mcp.server.http import BODY_LIMIT, LOOPBACK, BearerAuth, listening_on, serving
from firmly_mcp.settings import Settings
from tests.http_server import mcp_client
from tests.shop import STORE, TEE, Shop, call, fill_cart

TOKEN = "the-token-of-a-test"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[str]:
    with listening_on(0) as bound:
        async with serving(build_server(services), bound, partial(BearerAuth, token=TOKEN)) as server:
            yield server.url


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A server that nobody shops with."""
    async with open_services(Settings(data_dir=tmp_path)) as services, served(services) as address:
        yield address


@pytest.fixture
async def shop_url(shop: Shop) -> AsyncIterator[str]:
    async with served(shop.services) as address:
        yield address


@pytest.fixture
async def client(shop_url: str, era: Any) -> AsyncIterator[Client]:
    async with mcp_client(shop_url, TOKEN, era) as connected:
        yield connected


@asynccontextmanager
async def browser(**headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who sends requests of their own making; the token unless they say else."""
    known = {"authorization": f"Bearer {TOKEN}", "accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(headers=known | headers, trust_env=False) as client:
        yield client


async def status(url: str, **headers: str) -> int:
    """The status of a handshake that is sent with these headers."""
    async with browser(**headers) as client:
        return (await client.post(url, json=INITIALIZE)).status_code


@pytest.mark.anyio
async def test_a_client_fills_a_cart_pays_it_and_sees_the_steps(client: Client, shop: Shop) -> None:
    cart = await fill_cart(client)
    steps: list[str] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    order = await client.call_tool("complete_order", {"store": STORE, "max_total": "9000"}, progress_callback=step)
    assert order.structured_content is not None
    assert order.structured_content["status"] == "placed"
    assert order.structured_content["total"] == cart["total"]
    assert len(shop.charges) == 1
    assert steps


@pytest.mark.anyio
async def test_without_the_token_nothing_is_answered(url: str) -> None:
    async with browser() as client:
        client.headers.pop("authorization")
        refused = await client.post(url, json=INITIALIZE)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert "Authorization: Bearer" in refused.text
        assert (await client.post(f"{url}?token={TOKEN}", json=INITIALIZE)).status_code == 401
        assert (await client.get(f"{url}/elsewhere")).status_code == 401
        assert (await client.options(url, headers={"origin": "http://evil.example"})).status_code == 401


@pytest.mark.anyio
async def test_another_token_is_refused(url: str) -> None:
    for given in ("Bearer", "Bearer no", f"Bearer {TOKEN}x", f"Bearer x{TOKEN}", TOKEN, "Basic eDp5"):
        assert await status(url, authorization=given) == 401


@pytest.mark.anyio
async def test_two_tokens_are_refused(url: str) -> None:
    async with browser() as client:
        both = [("authorization", "Bearer wrong"), ("authorization", f"Bearer {TOKEN}")]
        assert (await client.post(url, json=INITIALIZE, headers=both)).status_code == 401


@pytest.mark.anyio
async def test_without_the_token_a_body_is_not_even_read(url: str) -> None:
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    async with await anyio.connect_tcp(host, int(port)) as connection:
        await connection.send(
            f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            "Content-Length: 1000000\r\n\r\n".encode()
        )
        with anyio.fail_after(20):
            assert (await connection.receive()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.anyio
async def test_only_its_own_names_and_origins_are_served(url: str) -> None:
    port = httpx2.URL(url).port
    for name in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert await status(url, host=name) == 200
        assert await status(url, host=name, origin=f"http://{name}") == 200
    for name in ("localhost", "127.0.0.1", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1:1"):
        assert await status(url, host=name) == 421
    for origin in (
        "null",
        "http://evil.example",
        "http://localhost:5173",
        f"https://localhost:{port}",
        "http://127.0.0.1",
    ):
        assert await status(url, origin=origin) == 403


@pytest.mark.anyio
async def test_a_form_of_a_page_is_no_call(url: str) -> None:
    async with browser() as client:
        body = json.dumps(INITIALIZE).encode()
        assert (await client.post(url, content=body, headers={"content-type": "text/plain"})).status_code == 400


@pytest.mark.anyio
async def test_a_body_over_the_limit_is_refused_declared_or_not(url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT // 65536 + 2):
            yield b"x" * 65536

    json_type = {"content-type": "application/json"}
    async with browser(**json_type) as client:
        assert (await client.post(url, content=b"x" * (BODY_LIMIT + 1))).status_code == 413
    async with browser(**json_type) as client:
        with suppress(httpx2.TransportError):  # it may close on who goes on sending
            assert (await client.post(url, content=endless())).status_code == 413
    assert await status(url) == 200


@pytest.mark.anyio
async def test_garbage_is_refused_and_the_next_call_served(url: str) -> None:
    for version in ({}, {"mcp-protocol-version": "2026-07-28"}):
        async with browser(**{"content-type": "application/json", **version}) as client:
            for body in (b"", b"not json", b"\xff\xfe", b"[]", b"{}", b"[" * 200_000, b'{"jsonrpc":"2.0"}'):
                assert (await client.post(url, content=body)).status_code == 400
    assert await status(url) == 200


@pytest.mark.anyio
async def test_two_assistants_share_one_cart_and_one_order(shop_url: str, shop: Shop) -> None:
    async with mcp_client(shop_url, TOKEN, "auto") as one, mcp_client(shop_url, TOKEN, "legacy") as other:
        cart = await fill_cart(one)
        assert (await call(other, "get_cart", store=STORE))["carts"][0]["lines"] == cart["lines"]
        first = await call(other, "complete_order", store=STORE)
        again = await call(one, "complete_order", store=STORE)
    assert first["attempt"] == again["attempt"]
    assert len(shop.charges) == 1


@pytest.mark.parametrize("leaving", ["auto", "legacy"])
@pytest.mark.anyio
async def test_the_order_of_a_client_that_vanished_is_placed(shop_url: str, shop: Shop, leaving: Any) -> None:
    shop.simulator.faults.add("delay", "*_order_v2", seconds=1.0)
    with anyio.move_on_after(20) as vanishing:
        async with mcp_client(shop_url, TOKEN, leaving) as client:
            await fill_cart(client)

            async def vanish(progress: float, total: float | None, message: str | None) -> None:
                if shop.orders_sent():
                    vanishing.cancel()

            arguments = {"store": STORE, "max_total": "9000"}
            await client.call_tool("complete_order", arguments, progress_callback=vanish)
    async with mcp_client(shop_url, TOKEN, "auto") as client:
        with anyio.fail_after(20):
            while True:
                order = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 2}])
                if order["status"] != "in_progress":
                    break
    assert order["status"] == "placed"
    assert len(shop.charges) == 1
    assert len(shop.orders_sent()) == 1


def test_a_taken_port_is_told_with_the_way_out() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} .*--port"), listening_on(port):
            pass
