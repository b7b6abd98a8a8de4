"""A simulator for the data directory that is named, until the input ends; prints a product of each of its 40 stores."""

import asyncio
import json
import sys
from pathlib import Path

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.merchants import merchants
from tests.shop import announce

STORES = 40
DOMAINS = [merchant.domain for merchant in merchants(STORES)]


async def run(folder: Path) -> None:
    """Run it, and say what is there."""
    async with Simulator(folder, stores=STORES) as simulator:
        announce(folder, simulator)
        catalog = simulator.world.catalog
        handles = {store: catalog.shelf(store).products[0].handle for store in DOMAINS}
        print(json.dumps(handles), flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(run(Path(sys.argv[1])))
