"""How long an order's news travels: from the simulator's write of an event to the client's progress callback."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import anyio
from mcp import Client, StdioServerParameters

from firmly_mcp.server.person import PACE
from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.stream import Gate
from tests.shop import CVV_COMMAND, RULES, announce

from .figures import ms
from .market import LUMA, TEE

ORDERS: Final = 12
# Until the pace lets the next notification go at once.
REST: Final = PACE * 1.5


class Told:
    """When the client was told what, and a way to wait for the next."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self._more = anyio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.at.append(time.perf_counter())
        self._more.set()

    async def beyond(self, count: int) -> float:
        """When the client was told for the time after so many."""
        while len(self.at) <= count:
            self._more = anyio.Event()
            await self._more.wait()
        return self.at[count]


async def news() -> dict[str, float]:
    """Milliseconds, for every event of a few orders; the client is the Python SDK's over stdio."""
    seconds: list[float] = []
    with TemporaryDirectory(prefix="firmly-mcp-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "simulator").mkdir(mode=0o700)
        async with Simulator(home / "simulator") as simulator:
            announce(home / "simulator", simulator)
            server = StdioServerParameters(
                command=sys.executable, args=["-m", "firmly_mcp", "serve", "--demo"], env=_variables(home)
            )
            async with Client(server) as client:
                for number in range(ORDERS):
                    with simulator.hold_events(LUMA) as gate:
                        seconds += await _order(client, gate, number + 1)
    return {"median_ms": ms(median(seconds)), "slowest_ms": ms(max(seconds))}


async def _order(client: Client, gate: Gate, quantity: int) -> list[float]:
    told, seconds = Told(), []
    arguments = {"store": LUMA, "items": [{"ref": TEE, "quantity": quantity}], "max_total": "9000"}

    async def order() -> None:
        await client.call_tool("place_order", arguments, progress_callback=told)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(order)
        await told.beyond(0)
        for _ in range(3):
            await anyio.sleep(REST)
            count = len(told.at)
            await gate.release()
            written = time.perf_counter()
            seconds.append(await told.beyond(count) - written)
        gate.open()
    return seconds


def _variables(home: Path) -> dict[str, str]:
    (home / "rules.toml").write_text(RULES, "utf-8")
    (home / "config.toml").write_text(f"cvv_command = {list(CVV_COMMAND)!r}\n".replace("'", '"'), "utf-8")
    return {
        "FIRMLY_MCP_CONFIG": str(home / "config.toml"),
        "FIRMLY_MCP_DATA_DIR": str(home),
        "FIRMLY_MCP_RULES": str(home / "rules.toml"),
    }
