"""What the `firmly-mcp simulator` command runs."""

import asyncio
import json
import sys
from pathlib import Path

from firmly_mcp.simulator.handle import Simulator


async def serve(
    data_dir: Path | None = None,
    api_port: int = 0,
    payment_port: int = 0,
    *,
    stores: int = 4,
    step_delay: float = 0.0,
    as_json: bool = False,
) -> None:
    """Run a simulator until cancelled. Where it is goes to standard error, or as a line of JSON to standard output."""
    running = Simulator(data_dir, stores=stores, step_delay=step_delay, api_port=api_port, payment_port=payment_port)
    async with running as simulator:
        _say(simulator, as_json=as_json)
        await asyncio.Event().wait()


def _say(simulator: Simulator, *, as_json: bool) -> None:
    where = {
        "api": simulator.api_url,
        "payment": simulator.payment_url,
        "app_id": simulator.app_id,
        "control_secret": simulator.control_secret,
    }
    words = "".join(f"  {name.replace('_', ' ')}: {value}\n" for name, value in where.items())
    out, text = (sys.stdout, f"{json.dumps(where)}\n") if as_json else (sys.stderr, f"Simulator running:\n{words}")
    out.write(text)
    out.flush()
