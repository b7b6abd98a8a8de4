"""Starting and stopping, and what importing costs."""

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from firmly_mcp.simulator import Simulator, serve
from tests.simulator.shopping import TEE, Shopper

pytestmark = pytest.mark.anyio


def test_importing_it_imports_no_server() -> None:
    heavy = "uvicorn", "starlette", "cryptography", "jwt", "sqlite3", "filelock"
    code = f"import sys, firmly_mcp.simulator; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


async def test_it_takes_no_signals() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with Simulator():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_it_stops_at_once_with_connections_and_streams_open(http: httpx2.AsyncClient) -> None:
    async with Simulator() as sim:
        shopper = Shopper(sim, http)
        await shopper.session()
        gate = sim.hold_events()
        order = asyncio.create_task(shopper.stream(TEE))
        async with asyncio.timeout(5):
            await gate.release()
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 0.5
    with pytest.raises(httpx2.TransportError):
        await order


async def test_ports_can_be_chosen_and_are_free_again_afterwards() -> None:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        api, payment = one.getsockname()[1], two.getsockname()[1]
    for _ in range(2):
        async with Simulator(api_port=api, payment_port=payment) as sim:
            assert (sim.api_url, sim.payment_url) == (f"http://127.0.0.1:{api}", f"http://127.0.0.1:{payment}")


async def test_a_taken_port_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with Simulator(tmp_path, payment_port=taken.getsockname()[1]):
                pass
    async with Simulator(tmp_path):
        pass


def test_before_it_runs_there_is_nothing_to_ask() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Simulator().api_url


async def test_serving_tells_where_it_is_on_standard_error_and_ends_when_cancelled(
    capfd: pytest.CaptureFixture[str],
) -> None:
    serving = asyncio.create_task(serve())
    told = ""
    async with asyncio.timeout(10):
        while "control secret" not in told:
            await asyncio.sleep(0.01)
            read = capfd.readouterr()
            assert read.out == ""
            told += read.err
    assert "http://127.0.0.1:" in told
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_nothing_is_written_to_standard_output(shopper: Shopper, capfd: pytest.CaptureFixture[str]) -> None:
    shopper.sim.faults.add("lose-answer", "get_cart_v2")
    with pytest.raises(httpx2.TransportError):
        await shopper.cart()
    await shopper.stream(TEE)
    read = capfd.readouterr()
    assert (read.out, read.err) == ("", "")
