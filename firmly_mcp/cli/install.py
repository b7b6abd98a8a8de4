"""Add firmly-mcp to an MCP client's list of servers, or remove it: show the change, ask, write, name what remains.

Only our own entry is shown: the rest of a client's file may hold other programs' secrets.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from firmly_mcp import __version__
from firmly_mcp.errors import FirmlyError, NotAllowed, SettingsError
from firmly_mcp.install.clients import CLIENTS, Machine

from .output import changed_lines, examples, json_option, print_json, run_in_app, show, visible
from .stdin import confirm

if TYPE_CHECKING:
    from firmly_mcp.app import Services
    from firmly_mcp.install.change import Change
    from firmly_mcp.install.clients import Client

_COLUMNS: Final = {"host": "Client", "found": "Found here", "installed": "Starts firmly-mcp", "file": "File"}
_STEPS: Final = {
    "addresses": (("addresses", "add"), "an address to ship to"),
    "cards": (("cards", "add"), "a card to pay with; asks for an approval PIN"),
    "pin": (("pin", "set"), "the approval PIN that approves an order"),
    "accept": (("rules", "accept"), "where orders and money go, and where cards and PINs are typed"),
}


class InstallOptions(NamedTuple):
    """How to make a change."""

    yes: bool
    only_print: bool
    as_json: bool


class RemainingStep(NamedTuple):
    """A command that a person still has to run, and what it is for."""

    command: str
    why: str


def _server_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise click.BadParameter("is made of up to 64 letters, digits, - and _")
    return name


_name = click.option(
    "--name", default="firmly", show_default=True, callback=_server_name, help="The server's name there."
)
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
@click.argument("client", required=False, type=click.Choice(tuple(CLIENTS)))
@_name
@_yes
@_print
@click.option("--list", "only_list", is_flag=True, help="List the clients, and where firmly-mcp is installed.")
@json_option
def install(*, client: str | None, name: str, only_list: bool, **options: Any) -> None:
    """Add this firmly-mcp to an MCP client's list of servers, after showing what is written.

    The entry has the full path of this firmly-mcp and the settings that are in force in this shell. Run it again to
    bring the entry up to date. No other value in the client's file changes.
    """
    if only_list == (client is not None):
        raise click.UsageError("Name one client, or give --list.")
    if client is None:
        _list_clients(name, as_json=options["as_json"])
    else:
        _apply_change(client, name, InstallOptions(**options), removes=False)


@click.command(epilog=examples("firmly-mcp uninstall claude-desktop", "firmly-mcp uninstall codex --yes --json"))
@click.argument("client", type=click.Choice(tuple(CLIENTS)))
@_name
@_yes
@_print
@json_option
def uninstall(*, client: str, name: str, **options: Any) -> None:
    """Remove firmly-mcp from an MCP client's list of servers. Cards, addresses, orders and settings stay."""
    _apply_change(client, name, InstallOptions(**options), removes=True)


def _apply_change(client: str, name: str, options: InstallOptions, *, removes: bool) -> None:
    """Show a change, ask, write it, and name what a person still has to do."""
    from firmly_mcp.install.change import plan, write
    from firmly_mcp.install.entry import entry_for, this_program
    from firmly_mcp.settings import command_line, read_settings

    settings, machine = read_settings(), Machine(sys.platform, Path.home(), os.environ)
    entry = None if removes else entry_for(CLIENTS[client], this_program(), machine.environ, machine.platform)
    # Records of version 0.1.0 are in this directory too.
    change = plan(CLIENTS[client], machine, name, entry, settings.data_dir / "hosts")
    shown = _change_lines(change, machine)
    is_written = change.kind != "none" and not (change.obstacle or options.only_print)
    asks = is_written and not options.yes
    if not options.as_json or (asks and sys.stdin.isatty()):
        click.echo("\n".join(shown), err=options.as_json)
    if asks:
        _ask()
    if is_written:
        write(change, machine)
    steps = _remaining_steps(change, machine) if not (removes or change.obstacle or options.only_print) else []
    if options.as_json:
        facts = _facts(change) | {"written": is_written, "next": [step._asdict() for step in steps]}
        print_json(facts, indent=2)
    elif not (change.obstacle or options.only_print):
        undo = command_line(settings, "uninstall", client, *([] if name == "firmly" else ["--name", name]))
        click.echo("\n".join(_result_lines(change, steps, undo, is_written=is_written)))
    if change.obstacle and not options.only_print:
        raise SettingsError(f"Nothing was written: {change.found.path} {change.obstacle}.")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise SettingsError(
            "Nothing was written: a person is asked first, and standard input is not a terminal. Add --yes to write it "
            "without a question, or --print to see it alone."
        )
    if not confirm("Write this?"):
        raise NotAllowed("Nothing was written.")


def _facts(change: Change) -> dict[str, Any]:
    return {
        "host": change.client.name,
        "file": str(change.found.path),
        "place": change.place,
        "change": change.kind,
        "before": change.old,
        "after": change.new,
        "version": __version__ if change.new is not None else None,
        "commands": change.commands,
    }


