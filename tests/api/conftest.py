"""A simulator for each test that asks for one, and a client on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.simulator import Simulator

from .shopping import client_on


@pytest.fixture
async def sim(anyio_backend: str) -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator, tmp_path: Path) -> AsyncIterator[FirmlyClient]:
    async with client_on(sim, tmp_path) as firmly:
        yield firmly
