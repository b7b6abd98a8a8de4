"""The stage of rooms in this process: the same purchases without processes and sockets, ten thousand in minutes."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from firmly_mcp.app import JOURNAL, simulator_dir
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.memory import MemoryKeychain, fill
from tests.shop import announce

from .rooms import Clock, Rooms, settings_in, vault_over
from .shortcut import Shortcut
from .wishes import Aisle, open_aisles, stores

# So much passes with every purchase: limits of a day and sessions of an hour begin anew on the way.
STEP: Final = timedelta(minutes=30)


class Inside:
    """The scene of it."""

    def __init__(
        self, settings: Settings, simulator: Simulator, clock: Clock, person: Rooms, hosts: list[Rooms]
    ) -> None:
        self.simulator = simulator
        self.journal = settings.data_dir / JOURNAL
        self.person = person.services
        self._clock = clock
        self._hosts = hosts

    async def host(self, number: int) -> Rooms:
        """A host, opened again where it was killed."""
        rooms = self._hosts[number]
        if rooms._services is None:
            await rooms.open()
        return rooms

    async def later(self) -> None:
        """The clock moves on; ours and the stores' are one."""
        self._clock.ahead += STEP


@asynccontextmanager
async def inside(folder: Path, rules: str) -> AsyncIterator[tuple[Inside, list[Aisle]]]:
    """The stage in a folder, with rules of its own."""
    clock, keychain = Clock(), MemoryKeychain()
    settings = settings_in(folder, rules)
    async with Simulator(simulator_dir(settings), now=clock, stores=stores()) as simulator:
        hosts = [Rooms(settings, keychain, clock, lambda: Shortcut(simulator)) for _ in range(3)]
        announce(simulator_dir(settings), simulator)
        await fill(vault_over(keychain, settings, clock))
        aisles = open_aisles(simulator)
        # Twelve stores' products are there to stay; what a purchase leaves behind is little.
        gc.freeze()
        gc.set_threshold(100_000)
        for rooms in hosts:
            await rooms.open()
        try:
            yield Inside(settings, simulator, clock, hosts[2], hosts[:2]), aisles
        finally:
            for rooms in hosts:
                await rooms.close()
