"""A purchase to watch: the simulator, the server as a host would start it, and a client that shops with it.

It ends well only if the simulator's books agree with what was shown: one charge, of the total that the client saw.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio

from firmly_mcp.app import simulator_dir
from firmly_mcp.errors import FirmlyError, WalletError
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.memory import ADDRESS_LABEL, CARD_LABEL, TEST_NUMBER, fill

if TYPE_CHECKING:
    from mcp import Client
    from rich.progress import TaskID

    from firmly_mcp.simulator.server import Joined

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
    from firmly_mcp.wallet.keychain import Keychain
    from firmly_mcp.wallet.wallet import Wallet

    vault = Wallet(Keychain(limit=5), settings.owner, settings.data_dir / "locks", lambda: datetime.now(UTC))
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
    from firmly_mcp.simulator import Simulator

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
    from firmly_mcp.simulator import ask, fetch_books

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


# How the demo is shown: panels in a terminal, or a JSON object a line.

Seen = Sequence[tuple[str, str]]

Received = Sequence[Mapping[str, Any]]

Booked = Sequence[tuple[str, str, str]]


class Display(Protocol):
    """What a demo can be watched on."""

    def note(self, words: str) -> None:
        """Say something about the demo itself."""

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is being called."""

    def progress(self, value: float, total: float | None, words: str) -> None:
        """The server sent a progress notification."""

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        """A tool answered."""

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        """What the model saw, what Firmly received, what the books say."""

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        """Whether the books agree with what was shown."""

    def failed(self, words: str) -> None:
        """The demo could not be finished."""


class JsonLines:
    """One JSON object a line on standard output."""

    def note(self, words: str) -> None:
        self._line("note", words=words)

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        self._line("call", tool=tool, arguments=arguments)

    def progress(self, value: float, total: float | None, words: str) -> None:
        self._line("progress", value=value, total=total, words=words)

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        self._line("result", tool=tool, text=text, structured=structured)

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        sizes = [{"of": name, "characters": len(text)} for name, text in seen]
        self._line("model_saw", results=sizes, card_number=leaked)
        self._line("firmly_received", requests=list(received))
        self._line("books", charges=[{"order_number": n, "amount": a, "currency": c} for n, a, c in booked])

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        self._line("verdict", agree=agree, order_number=order_number, total=total)

    def failed(self, words: str) -> None:
        self._line("failed", words=words)

    def _line(self, event: str, **facts: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()


class Panels:
    """Colour and a progress bar in a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._bar = Progress(BarColumn(bar_width=30), TextColumn("{task.description}"), console=self._console)
        self._task: TaskID | None = None

    def note(self, words: str) -> None:
        self._print(f"[dim]{_plain(words)}[/dim]")

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        words = ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
        self._print(f"\n[bold cyan]{tool}[/bold cyan]({_plain(words)})")

    def progress(self, value: float, total: float | None, words: str) -> None:
        if not self._console.is_terminal:
            of_all = f" of {total:g}" if total else ""
            self._print(f"  {value:g}{of_all}: {_plain(words)}")
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=value, total=total, description=_plain(words))

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=structured.get("order_number") and 1, total=1)
            self._bar.stop()
            self._task = None
        shown = text.splitlines()
        for line in shown[:9]:
            self._print(f"  {_plain(line)}")
        if len(shown) > 9:
            self._print(f"  [dim]and {len(shown) - 9} more lines[/dim]")

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        from rich.panel import Panel

        results = [(name, text) for name, text in seen if name != "progress"]
        saw = "\n".join(f"{name}: {len(text)} characters" for name, text in results)
        notified = sum(name == "progress" for name, _ in seen)
        self._console.print()
        number = "A CARD NUMBER" if leaked else "no card number in any of it"
        words = f"{saw}\n{notified} progress notifications\n{number}"
        self._console.print(Panel(words, title="What the model saw"))
        got = "\n".join(map(_received_in_words, received))
        self._console.print(Panel(_plain(got), title="What Firmly received"))
        books = "\n".join(f"{number}: {amount} {currency}" for number, amount, currency in booked)
        self._console.print(Panel(f"{len(booked)} charge\n{books}", title="What the simulator's books say"))

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        if agree:
            self._print(f"[bold green]Order {_plain(order_number)} for {total}: the books agree.[/bold green]")
        else:
            self._print("[bold red]The books do not agree with what was shown.[/bold red]")

    def failed(self, words: str) -> None:
        self._bar.stop()
        self._print(f"[bold red]{_plain(words)}[/bold red]")

    def _print(self, markup: str) -> None:
        self._console.print(markup, soft_wrap=True)


def _received_in_words(request: Mapping[str, Any]) -> str:
    parts = ", ".join(map(str, request["part_lengths"]))
    return (
        f"POST {request['path']}\n"
        f"encrypted_card: a JWE of five parts ({parts} bytes); no card data in plain text\n"
        f"protected header: {json.dumps(request['protected_header'])}\n"
        f"inside, once opened: {', '.join(request['fields'])}"
    )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