def _change_lines(change: Change, machine: Machine) -> Iterator[str]:
    """Yield what changes, line by line; where the file is left alone, the entry to paste."""
    client = change.client
    old, new = (change.entry_text(each).splitlines() if each is not None else [] for each in (change.old, change.new))
    yield f"{client.title}: {visible(str(change.found.path))}"
    yield _summary(change)
    yield ""
    yield from new if change.obstacle and new else changed_lines(old, new)
    yield ""
    if change.new is not None:
        only = "and no other version" if f"firmly-mcp=={__version__}" in change.new["args"] else ""
        yield f"It starts firmly-mcp {__version__}, {only or 'or what is installed in its place later'}."
        if not _is_here(client, machine):
            yield f"Nothing of {client.title} was found here: its file would be the first of it."
    if change.commands:
        yield f"{client.title}'s own command writes it:"
        yield from (f"  {visible(shlex.join(command))}" for command in change.commands)
    elif client.program and change.kind != "none" and not shutil.which(client.program):
        yield f"`{client.program}` is not on the PATH, so the file itself is changed. Quit {client.title} first:"
        yield "while it runs it may overwrite the file."


def _summary(change: Change) -> str:
    if change.obstacle:
        act = (
            f"Paste this into `{change.client.key}`" if change.new is not None else f"Remove `{change.place}` yourself"
        )
        return f"The file {change.obstacle}, so it is left alone. {act}:"
    if change.kind == "none":
        return f"`{change.place}` is up to date." if change.new is not None else f"There is no `{change.place}`."
    if change.kind == "remove":
        rest = " The file goes too: it was made for this, and holds nothing else." if change.raw is None else ""
        return f"`{change.place}` is removed; no other value changes.{rest}"
    rest = "the file is new" if change.found.raw is None else "no other value changes"
    return f"`{change.place}` is {'added' if change.kind == 'add' else 'changed'}; {rest}."


def _result_lines(change: Change, steps: Sequence[RemainingStep], undo: str, *, is_written: bool) -> Iterator[str]:
    if is_written:
        removed = "Removed. Cards, addresses, orders and settings stay as they are."
        yield f"Written. {change.client.then}" if change.new is not None else removed
        if change.found.raw is not None and change.raw is not None and not change.commands:
            yield f"What the file held before is in {change.found.backup}."
    if steps:
        yield "Still to do, by you in a terminal:"
        width = max(len(step.command) for step in steps)
        yield from (f"  {step.command:{width}}  # {step.why}" for step in steps)
    if change.new is not None:
        yield f"To undo it: {undo}"


def _list_clients(name: str, *, as_json: bool) -> None:
    """Print each client: whether it is found here, and what it starts under this name."""
    from firmly_mcp.install.change import entry_in_file, is_ours, words

    machine, rows = Machine(sys.platform, Path.home(), os.environ), []
    for client in CLIENTS.values():
        try:
            entry = entry_in_file(client, machine, name)
            starts = "no" if entry is None else shlex.join(words(entry)) if is_ours(entry) else "another server"
        except SettingsError:
            starts = "its file cannot be read"
        found = "yes" if _is_here(client, machine) else "no"
        file = str(client.file(machine))
        rows.append({"host": client.name, "found": found, "installed": visible(starts), "file": file})
    show(rows, _COLUMNS, as_json=as_json)


def _is_here(client: Client, machine: Machine) -> bool:
    """Whether there is a file of the client, a directory of its own for it, or its command."""
    file = client.file(machine)
    has_directory = file.parent != machine.home and file.parent.exists()
    return file.exists() or has_directory or bool(client.program and shutil.which(client.program))


def _remaining_steps(change: Change, machine: Machine) -> list[RemainingStep]:
    """Return what a person still has to do before this client can buy; everything if the keyring does not answer."""
    from firmly_mcp.settings import command_line, read_settings

    env = change.new.get("env") if change.new is not None else None
    settings = read_settings({**machine.environ, **env} if isinstance(env, dict) else machine.environ)

    async def remaining(services: Services) -> list[str]:
        wallet, accepted = await services.vault(), await services.accepted()
        # A command of the person's own brings their cards; it is not run to find out.
        has_card = bool(settings.card_command or await wallet.cards())
        is_open = {
            "addresses": not await wallet.addresses(),
            "cards": not has_card,
            "pin": has_card and not await wallet.pin.is_set(),  # adding a card asks for the PIN too
            "accept": bool((await accepted.standing()).unaccepted),
        }
        return [name for name in is_open if is_open[name]]

    try:
        names = run_in_app(remaining, settings)
    except FirmlyError:
        names = ["addresses", "cards", *(["accept"] if settings.environment != "simulator" else [])]
    return [RemainingStep(command_line(settings, *_STEPS[name][0]), _STEPS[name][1]) for name in names]
