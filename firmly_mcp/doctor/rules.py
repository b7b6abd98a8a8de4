"""The rules and the settings that move money: whether they can be read, and whether a person accepted them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from firmly_mcp.checkout.accepted import RULES, WHERE
from firmly_mcp.checkout.rules_file import read_rules
from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import PAGES_AT, declared

from .aside import aside
from .examined import Examined
from .findings import Finding, failed, ok, skipped, warning


async def rules(examined: Examined) -> Sequence[Finding]:
    """Whether the rules file is there and makes sense."""
    path = examined.settings.rules_file
    try:
        text = (await aside(lambda: declared(examined.settings)))[RULES]
        written = read_rules(text)
    except SettingsError as error:
        return [failed("rules", error.message, f"Correct {path}, then: {examined.command('rules', 'check')}")]
    if not text.strip():
        return [ok("rules", f"None are written in {path}: every order asks a person.")]
    if remarks := await examined.here.remarks(written):
        return [
            warning("rules", f"{path} can be read. {' '.join(remarks)}", f"Correct {path} where this is no intent.")
        ]
    return [ok("rules", f"{path} can be used.")]


async def accepted(examined: Examined) -> Sequence[Finding]:
    """Whether a person accepted what moves money, as it is now."""
    try:
        unaccepted = (await examined.accepted.standing()).unaccepted
    except SettingsError:
        return [skipped("accepted", "The rules cannot be read.")]
    fix = examined.command("rules", "accept")
    if not unaccepted and not examined.moves_money:
        return [ok("accepted", "On the simulator no money moves, and everything counts as it stands.")]
    if not unaccepted:
        return [ok("accepted", "All of the rules and settings that move money.")]
    if stops := [name for name in unaccepted if name in WHERE]:
        said = f"Nobody accepted {', '.join(stops)} as now written, so no order can be placed."
        return [failed("accepted", said, fix)]
    if set(unaccepted) <= set(PAGES_AT):
        said = f"Not accepted: {', '.join(unaccepted)}. The pages are at this machine's own address until then."
        return [warning("accepted", said, fix)]
    said = f"Nobody accepted {', '.join(unaccepted)} as now written, so nothing goes without asking."
    return [warning("accepted", said, fix)]


async def commands(examined: Examined) -> Sequence[Finding]:
    """Whether the programs of `cvv_command` and `card_command` are there, and nobody else's to change. None is run."""
    return await aside(lambda: list(_commands(examined)))


def _commands(examined: Examined) -> Iterator[Finding]:
    for name in ("cvv_command", "card_command"):
        command: tuple[str, ...] = getattr(examined.settings, name)
        if not command:
            continue
        found = shutil.which(command[0], path=examined.environ.get("PATH"))
        if found is None:
            yield failed(name, f"{command[0]} is not there or cannot be run.", f"Correct {name} in config.toml.")
        elif _others_can_write(Path(found)):
            yield failed(name, f"Others can change {found}, which is run for you.", f"chmod go-w {found}")
        else:
            yield ok(name, f"{found} is there; it runs when an order needs it.")


def _others_can_write(program: Path) -> bool:
    return os.name != "nt" and bool(program.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))
