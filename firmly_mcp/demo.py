"""A purchase to watch: the simulator, the server as a host would start it, and a client that shops with it.

It ends well only if the simulator's books agree with what was shown: one charge, of the total that the client saw.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from .app import simulator_dir
from .demo_display import Display, JsonLines, Panels
from .errors import FirmlyError, WalletError
from .settings import Settings
from .wallet.memory import ADDRESS_LABEL, CARD_LABEL, TEST_NUMBER, fill

if TYPE_CHECKING:
    from mcp import Client

    from .simulator.server import Joined

_STORE: Final = "staging.luma.gift"
_QUERY: Final = "orange tee xs under 30"
# Slow enough to see the store work, fast enough to watch.
_STEP_SECONDS: Final = 0.4
# What the demo's server hands to `cvv_command`: any code does for a test card.
_CODE_COMMAND: Final = (sys.executable, "-m", "firmly_mcp.simulator.security_code")
# A person would write their own; without rules, the purchase would wait for a yes in a terminal.
_RULES: Final = """\
[USD]
ask_above = "100.00"
ask_above_a_day = "100.00"
"""


def run_demo(*, as_json: bool) -> int:
    """Run the demo; 0 only if the books agree with what was shown."""
    display: Display = JsonLines() if as_json else Panels()
    agree = False
    try:
        agree = anyio.run(_demo, display)
    except* FirmlyError as errors:
        for error in errors.exceptions:
            display.failed(str(error))
    return 0 if agree else 1


async def _demo(display: Display) -> bool:
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-demo-") as folder:
        settings = _settings(Path(folder))
        async with _wallet(settings, display) as in_memory, _simulator(settings) as simulator:
            shopping = Shopping(display)
            display.note("The demo brings its own spending rules: up to 100.00 USD without asking.")
            async with _client(settings, in_memory=in_memory) as client:
                await shopping.run(client)
            return await _compare(shopping, simulator, display)


def _settings(folder: Path) -> Settings:
    settings = Settings(
        environment="simulator",
        shopper=f"demo-{secrets.token_hex(4)}",
        data_dir=folder,
        cvv_command=_CODE_COMMAND,
        rules_file=folder / "rules.toml",
    )
    command = json.dumps(list(settings.cvv_command))
    (folder / "config.toml").write_text(f"cvv_command = {command}\n", "utf-8")
    settings.rules_file.write_text(_RULES, "utf-8")
    return settings


@asynccontextmanager
async def _wallet(settings: Settings, display: Display) -> AsyncIterator[bool]:
    """The test card in the keyring for as long as the demo runs; yields whether memory has to stand in for it."""
    from .wallet.keychain import Keychain
    from .wallet.wallet import Wallet

    vault = Wallet(
        Keychain(limit=5),
        settings.environment,
        settings.shopper,
        settings.data_dir / "locks",
        lambda: datetime.now(UTC),
    )
    try:
        await fill(vault)
    except WalletError as error:
        display.note(f"{error.message} The demo's server holds its test card in memory instead.")
        yield True
        return
    display.note(f"The test card is in {vault.description} until the demo ends.")
    try:
        yield False
    finally:
        await vault.forget_everything()


@asynccontextmanager
async def _simulator(settings: Settings) -> AsyncIterator[Joined]:
    from .simulator import Simulator

    async with Simulator.join_or_run(simulator_dir(settings), step_delay=_STEP_SECONDS) as simulator:
        yield simulator


@asynccontextmanager
async def _client(settings: Settings, *, in_memory: bool) -> AsyncIterator[Client]:
    """A client of the server, which is started as a host starts it: a command, its input and its output."""
    from mcp import Client, StdioServerParameters

    own = {
        "FIRMLY_MCP_DATA_DIR": str(settings.data_dir),
        "FIRMLY_MCP_CONFIG": str(settings.data_dir / "config.toml"),
        "FIRMLY_MCP_SHOPPER": settings.shopper,
        "FIRMLY_MCP_RULES": str(settings.rules_file),
    }
    bus = {name: os.environ[name] for name in ("DBUS_SESSION_BUS_ADDRESS",) if name in os.environ}
    arguments = ["-m", "firmly_mcp", "serve", *(["--demo"] if in_memory else [])]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=own | bus)
    async with Client(parameters) as client:
        yield client


@dataclass(slots=True)
class Shopping:
    """What a client of the server does and sees, from the search to the order."""

    display: Display
    seen: list[tuple[str, str]] = field(default_factory=list)
    order: dict[str, Any] = field(default_factory=dict)

    async def run(self, client: Client) -> None:
        """Search, look, fill the cart, choose where it goes, order."""
        found = await self._call(client, "search_products", query=_QUERY)
        handle = found["products"][0]["handle"]
        product = await self._call(client, "get_product", store=_STORE, handle=handle)
        wanted = next(variant for variant in product["variants"] if {"XS", "Orange"} <= set(variant["options"]))
        await self._call(client, "add_line_item", store=_STORE, ref=wanted["ref"], quantity=2)
        cart = await self._call(client, "set_shipping_info", store=_STORE, address=ADDRESS_LABEL)
        await self._call(client, "list_payment_cards")
        self.order = await self._call(
            client,
            "place_order",
            store=_STORE,
            items=[{"ref": wanted["ref"], "quantity": 2}],
            address=ADDRESS_LABEL,
            card=CARD_LABEL,
            max_total=cart["total"]["amount"],
        )
        await self._call(client, "clear_cart", store=_STORE)

    async def _call(self, client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
        self.display.calling(tool, arguments)
        result = await client.call_tool(tool, arguments, progress_callback=self._progress)
        text = "".join(block.text for block in result.content if block.type == "text")
        self.seen.append((tool, text + json.dumps(result.structured_content)))
        self.display.answered(tool, text, result.structured_content or {})
        if result.is_error:
            raise FirmlyError(f"{tool} answered with an error: {text}")
        return dict(result.structured_content or {})

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.seen.append(("progress", message or ""))
        self.display.progress(progress, total, message or "")


async def _compare(shopping: Shopping, simulator: Joined, display: Display) -> bool:
    """Show the three panels, and say whether the books agree with what the client saw."""
    from .simulator import ask, fetch_books

    charges = (await fetch_books(simulator)).charges
    received = (await ask(simulator, "received"))["received"]
    total = shopping.order.get("total", {})
    shown = (shopping.order.get("order_number"), total.get("amount"), total.get("currency"))
    booked = [(charge.order_number, f"{charge.amount / 100:.2f}", charge.currency) for charge in charges]
    leaked = any(TEST_NUMBER in text for _, text in shopping.seen)
    display.panels(shopping.seen, received, booked, leaked=leaked)
    agree = booked == [shown] and not leaked
    display.verdict(agree=agree, order_number=str(shown[0]), total=f"{shown[1]} {shown[2]}")
    return agree
