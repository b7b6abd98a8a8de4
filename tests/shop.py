"""A whole shop for a test: the simulator on loopback, a wallet in a real keyring, the rooms over both."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from firmly_mcp.app import Services, open_services, simulator_dir
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.memory import fill
from tests.secret_service import SecretService

STORE = "staging.luma.gift"
TEE = "WS12-XS-Orange"
CVV_COMMAND = (shutil.which("echo") or "/bin/echo", "123")


@dataclass(frozen=True)
class Shop:
    """What a test shops with, and the simulator that judges it."""

    services: Services
    simulator: Simulator
    settings: Settings

    @property
    def charges(self) -> list[tuple[str, int]]:
        """What the simulator's books say: order number and amount in cents, each."""
        return [(charge.order_number, charge.amount) for charge in self.simulator.books.charges]

    def orders_sent(self) -> list[str]:
        """The order requests that reached the simulator."""
        return [request.path for request in self.simulator.requests if request.path.endswith("-order")]


@asynccontextmanager
async def open_shop(settings: Settings, **simulator_options: Any) -> AsyncIterator[Shop]:
    """A simulator in the settings' data directory, and rooms that join it."""
    folder = simulator_dir(settings)
    async with Simulator(folder, **simulator_options) as simulator:
        announce(folder, simulator)
        async with open_services(settings) as services:
            yield Shop(services, simulator, settings)


def announce(folder: Path, simulator: Simulator) -> None:
    """Write the address file by which a data directory's simulator is joined."""
    from firmly_mcp.simulator.server import announce

    announce(folder, simulator)


# A test is about more than being asked, unless it says so: these rules allow what it buys.
RULES = """
[USD]
ask_above = "10000"
ask_above_a_day = "50000"
refuse_above = "20000"
[GBP]
ask_above = "10000"
ask_above_a_day = "50000"
"""
ORDER_TOOLS = {"complete_order", "place_order"}


@pytest.fixture
def settings(tmp_path: Path, keyring_bus: SecretService) -> Settings:
    """The simulator's settings, with a shopper that no other test has, and rules that allow much."""
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    return Settings(
        environment="simulator",
        data_dir=tmp_path / "data",
        shopper=f"t{abs(hash(tmp_path))}",
        cvv_command=CVV_COMMAND,
        rules_file=tmp_path / "rules.toml",
        open_pages=False,
    )


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose shopper has a test card and an address."""
    async with open_shop(settings) as opened:
        await fill(await opened.services.vault())
        yield opened


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """Both eras of the protocol: stateless 2026-07-28, and the 2025-11-25 handshake."""
    return str(request.param)


@pytest.fixture
async def client(shop: Shop, era: Any) -> AsyncIterator[Client]:
    """An MCP client of the shop's server."""
    from firmly_mcp.server.app import build_server

    async with Client(build_server(shop.services), mode=era) as connected:
        yield connected


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed; its structured result. An order may cost up to 9000 unless the test says else."""
    if tool in ORDER_TOOLS:
        arguments.setdefault("max_total", "9000")
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return dict(result.structured_content)


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must answer with an error; its structured result."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    assert result.structured_content is not None, text_of(result)
    return dict(result.structured_content)


def text_of(result: CallToolResult) -> str:
    """All that a client received in a result."""
    return "".join(block.text for block in result.content if block.type == "text") + json.dumps(
        result.structured_content
    )


async def fill_cart(client: Client, quantity: int = 2) -> dict[str, Any]:
    """A cart with the radiant tee and an address; its view."""
    await call(client, "add_line_item", store=STORE, ref=TEE, quantity=quantity)
    return await call(client, "set_shipping_info", store=STORE, address="home")
