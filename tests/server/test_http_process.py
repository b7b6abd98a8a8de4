"""The HTTP server as a process: who ends it, how, and what it leaves."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.http_server import HttpServer, http_server
from tests.raw_server import environment
from tests.server.test_http import INITIALIZE
from tests.server.test_process import DEADLINE, ROOT, address_file, is_open
from tests.server.test_stdio import attempts, home, slow_down, wait_for_row  # noqa: F401 - `home` is a fixture
from tests.shop import STORE, call, fill_cart


def port_of(server: HttpServer) -> int:
    port = httpx2.URL(server.url).port
    assert port
    return port


def left_nothing(server: HttpServer, home: Path) -> bool:  # noqa: F811 - the fixture's value
    return not (server.output or server.errors[2:] or is_open(port_of(server)) or address_file(home).exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.anyio
async def test_a_signal_ends_the_server_and_its_open_streams(home: Path, number: signal.Signals) -> None:  # noqa: F811
    with http_server(environment(home), "--demo") as server:
        assert str(home) in str(server.token_file)
        async with server.client("legacy") as client, httpx2.AsyncClient(trust_env=False) as other:
            await call(client, "search_products", query="tee")
            session = {"authorization": f"Bearer {server.token}", "accept": "application/json, text/event-stream"}
            opened = await other.post(server.url, json=INITIALIZE, headers=session)
            session["mcp-session-id"] = opened.headers["mcp-session-id"]
            async with other.stream("GET", server.url, headers=session) as stream:
                assert stream.status_code == 200
                assert await anyio.to_thread.run_sync(server.signal, number) == 0
                assert not (await stream.aread()).strip()
        assert left_nothing(server, home)
        assert server.token not in "".join(server.errors)


@pytest.mark.parametrize("era", ["auto", "legacy"])
@pytest.mark.anyio
async def test_an_order_in_flight_is_placed_and_answered_before_the_server_ends(home: Path, era: Any) -> None:  # noqa: F811
    with http_server(environment(home), "--demo") as server:
        ended: list[int] = []

        async def end_it() -> None:
            await anyio.to_thread.run_sync(wait_for_row, home)
            ended.append(await anyio.to_thread.run_sync(server.signal, signal.SIGTERM))

        async with server.client(era) as client:
            await fill_cart(client)
            # For longer than answers may take once orders have ended: the order itself is waited for.
            await anyio.to_thread.run_sync(slow_down, home, 3.0)
            async with anyio.create_task_group() as both:
                both.start_soon(end_it)
                order = await call(client, "complete_order", store=STORE)
        assert order["status"] == "placed"
        assert ended == [0]
        assert left_nothing(server, home)
    assert attempts(home) == ["placed"]


@pytest.mark.anyio
async def test_a_server_that_is_ending_takes_nobody_in(home: Path) -> None:  # noqa: F811
    with http_server(environment(home), "--demo") as server:
        async with server.client("auto") as client:
            await fill_cart(client)
            await anyio.to_thread.run_sync(slow_down, home, 4.0)
            async with anyio.create_task_group() as both:

                async def order() -> None:
                    assert (await call(client, "complete_order", store=STORE))["status"] == "placed"

                both.start_soon(order)
                await anyio.to_thread.run_sync(wait_for_row, home)
                server.process.send_signal(signal.SIGTERM)
                with anyio.fail_after(DEADLINE):
                    while is_open(port_of(server)):
                        await anyio.lowlevel.checkpoint()
                assert server.process.poll() is None
        assert server.wait() == 0


def test_two_on_one_port_is_an_error_in_one_line(home: Path) -> None:  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "firmly_mcp", "serve", "--http", "--port", port],
            env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"firmly-mcp: Port {port} cannot be used")
    assert ended.stderr.count("\n") == 1


def test_a_token_that_others_could_read_serves_nobody(home: Path) -> None:  # noqa: F811
    data = home / ".local" / "share" / "firmly-mcp"
    data.mkdir(parents=True)
    (data / "http-token").write_text("x" * 50, "ascii")
    (data / "http-token").chmod(0o644)
    ended = subprocess.run(
        [sys.executable, "-m", "firmly_mcp", "serve", "--http", "--port", "0"],
        env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Delete it" in ended.stderr
    assert "xxxx" not in ended.stderr


def test_a_port_without_http_is_a_wrong_usage(home: Path) -> None:  # noqa: F811
    ended = subprocess.run(
        [sys.executable, "-m", "firmly_mcp", "serve", "--port", "8000"],
        env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "--port goes with --http" in ended.stderr
