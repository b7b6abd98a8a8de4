"""What the `firmly-mcp simulator` command runs."""

import asyncio
import sys
from pathlib import Path

from firmly_mcp.simulator.handle import Simulator


async def serve(
    data_dir: Path | None = None, api_port: int = 0, payment_port: int = 0, *, stores: int = 4, step_delay: float = 0.0
) -> None:
    """Run a simulator until cancelled; where it is goes to standard error."""
    running = Simulator(data_dir, stores=stores, step_delay=step_delay, api_port=api_port, payment_port=payment_port)
    async with running as simulator:
        sys.stderr.write(
            f"Simulator running:\n  api: {simulator.api_url}\n  payment: {simulator.payment_url}\n"
            f"  app id: {simulator.app_id}\n  control secret: {simulator.control_secret}\n"
        )
        sys.stderr.flush()
        await asyncio.Event().wait()
