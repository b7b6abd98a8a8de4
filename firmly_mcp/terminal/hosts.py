"""Installing into an assistant, as a person sees it: our entry before and after, a question, and what is left to do.

Only our own entry is shown. The rest of a host's file may hold other programs' secrets, and does not change.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from firmly_mcp import __version__
from firmly_mcp.errors import NotAllowed, SettingsError
from firmly_mcp.hosts import changes, own_command
from firmly_mcp.hosts.changes import Change, Entry
from firmly_mcp.hosts.known import HOSTS, Host, Machine, Syntax
from firmly_mcp.hosts.toml_text import table_text
from firmly_mcp.hosts.undo import Memory

from .asking import confirm
from .differences import changed_lines, visible
from .tables import show

_COLUMNS: Final = {"host": "Host", "found": "Found here", "installed": "Starts firmly-mcp", "file": "File"}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command was asked to go about it."""

    yes: bool
    only_print: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A command that a person has yet to run, and what it is for."""

    command: str
    why: str


def carry_out(
    change: Change,
    machine: Machine,
    memory: Memory,
    manner: Manner,
    *,
    undo: str,
    steps: Callable[[], Sequence[Step]],
) -> None:
    """Show a change, ask, write it, and say what is left to do.

    Raises:
        NotAllowed: the person said no.
        SettingsError: nobody can be asked, or it could not be written. Nothing was written.
    """
    commands = own_command.commands(change)
    is_written = _is_wanted(change, commands, machine, manner)
    if is_written and commands:
        own_command.run(change, machine)
    elif is_written:
        changes.apply(change, memory)
    left = steps() if change.new is not None and not manner.only_print else ()
    if manner.as_json:
        told = _told(change, commands) | {"written": is_written, "next": [asdict(step) for step in left]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif not manner.only_print:
        click.echo("\n".join(_afterwards(change, left, undo, is_written=is_written)))


def list_hosts(machine: Machine, name: str, *, as_json: bool) -> None:
    """Print each host: whether it is found here, and what it starts under this name."""
    show([_row(host, machine, name) for host in HOSTS.values()], _COLUMNS, as_json=as_json)


def _row(host: Host, machine: Machine, name: str) -> dict[str, str | None]:
    file = host.file(machine)
    try:
        entry = changes.entry_there(host, machine, name)
        installed = "no" if entry is None else shlex.join(_words(entry)) if changes.is_ours(entry) else "another server"
    except SettingsError:
        installed = "its file cannot be read"
    return {
        "host": host.name,
        "found": "yes" if _is_here(host, machine) else "no",
        "installed": visible(installed),
        "file": str(file),
    }


def _is_here(host: Host, machine: Machine) -> bool:
    """Whether there is a file of the host, a directory of its own for it, or its command."""
    file = host.file(machine)
    has_directory = file.parent != machine.home and file.parent.exists()
    return file.exists() or has_directory or bool(host.own_command and shutil.which(host.own_command))


def _words(entry: Entry) -> list[str]:
    args = entry.get("args", [])
    return [str(entry.get("command", "")), *map(str, args if isinstance(args, list) else [])]


def _is_wanted(change: Change, commands: Sequence[Sequence[str]], machine: Machine, manner: Manner) -> bool:
    """Show the change, and whether to write it."""
    asks = not (change.is_none or manner.only_print or manner.yes)
    is_alone = not sys.stdin.isatty()
    if not manner.as_json or (asks and not is_alone):
        click.echo("\n".join(_shown(change, commands, machine)), err=manner.as_json)
    if not asks:
        return not (change.is_none or manner.only_print)
    if is_alone:
        raise SettingsError(
            "Nothing was written: a person is asked first, and standard input is no terminal. Add --yes to write it "
            "without a question, or --print to see it alone."
        )
    if not confirm("Write this?"):
        raise NotAllowed("Nothing was written.")
    return True


def _shown(change: Change, commands: Sequence[Sequence[str]], machine: Machine) -> Iterator[str]:
    host = change.host
    yield f"{host.title}: {visible(str(change.found.path))}"
    yield _what(change)
    yield ""
    yield from changed_lines(_entry_lines(change, change.old), _entry_lines(change, change.new))
    yield ""
    if change.new is not None:
        yield _which_version(change.new)
        if not _is_here(host, machine):
            yield f"Nothing of {host.title} was found here: its file would be the first of it."
    if commands:
        yield f"{host.title}'s own command writes it, because a running {host.title} writes the file over:"
        yield from (f"  {shlex.join(command)}" for command in commands)
    elif host.own_command and not change.is_none:
        yield f"`{host.own_command}` is not on the PATH, so the file itself is changed. Quit {host.title} first:"
        yield "while it runs it may write the file over."


def _which_version(entry: Entry) -> str:
    if f"firmly-mcp=={__version__}" in entry["args"]:
        return f"It starts firmly-mcp {__version__}, and no other version."
    return f"It starts firmly-mcp {__version__}, or what is installed in its place later."


def _what(change: Change) -> str:
    if change.is_none:
        return f"`{change.place}` is as it should be." if change.new is not None else f"There is no `{change.place}`."
    if change.new is None:
        rest = " The file goes too: it was made for this, and holds nothing else." if change.after is None else ""
        return f"`{change.place}` is removed; nothing else changes.{rest}"
    if change.old is not None:
        return f"`{change.place}` is changed; nothing else is."
    return f"`{change.place}` is added; " + (
        "the file is new." if change.found.raw is None else "nothing else changes."
    )


def _entry_lines(change: Change, entry: Entry | None) -> list[str]:
    if entry is None:
        return []
    if change.host.syntax is Syntax.TOML:
        return table_text((change.host.key, change.name), entry).splitlines()
    return f"{json.dumps(change.name)}: {json.dumps(entry, ensure_ascii=False, indent=2)}".splitlines()


def _afterwards(change: Change, left: Sequence[Step], undo: str, *, is_written: bool) -> Iterator[str]:
    if change.new is None:
        if is_written:
            yield "Removed. Cards, addresses, orders and settings stay as they are."
        return
    if is_written:
        yield f"Written. {change.host.then}"
    if left:
        yield "Still to do, by you in a terminal:"
        width = max(len(step.command) for step in left)
        yield from (f"  {step.command:{width}}  # {step.why}" for step in left)
    yield f"To undo it: {undo}"


def _told(change: Change, commands: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "host": change.host.name,
        "file": str(change.found.path),
        "place": change.place,
        "change": _kind(change),
        "before": change.old,
        "after": change.new,
        "version": __version__ if change.new is not None else None,
        "commands": [list(command) for command in commands],
    }


def _kind(change: Change) -> str:
    if change.is_none:
        return "none"
    return "add" if change.old is None else "remove" if change.new is None else "update"
