"""The spending rules: shown, checked, explained and accepted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .manners import examples, json_option
from .opening import Amount, with_services

if TYPE_CHECKING:
    from firmly_mcp.app import Services
    from firmly_mcp.checkout.remarks import Here
    from firmly_mcp.settings import Settings


@click.group(epilog=examples("firmly-mcp rules show", "firmly-mcp rules accept"))
def rules() -> None:
    """The spending rules, and the settings that count only once a person has accepted them."""


@rules.command("show", epilog=examples("firmly-mcp rules show", "firmly-mcp rules show --json"))
@json_option
def rules_show(*, as_json: bool) -> None:
    """Show the rules in words and the settings that move money: who said each, and whether it is accepted."""
    from firmly_mcp.settings import sources
    from firmly_mcp.terminal.rules import show_rules

    async def act(services: Services) -> None:
        await show_rules(await services.accepted(), await _here(services), sources(), as_json=as_json)

    with_services(act)


@rules.command("check", epilog=examples("firmly-mcp rules check", "firmly-mcp rules check rules.toml --json"))
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def rules_check(file: Path | None, *, as_json: bool) -> None:
    """Say whether a rules file can be used, or the line and what is wrong with it, and what in it guards nothing."""
    import anyio

    from firmly_mcp.errors import SettingsError
    from firmly_mcp.settings import read_settings
    from firmly_mcp.terminal.rules import check_rules

    settings = None
    try:
        settings = read_settings()
    except SettingsError:
        if file is None:
            raise
    here = None if settings is None else _only_looking(settings)
    anyio.run(lambda: check_rules(file, here, as_json=as_json))


@rules.command(
    "explain",
    epilog=examples(
        "firmly-mcp rules explain --store luma.gift --total 53.40",
        'firmly-mcp rules explain --store luma.gift --total 53.40 --card "Everyday Visa" --quantity 3',
    ),
)
@click.option("--store", required=True, help="The store, such as luma.gift.")
@click.option("--total", required=True, type=Amount(), help="What it would cost.")
@click.option("--currency", default="USD", show_default=True, help="In which currency.")
@click.option("--card", help="The card's label. Default: the one that is meant without a label.")
@click.option("--address", help="Where it goes, by its label. Default: to an address of yours, ordered to before.")
@click.option("--quantity", default=1, show_default=True, type=click.IntRange(1), help="How many of one thing.")
@click.option(
    "--tool",
    default="complete_order",
    show_default=True,
    type=click.Choice(["complete_order", "place_order"]),
    help="By which of the order tools.",
)
@click.option("--repeat", is_flag=True, help="It is the same once more.")
@json_option
def rules_explain(*, as_json: bool, **order: Any) -> None:
    """Show what an order would meet now: each rule in order, and what comes of it. Nothing is ordered or reserved."""
    from firmly_mcp.terminal.explaining import explain_order

    async def act(services: Services) -> None:
        accepted, placement, vault = await services.accepted(), await services.placement(), await services.vault()
        await explain_order(services.settings, accepted, placement, vault, order, as_json=as_json)

    with_services(act)


@rules.command("accept", epilog=examples("firmly-mcp rules accept"))
@json_option
def rules_accept(*, as_json: bool) -> None:
    """Show what changed in rules and settings, and let it count: takes a yes and the approval PIN."""
    from firmly_mcp.terminal.rules import accept_rules

    async def act(services: Services) -> None:
        here = await _here(services)
        await accept_rules(await services.accepted(), await services.vault(), here, as_json=as_json)

    with_services(act)


async def _here(services: Services) -> Here:
    """What rules are compared with, over the rooms that are open."""
    from firmly_mcp.app import JOURNAL
    from firmly_mcp.checkout.remarks import Here

    return Here(services.settings, await services.vault(), services.settings.data_dir / JOURNAL)


def _only_looking(settings: Settings) -> Here:
    """The same, where nothing is made and no keyring asks for its password."""
    import os
    from datetime import UTC, datetime

    from firmly_mcp.doctor.findings import Examined

    return Examined.of(settings, dict(os.environ), lambda: datetime.now(UTC)).here
