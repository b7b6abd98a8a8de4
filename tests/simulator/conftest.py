"""A simulator, and shoppers in it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from firmly_mcp.simulator import Simulator
from tests.simulator.shopping import Clock, Shopper


@pytest.fixture
def clock() -> Clock:
    """The simulator's clock."""
    return Clock()


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[Simulator]:
    """A simulator that keeps nothing."""
    async with Simulator(now=clock) as sim:
        yield sim


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A plain HTTP client."""
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=10) as http:
        yield http


@pytest.fixture
async def shopper(sim: Simulator, http: httpx2.AsyncClient) -> Shopper:
    """A device with a session."""
    shopper = Shopper(sim, http)
    await shopper.session()
    return shopper


@pytest.fixture
async def other(sim: Simulator, http: httpx2.AsyncClient) -> Shopper:
    """Another device with a session."""
    shopper = Shopper(sim, http)
    await shopper.session()
    return shopper
