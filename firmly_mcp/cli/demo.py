"""A purchase to watch: the simulator, the server as a client starts it, and a client that shops with it.

The exit code is 0 only if the simulator's books agree with what was shown: one charge, of the total the client saw.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from firmly_mcp.app import simulator_dir
from firmly_mcp.errors import FirmlyError, WalletError
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.memory import ADDRESS_LABEL, CARD_LABEL, TEST_NUMBER, fill

from .output import print_line

if TYPE_CHECKING:
    from mcp import Client
    from rich.progress import TaskID

    from firmly_mcp.simulator.server import Joined

# An event of the demo, by its name and facts: printed as a JSON line, or in colour.
Show = Callable[..., None]

_STORE: Final = "staging.luma.gift"
_QUERY: Final = "orange tee xs under 30"
# Slow enough to see the store work, fast enough to watch.
_STEP_SECONDS: Final = 0.4
# What the demo's server hands to `cvv_command`: any code does for a test card.
_CODE_COMMAND: Final = (sys.executable, "-m", "firmly_mcp.simulator.security_code")
# Without rules, the purchase would wait for an approval in a terminal.
_RULES: Final = """\
[USD]
ask_above = "100.00"
ask_above_a_day = "100.00"
"""


def run_demo(*, as_json: bool) -> int:
    """Run the demo; return 0 only if the books agree with what was shown."""
    show: Show = _print_event if as_json else Panels().show
    agree = False
    try:
        agree = anyio.run(_demo, show)
    except* FirmlyError as errors:
        for error in errors.exceptions:
            show("failed", words=str(error))
    return 0 if agree else 1


async def _demo(show: Show) -> bool:
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-demo-") as folder:
        settings = _settings(Path(folder))
        async with _wallet(settings, show) as in_memory, _simulator(settings) as simulator:
            shopping = Shopping(show)
            show("note", words="The demo brings its own spending rules: up to 100.00 USD without asking.")
            async with _client(settings, in_memory=in_memory) as client:
                await shopping.run(client)
            return await _compare(shopping, simulator, show)


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
async def _wallet(settings: Settings, show: Show) -> AsyncIterator[bool]:
    """Keep the test card in the keyring while the demo runs; yield whether the server has to hold it in memory."""
    from firmly_mcp.wallet.keychain import Keychain
    from firmly_mcp.wallet.wallet import Wallet

    wallet = Wallet(Keychain(limit=5), settings.owner, settings.data_dir / "locks", lambda: datetime.now(UTC))
    try:
        await fill(wallet)
    except WalletError as error:
        show("note", words=f"{error.message} The demo's server holds its test card in memory instead.")
        yield True
        return
    show("note", words=f"The test card is in {wallet.description} until the demo ends.")
    try:
        yield False
    finally:
        await wallet.forget_everything()


@asynccontextmanager
async def _simulator(settings: Settings) -> AsyncIterator[Joined]:
    from firmly_mcp.simulator import Simulator

    async with Simulator.join_or_run(simulator_dir(settings), step_delay=_STEP_SECONDS) as simulator:
        yield simulator


@asynccontextmanager
async def _client(settings: Settings, *, in_memory: bool) -> AsyncIterator[Client]:
    """Start the server as an MCP client does, by a command with its input and output, and connect to it."""
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
    """What the client does and sees, from the search to the order."""

    show: Show
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
        self.show("call", tool=tool, arguments=arguments)
        result = await client.call_tool(tool, arguments, progress_callback=self._progress)
        text = "".join(block.text for block in result.content if block.type == "text")
        self.seen.append((tool, text + json.dumps(result.structured_content)))
        self.show("result", tool=tool, text=text, structured=result.structured_content or {})
        if result.is_error:
            raise FirmlyError(f"{tool} answered with an error: {text}")
        return dict(result.structured_content or {})

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.seen.append(("progress", message or ""))
        self.show("progress", value=progress, total=total, words=message or "")


async def _compare(shopping: Shopping, simulator: Joined, show: Show) -> bool:
    """Show what each side saw; return whether the books agree with what the client saw."""
    from firmly_mcp.simulator import ask, fetch_books

    charges = (await fetch_books(simulator)).charges
    received = (await ask(simulator, "received"))["received"]
    total = shopping.order.get("total", {})
    number, amount, currency = shopping.order.get("order_number"), total.get("amount"), total.get("currency")
    booked = [(charge.order_number, f"{charge.amount / 100:.2f}", charge.currency) for charge in charges]
    leaked = any(TEST_NUMBER in text for _, text in shopping.seen)
    sizes = [{"of": name, "characters": len(text)} for name, text in shopping.seen]
    show("model_saw", results=sizes, card_number=leaked)
    show("firmly_received", requests=list(received))
    show("books", charges=[{"order_number": n, "amount": a, "currency": c} for n, a, c in booked])
    agree = booked == [(number, amount, currency)] and not leaked
    show("verdict", agree=agree, order_number=str(number), total=f"{amount} {currency}")
    return agree


def _print_event(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class Panels:
    """The events in colour, with a progress bar, on a terminal; plain lines on a pipe."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._bar = Progress(BarColumn(bar_width=30), TextColumn("{task.description}"), console=self._console)
        self._task: TaskID | None = None

    def show(self, event: str, **facts: Any) -> None:
        """Show an event by the method of its name."""
        getattr(self, f"_{event}")(**facts)

    def _note(self, words: str) -> None:
        self._print(f"[dim]{_plain(words)}[/dim]")

    def _call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        words = ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
        self._print(f"\n[bold cyan]{tool}[/bold cyan]({_plain(words)})")

    def _progress(self, value: float, total: float | None, words: str) -> None:
        if not self._console.is_terminal:
            of_all = f" of {total:g}" if total else ""
            self._print(f"  {value:g}{of_all}: {_plain(words)}")
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=value, total=total, description=_plain(words))

    def _result(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=structured.get("order_number") and 1, total=1)
            self._bar.stop()
            self._task = None
        lines = text.splitlines()
        for line in lines[:9]:
            self._print(f"  {_plain(line)}")
        if len(lines) > 9:
            self._print(f"  [dim]and {len(lines) - 9} more lines[/dim]")

    def _model_saw(self, results: Sequence[Mapping[str, Any]], *, card_number: bool) -> None:
        lines = [f"{each['of']}: {each['characters']} characters" for each in results if each["of"] != "progress"]
        lines.append(f"{sum(each['of'] == 'progress' for each in results)} progress notifications")
        lines.append("A CARD NUMBER" if card_number else "no card number in any of it")
        self._console.print()
        self._panel("\n".join(lines), "What the model saw")

    def _firmly_received(self, requests: Sequence[Mapping[str, Any]]) -> None:
        self._panel(_plain("\n".join(map(_request_text, requests))), "What Firmly received")

    def _books(self, charges: Sequence[Mapping[str, str]]) -> None:
        lines = [f"{each['order_number']}: {each['amount']} {each['currency']}" for each in charges]
        self._panel(f"{len(charges)} charge\n" + "\n".join(lines), "What the simulator's books say")

    def _verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        if agree:
            self._print(f"[bold green]Order {_plain(order_number)} for {total}: the books agree.[/bold green]")
        else:
            self._print("[bold red]The books do not agree with what was shown.[/bold red]")

    def _failed(self, words: str) -> None:
        self._bar.stop()
        self._print(f"[bold red]{_plain(words)}[/bold red]")

    def _panel(self, markup: str, title: str) -> None:
        from rich.panel import Panel

        self._console.print(Panel(markup, title=title))

    def _print(self, markup: str) -> None:
        print_line(self._console, markup)


def _request_text(request: Mapping[str, Any]) -> str:
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
