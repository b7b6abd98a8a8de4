"""What outlives a simulator: a restart, a killed process, two processes on one directory."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from firmly_mcp.simulator import AlreadyRunning, Simulator, fetch_books
from tests.simulator.shopping import HOODIE, LUMA, TEE, Clock, Shopper, error

pytestmark = pytest.mark.anyio
RUN = """
import asyncio, json, sys
from dataclasses import asdict
from pathlib import Path
from firmly_mcp.simulator import Simulator
async def main():
    async with Simulator.join_or_run(Path(sys.argv[1])) as joined:
        print(json.dumps(asdict(joined)), flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


class Elsewhere:
    """A simulator that another process runs or has found."""

    def __init__(self, process: asyncio.subprocess.Process, told: dict[str, Any]) -> None:
        self.process = process
        self.api_url: str = told["api_url"]
        self.payment_url: str = told["payment_url"]
        self.app_id: str = told["app_id"]
        self.control_secret: str = told["control_secret"]
        self.pid: int = told["pid"]
        self.running_here: bool = told["running_here"]

    async def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


@asynccontextmanager
async def elsewhere(data_dir: Path) -> AsyncIterator[Elsewhere]:
    """Another process that joins or runs the directory's simulator until left."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(data_dir), stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            yield Elsewhere(process, json.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # asyncio closes a killed process's pipes only later


async def shop(sim: Any, http: httpx2.AsyncClient) -> Shopper:
    shopper = Shopper(sim, http)
    await shopper.session()
    return shopper


async def test_a_restart_goes_on_from_the_same_books(tmp_path: Path, http: httpx2.AsyncClient, clock: Clock) -> None:
    async with Simulator(tmp_path, now=clock) as first:
        shopper = await shop(first, http)
        order = (await shopper.place({"variant_id": "WS12-S-Orange"})).json()
        cart = (await shopper.add(HOODIE)).json()
        charges = first.books.charges
        first.set_price(LUMA, "MH07-XS-Gray", 6000)
        kid, secrets = first.world.keys.kid, (first.app_id, first.control_secret)
    async with Simulator(tmp_path, now=clock) as second:
        shopper.sim = second
        assert second.books.charges == charges
        assert (second.app_id, second.control_secret) == secrets
        again = (await shopper.cart()).json()
        assert again["line_items"][0]["line_item_id"] == cart["line_items"][0]["line_item_id"]
        assert again["shipments"][0]["shipment_id"] == cart["shipments"][0]["shipment_id"]
        assert again["sub_total"]["number"] == 6000
        assert second.world.keys.kid == kid
        assert error(await shopper.add({"variant_id": "WS12-S-Orange"}, 3)) == (422, "ErrorNotEnoughStock")
        assert (await shopper.place(TEE)).json()["platform_order_number"] != order["platform_order_number"]


async def test_it_comes_back_at_the_same_addresses(tmp_path: Path) -> None:
    async with Simulator(tmp_path) as first:
        urls = (first.api_url, first.payment_url)
    async with Simulator(tmp_path) as second:
        assert (second.api_url, second.payment_url) == urls


async def test_a_moved_clock_stays_moved(tmp_path: Path, clock: Clock) -> None:
    async with Simulator(tmp_path, now=clock) as first:
        first.advance(timedelta(days=3))
    async with Simulator(tmp_path, now=clock) as second:
        assert second.world.now() == clock() + timedelta(days=3)


async def test_only_the_owner_can_read_what_is_kept(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with Simulator.join_or_run(tmp_path / "sim") as joined:
        shopper = await shop(joined, http)
        await shopper.place(TEE)
        kept = list((tmp_path / "sim").iterdir())
        assert {path.name for path in kept} >= {
            "simulator.json",
            "simulator.lock",
            "state.sqlite3",
            "state.sqlite3-wal",
        }
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
        assert stat.S_IMODE((tmp_path / "sim").stat().st_mode) == 0o700


async def test_no_card_number_is_kept(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with Simulator(tmp_path) as sim:
        shopper = await shop(sim, http)
        await shopper.place(TEE)
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"SIM-" in raw
    assert b"4111111111111111" not in raw


async def test_a_second_simulator_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    async with Simulator(tmp_path):
        with pytest.raises(AlreadyRunning):
            async with Simulator(tmp_path):
                pass
    async with Simulator(tmp_path):
        pass


async def test_whoever_comes_second_uses_the_first_ones(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with elsewhere(tmp_path) as first, Simulator.join_or_run(tmp_path) as second:
        assert (first.running_here, second.running_here) == (True, False)
        assert (second.api_url, second.pid) == (first.api_url, first.process.pid)
        shopper = await shop(second, http)
        number = (await shopper.place(TEE)).json()["platform_order_number"]
        for seen in (first, second):
            assert [charge.order_number for charge in (await fetch_books(seen)).charges] == [number]
        await first.leave()
        assert first.process.returncode == 0
    assert not (tmp_path / "simulator.json").exists()


async def test_after_a_kill_the_next_one_runs_it_from_the_books(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    async with elsewhere(tmp_path) as first:
        shopper = await shop(first, http)
        number = (await shopper.place(TEE)).json()["platform_order_number"]
        await shopper.add(HOODIE)
        os.kill(first.pid, signal.SIGKILL)
        await first.process.wait()
    assert (tmp_path / "simulator.json").exists(), "a killed process leaves its address behind"
    async with elsewhere(tmp_path) as second:
        assert second.running_here
        shopper.sim = second  # type: ignore[assignment]  # as far as a shopper looks at it
        assert [charge.order_number for charge in (await fetch_books(second)).charges] == [number]
        assert [line["sku"] for line in (await shopper.cart()).json()["line_items"]] == ["MH07-XS-Gray"]
        assert (await shopper.session(shopper.token)).json()["device_created"] is False
        await second.leave()


async def test_a_kill_in_the_middle_of_orders_loses_none_that_was_answered(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    answered: list[str] = []
    async with elsewhere(tmp_path) as first:

        async def buy() -> None:
            shopper = await shop(first, http)
            while True:
                answered.append((await shopper.place(TEE)).json()["platform_order_number"])
                if len(answered) == 12:
                    os.kill(first.pid, signal.SIGKILL)

        async with asyncio.timeout(15):
            await asyncio.gather(*(buy() for _ in range(3)), return_exceptions=True)
    async with Simulator(tmp_path) as second:
        charged = [charge.order_number for charge in second.books.charges]
        assert set(answered) <= set(charged)
        assert len(set(charged)) == len(charged) >= 12
        for number in charged:
            assert second.world.orders.find(LUMA, number).number == number


async def test_two_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    async with elsewhere(tmp_path) as one, elsewhere(tmp_path) as two:
        assert {one.running_here, two.running_here} == {True, False}
        assert one.api_url == two.api_url
