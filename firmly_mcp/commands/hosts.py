"""Putting firmly-mcp on an assistant's list of servers, and taking it off again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from .manners import examples, json_option

if TYPE_CHECKING:
    from firmly_mcp.app import Services
    from firmly_mcp.hosts.changes import Change
    from firmly_mcp.hosts.known import Machine
    from firmly_mcp.hosts.undo import Memory
    from firmly_mcp.settings import Settings
    from firmly_mcp.terminal.hosts import Step

# The keys of `firmly_mcp.hosts.known.HOSTS`, without importing it at every start.
HOST_NAMES: Final = ("claude-desktop", "claude-code", "vscode", "cursor", "codex", "gemini-cli")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _checked(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise click.BadParameter("is made of up to 64 letters, digits, - and _")
    return name


_name = click.option("--name", default="firmly", show_default=True, callback=_checked, help="The server's name there.")
_yes = click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
_print = click.option("--print", "only_print", is_flag=True, help="Show what would be written, and write nothing.")


@click.command(
    epilog=examples(
        "firmly-mcp install --list",
        "firmly-mcp install claude-desktop",
        "firmly-mcp install cursor --print",
        "firmly-mcp install codex --yes --json",
    )
)
@click.argument("host", required=False, type=click.Choice(HOST_NAMES))
@_name
@_yes
@_print
@click.option("--list", "only_list", is_flag=True, help="List the assistants, and where firmly-mcp is installed.")
@json_option
def install(*, host: str | None, name: str, only_list: bool, **manner: Any) -> None:
    """Put this firmly-mcp on an assistant's list of servers, after showing what is written.

    The entry has the full path of this firmly-mcp and the settings that are in force in this shell. Running it again
    brings the entry up to date. Everything else in the assistant's file stays as it is.
    """
    from firmly_mcp.terminal.hosts import Manner, carry_out, list_hosts

    if only_list == (host is not None):
        raise click.UsageError("Name one assistant, or give --list.")
    machine, settings, memory = _this_machine()
    if host is None:
        list_hosts(machine, name, as_json=manner["as_json"])
        return
    from firmly_mcp.hosts.changes import installing
    from firmly_mcp.hosts.known import HOSTS
    from firmly_mcp.hosts.launching import entry_for, this_program

    entry = entry_for(HOSTS[host], this_program(), machine.environ, machine.platform)
    change = installing(HOSTS[host], machine, name, entry, memory)
    undo = _undo(settings, host, name)
    carry_out(change, machine, memory, Manner(**manner), undo=undo, steps=lambda: _steps(machine, change))


@click.command(epilog=examples("firmly-mcp uninstall claude-desktop", "firmly-mcp uninstall codex --yes --json"))
@click.argument("host", type=click.Choice(HOST_NAMES))
@_name
@_yes
@_print
@json_option
def uninstall(*, host: str, name: str, **manner: Any) -> None:
    """Take firmly-mcp off an assistant's list of servers. Cards, addresses, orders and settings stay."""
    from firmly_mcp.hosts.changes import uninstalling
    from firmly_mcp.hosts.known import HOSTS
    from firmly_mcp.terminal.hosts import Manner, carry_out

    machine, _, memory = _this_machine()
    change = uninstalling(HOSTS[host], machine, name, memory)
    carry_out(change, machine, memory, Manner(**manner), undo="", steps=tuple)


def _this_machine() -> tuple[Machine, Settings, Memory]:
    """Where hosts keep their files here, the settings in force, and what was written before."""
    import os
    import sys
    from pathlib import Path

    from firmly_mcp.hosts.known import Machine
    from firmly_mcp.hosts.undo import Memory
    from firmly_mcp.settings import read_settings

    settings = read_settings()
    return Machine(sys.platform, Path.home(), os.environ), settings, Memory(settings.data_dir / "hosts")


def _undo(settings: Settings, host: str, name: str) -> str:
    from firmly_mcp.settings import command_line

    return command_line(settings, "uninstall", host, *([] if name == "firmly" else ["--name", name]))


def _steps(machine: Machine, change: Change) -> list[Step]:
    """What a person has yet to do before this assistant can buy; all of it where the keyring does not say."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.errors import FirmlyError
    from firmly_mcp.settings import read_settings

    said = change.new.get("env") if change.new is not None else None
    settings = read_settings({**machine.environ, **said} if isinstance(said, dict) else machine.environ)

    async def left() -> list[Step]:
        async with open_services(settings) as services:
            return await _steps_left(services)

    try:
        return anyio.run(left)
    except FirmlyError:
        moves_money = settings.environment != "simulator"
        return _as_steps(settings, ["addresses", "cards", *(["accept"] if moves_money else [])])


async def _steps_left(services: Services) -> list[Step]:
    vault, settings = await services.vault(), services.settings
    left = []
    if not await vault.addresses():
        left.append("addresses")
    # A command of the person's own brings their cards; it is not run to find out.
    if not settings.card_command and not await vault.cards():
        left.append("cards")
    # Adding a card asks for the PIN too.
    if "cards" not in left and not await vault.pin.is_set():
        left.append("pin")
    accepted = await services.accepted()
    if (await accepted.standing()).unaccepted:
        left.append("accept")
    return _as_steps(settings, left)


def _as_steps(settings: Settings, names: list[str]) -> list[Step]:
    from firmly_mcp.settings import command_line
    from firmly_mcp.terminal.hosts import Step

    steps = {
        "addresses": (("addresses", "add"), "an address to ship to"),
        "cards": (("cards", "add"), "a card to pay with; asks for an approval PIN"),
        "pin": (("pin", "set"), "the approval PIN that a yes to an order takes"),
        "accept": (("rules", "accept"), "where orders and money go, and where cards and PINs are typed"),
    }
    return [Step(command_line(settings, *steps[name][0]), steps[name][1]) for name in names]
