"""One simulator per data directory: whoever comes first runs it and writes its address to a file, others use it.

The operating system's lock decides who runs; the file only tells where. A file whose writer is gone is overwritten.
Those who joined stand by: when the one that runs it ends, another goes on from its books, at the same addresses.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from firmly_mcp.simulator.asking import ask
from firmly_mcp.simulator.handle import AlreadyRunning, Simulator

FILE = "simulator.json"
PATIENCE = 15.0
PAUSE = 0.05
STAND_BY_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Joined:
    """The simulator of a data directory. `running_here` tells whether this process runs it."""

    api_url: str
    payment_url: str
    app_id: str
    control_secret: str
    pid: int
    running_here: bool


@asynccontextmanager
async def join_or_run(data_dir: Path, *, stores: int = 4, step_delay: float = 0.0) -> AsyncIterator[Joined]:
    """Run the directory's simulator while the context lasts, or find the one that runs already."""
    simulator = Simulator(data_dir, stores=stores, step_delay=step_delay)
    found = await _run_or_find(data_dir, simulator)
    joined = found if isinstance(found, Joined) else _announced(data_dir, found)
    heir = None if joined.running_here else asyncio.create_task(_stand_by(data_dir, simulator))
    try:
        yield joined
    finally:
        if heir is not None:
            heir.cancel()
            await asyncio.gather(heir, return_exceptions=True)
        if simulator.runs:
            (data_dir / FILE).unlink(missing_ok=True)
            await simulator.__aexit__(None, None, None)


async def _stand_by(data_dir: Path, simulator: Simulator) -> None:
    """Wait until nobody runs the directory's simulator, then run it."""
    while True:
        with suppress(AlreadyRunning):
            _announced(data_dir, await simulator.__aenter__())
            return
        await asyncio.sleep(STAND_BY_PAUSE)


async def _run_or_find(data_dir: Path, simulator: Simulator) -> Simulator | Joined:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await simulator.__aenter__()
        except AlreadyRunning:
            other = await running_in(data_dir)
            if other is not None:
                return other
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(PAUSE)


async def running_in(data_dir: Path) -> Joined | None:
    """The directory's simulator, if another process runs it; starts none and changes nothing."""
    try:
        other = Joined(**json.loads((data_dir / FILE).read_text()), running_here=False)
        alive = await ask(other, "ping")
    except (OSError, ValueError, TypeError, TimeoutError):
        return None
    return other if alive["pid"] == other.pid else None


def _announced(data_dir: Path, simulator: Simulator) -> Joined:
    me = Joined(
        simulator.api_url,
        simulator.payment_url,
        simulator.app_id,
        simulator.control_secret,
        os.getpid(),
        running_here=True,
    )
    told = {name: value for name, value in asdict(me).items() if name != "running_here"}
    fresh = data_dir / f"{FILE}.{os.getpid()}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(told))
    fresh.replace(data_dir / FILE)
    return me
