"""The `firmly-mcp` command: reads arguments, imports what a command needs when it is called, maps errors to exits.

Exit codes: 0 done, 1 an error of ours with its message on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import __version__
from .errors import FirmlyError
from .redaction import log_to_stderr, redact
from .settings import Settings, read_settings, sources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .checkout.placement import Placement
    from .pages.saving import Saving
    from .pages.server import Pages
    from .services import Services
    from .wallet.vault import Vault

T = TypeVar("T")


class Amount(click.ParamType[Decimal]):
    """An amount of money in major units, such as 53.40."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read it; what is no amount is wrong usage."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            self.fail("is no amount; write it like 53.40", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail("is no amount; write it like 53.40", param, ctx)
        return amount


def main() -> None:
    """Run the command, and turn our own errors into a message and an exit code."""
    log_to_stderr()
    try:
        command.main(prog_name="firmly-mcp", standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except click.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except FirmlyError as error:
        hint = f"\n  next: {error.next}" if error.next else ""
        click.echo(redact(f"firmly-mcp: {error.message}{hint}"), err=True)
        sys.exit(1)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firmly-mcp")
@click.pass_context
def command(context: click.Context) -> None:
    """Let an AI assistant shop through Firmly, with the card kept on this machine.

    Without a command: serve MCP on standard input and output, if those are not a terminal.
    """
    if context.invoked_subcommand is not None:
        return
    if sys.stdin.isatty():
        click.echo(context.get_help())
    else:
        context.invoke(serve)


@command.command()
@click.option("--http", is_flag=True, help="Serve on a loopback port instead, for clients that hold the token.")
@click.option("--port", type=click.IntRange(0, 65535), help="That port; 0 takes a free one.  [default: 8437]")
@click.option("--demo", is_flag=True, hidden=True, help="Hold the simulator's test card in memory.")
def serve(*, http: bool = False, port: int | None = None, demo: bool = False) -> None:
    """Serve MCP over standard input and output, or over HTTP."""
    if http:
        from .server.http import PORT, run_http

        run_http(read_settings(), port=PORT if port is None else port, demo=demo)
    elif port is not None:
        raise click.UsageError("--port goes with --http.")
    else:
        from .server.stdio import run_stdio

        run_stdio(read_settings(), demo=demo)


@command.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of panels.")
def demo_command(*, as_json: bool) -> None:
    """Watch a purchase on the simulator, from search to order number."""
    from .demo import run_demo

    sys.exit(run_demo(as_json=as_json))


@command.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Keep state there. Default: forget it at the end.")
@click.option("--api-port", default=0, show_default="a free one", help="Port of the API host.")
@click.option("--payment-port", default=0, show_default="a free one", help="Port of the payment host.")
@click.option("--stores", default=4, show_default=True, help="How many stores there are.")
def simulator(*, data_dir: Path | None, api_port: int, payment_port: int, stores: int) -> None:
    """Run a Firmly of its own on loopback, until interrupted."""
    import asyncio
    from contextlib import suppress

    from .simulator import serve as serve_simulator

    with suppress(KeyboardInterrupt):
        asyncio.run(serve_simulator(data_dir, api_port=api_port, payment_port=payment_port, stores=stores))


@command.command()
@click.argument("approval", required=False)
def approve(approval: str | None) -> None:
    """Approve or decline an order that an assistant asked for; the yes places it."""
    from .terminal.approve import approve as approve_in_terminal

    sys.exit(0 if _with_placement(lambda placement: approve_in_terminal(placement, approval)) else 1)


@command.group()
def orders() -> None:
    """What was ordered from here, and what is in doubt."""


@orders.command("list")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def orders_list(*, limit: int, as_json: bool) -> None:
    """List the attempts to order."""
    from .terminal.orders import list_orders

    _with_placement(lambda placement: list_orders(placement, limit=limit, as_json=as_json))


@orders.command("settle")
@click.argument("attempt", required=False)
@click.option("--placed", metavar="NUMBER", help="The store confirms this order number.")
@click.option("--charged", type=Amount(), help="What the store or your card's statement says was charged.")
@click.option("--not-placed", is_flag=True, help="The store says that there is no such order.")
def orders_settle(*, attempt: str | None, placed: str | None, charged: Decimal | None, not_placed: bool) -> None:
    """Read again how orders in doubt ended, or end one yourself after asking the store. Sends no order."""
    from .terminal.orders import settle

    _with_placement(lambda placement: settle(placement, attempt, placed=placed, not_placed=not_placed, charged=charged))


@orders.command("accept-journal")
def orders_accept_journal() -> None:
    """Go on with the journal that is there, after a backup was put back or the file was lost."""
    from .terminal.orders import accept_journal

    _with_placement(accept_journal)


@command.group()
def cards() -> None:
    """The payment cards kept in this machine's keyring."""


@cards.command("add")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
def cards_add(*, from_stdin: bool, browser: bool) -> None:
    """Add a card; its number is typed unseen and goes nowhere but the keyring."""
    from .terminal.cards import add_card

    if browser:
        _in_browser(lambda pages: pages.card_form(), from_stdin=from_stdin)
        return
    _with_vault(lambda vault: add_card(vault, stdin=from_stdin))


@cards.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cards_list(*, as_json: bool) -> None:
    """List the cards by label, brand, last four digits and expiry."""
    from .terminal.cards import list_cards

    _with_vault(lambda vault: list_cards(vault, as_json=as_json))


@cards.command("remove")
@click.argument("label")
def cards_remove(label: str) -> None:
    """Remove a card from the keyring."""
    from .terminal.cards import remove_card

    _with_vault(lambda vault: remove_card(vault, label))


@cards.command("unlock")
@click.argument("label")
def cards_unlock(label: str) -> None:
    """Let a card pay again that two declined payments within an hour have locked."""
    from .terminal.unlocking import unlock_card

    async def act(services: Services) -> None:
        await unlock_card(await services.vault(), await services.placement(), label)

    _with_services(act)


@command.group()
def pin() -> None:
    """The approval PIN, which a yes to an order asks for beside the card's security code."""


@pin.command("set")
def pin_set() -> None:
    """Set the approval PIN, or change it; changing it takes the old one.

    A forgotten PIN is reset outside of firmly-mcp: delete the entry ENVIRONMENT/SHOPPER/pin of firmly-mcp, such as
    production/local/pin, with your system's own keyring program (Passwords and Keys, KWalletManager, Keychain Access,
    Credential Manager), then set a new one.
    """
    from .terminal.pin import set_pin

    _with_vault(set_pin)


@command.group()
def rules() -> None:
    """The spending rules, and the settings that count only once a person has accepted them."""


@rules.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules_show(*, as_json: bool) -> None:
    """Show the rules in words and the settings that move money: who said each, and whether it is accepted."""
    from .terminal.rules import show_rules

    async def act(services: Services) -> None:
        await show_rules(await services.accepted(), services.settings, sources(), as_json=as_json)

    _with_services(act)


@rules.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def rules_check(file: Path | None) -> None:
    """Say whether a rules file can be used, or the line and what is wrong with it."""
    from .terminal.rules import check_rules

    check_rules(file or read_settings().rules_file, is_named=file is not None)


@rules.command("explain")
@click.option("--store", required=True, help="The store, such as luma.gift.")
@click.option("--total", required=True, type=Amount(), help="What it would cost.")
@click.option("--currency", default="USD", show_default=True, help="In which currency.")
@click.option("--card", help="The card's label. Default: the one that is meant without a label.")
@click.option("--address", help="Where it goes, by its label. Default: to an address of yours, ordered to before.")
@click.option("--quantity", default=1, show_default=True, help="How many of one thing.")
@click.option(
    "--tool", default="complete_order", show_default=True, type=click.Choice(["complete_order", "place_order"])
)
@click.option("--repeat", is_flag=True, help="It is the same once more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules_explain(*, as_json: bool, **order: Any) -> None:
    """Show what an order would meet now: each rule in order, and what comes of it. Nothing is ordered or reserved."""
    from .terminal.explaining import explain_order

    async def act(services: Services) -> None:
        accepted, placement, vault = await services.accepted(), await services.placement(), await services.vault()
        await explain_order(accepted, placement, vault, order, as_json=as_json)

    _with_services(act)


@rules.command("accept")
def rules_accept() -> None:
    """Show what changed in rules and settings, and let it count: takes a yes and the approval PIN."""
    from .terminal.rules import accept_rules

    async def act(services: Services) -> None:
        await accept_rules(await services.accepted(), await services.vault())

    _with_services(act)


@command.group()
def addresses() -> None:
    """The address book, kept in this machine's keyring."""


@addresses.command("add")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
def addresses_add(*, from_stdin: bool, browser: bool) -> None:
    """Add an address that orders may go to or cards are billed to."""
    from .terminal.addresses import add_address

    if browser:
        _in_browser(lambda pages: pages.address_form(), from_stdin=from_stdin)
        return
    _with_vault(lambda vault: add_address(vault, stdin=from_stdin))


@addresses.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def addresses_list(*, as_json: bool) -> None:
    """List the addresses."""
    from .terminal.addresses import list_addresses

    _with_vault(lambda vault: list_addresses(vault, as_json=as_json))


@addresses.command("remove")
@click.argument("label")
def addresses_remove(label: str) -> None:
    """Remove an address."""
    from .terminal.addresses import remove_address

    _with_vault(lambda vault: remove_address(vault, label))


@command.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings_command(*, as_json: bool) -> None:
    """Show the settings in force."""
    values = _shown(read_settings())
    lines = [json.dumps(values)] if as_json else [f"{name}: {value}" for name, value in values.items()]
    click.echo("\n".join(lines))


def _shown(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True)


def _with_placement(act: Callable[[Placement], Awaitable[T]]) -> T:
    """Open the rooms that orders need, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.placement())

    return _with_services(in_rooms)


def _with_vault(act: Callable[[Vault], Awaitable[T]]) -> T:
    """Open the wallet, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.vault())

    return _with_services(in_rooms)


def _with_services(act: Callable[[Services], Awaitable[T]]) -> T:
    """Have the rooms at hand, act, close what was opened."""
    import anyio

    from .services import open_services

    async def run() -> T:
        async with open_services(read_settings()) as services:
            return await act(services)

    return anyio.run(run)


def _in_browser(form_of: Callable[[Pages], Awaitable[Saving]], *, from_stdin: bool) -> None:
    """Open a page, and wait until the person has filled it in."""
    import anyio

    from .pages.command import fill_in_browser
    from .services import open_services

    if from_stdin:
        raise click.UsageError("Choose one of --stdin and --browser.")
    settings = read_settings()

    async def run() -> None:
        async with open_services(settings) as services:
            await fill_in_browser(await form_of(await services.pages()), may_open=settings.open_pages)

    anyio.run(run)
