"""The rules in a terminal: what counts and who said it, what is wrong with a file, and the yes to a change.

That yes is read from the controlling terminal, with the PIN: no program can pipe one in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import click

from firmly_mcp.checkout.accepted import RULES, Accepted, Standing
from firmly_mcp.checkout.rules_file import read_rules
from firmly_mcp.errors import NotAllowed, SettingsError
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.vault import Vault

from .controlling import answered, by_person, controlling_terminal
from .differences import difference, is_partly_unknown, visible
from .rules_in_words import in_words
from .tables import show
from .telling import give, tell

_SETTINGS: Final = {"setting": "Setting", "value": "Value", "said_by": "Said by", "accepted": "Accepted"}
_RULES: Final = {"rule": "Rule", "means": "What it means"}
_NOT_NEEDED: Final = "not needed"
_WORD: Final = "accept"
_COLOURS: Final = {"yes": "green", "no": "bold yellow", _NOT_NEEDED: "dim"}


async def show_rules(accepted: Accepted, settings: Settings, said_by: Mapping[str, str], *, as_json: bool) -> None:
    """Print the settings that move money and the rules in words: what counts, by whom, and whether it is accepted.

    Raises:
        SettingsError: the rules cannot be read; the settings were printed.
    """
    standing = await accepted.standing()
    rows = list(_settings_rows(standing, said_by, needed=accepted.is_needed))
    if as_json:
        rules = [{"rule": rule, "means": means} for rule, means in in_words(read_rules(standing.declared[RULES]))]
        click.echo(json.dumps({"settings": rows, "rules": rules}, ensure_ascii=False, indent=2))
        return
    show(rows, _SETTINGS, as_json=False, colours=_COLOURS)
    words = list(in_words(read_rules(standing.declared[RULES])))
    show([{"rule": rule, "means": means} for rule, means in words], _RULES, as_json=False)
    click.echo(_remark(accepted, standing, settings, is_empty=not words), err=True)


def check_rules(path: Path, *, is_named: bool, as_json: bool) -> None:
    """Say that a rules file can be used.

    Raises:
        SettingsError: it cannot; says the line and what is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if is_named:
            raise SettingsError(f"There is no file {path}.") from None
        _say_checked(path, f"There is no {path}, so every order asks a person.", exists=False, as_json=as_json)
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__}).") from None
    read_rules(text)
    _say_checked(path, f"{path}: ok.", exists=True, as_json=as_json)


def _say_checked(path: Path, words: str, *, exists: bool, as_json: bool) -> None:
    if as_json:
        give({"file": str(path), "exists": exists, "usable": True})
    else:
        click.echo(words)


async def accept_rules(accepted: Accepted, vault: Vault, *, as_json: bool) -> None:
    """Show what changed since it was accepted, and let it count once a person said so and typed the PIN.

    Raises:
        NotAllowed: no terminal, no PIN, or the person said no. Nothing was accepted.
        PinRefused: the PIN was wrong too often.
        SettingsError: the rules cannot be read, or contradict themselves.
    """
    standing = await accepted.standing()
    read_rules(standing.declared[RULES])
    if not accepted.is_needed:
        tell(
            "In the simulator environment no money moves, and everything counts as it stands.",
            {"accepted": [], "needed": False}, as_json=as_json,
        )  # fmt: skip
        return
    if not standing.unaccepted:
        tell("Nothing changed since it was accepted.", {"accepted": [], "needed": True}, as_json=as_json)
        return
    await accepted.refuse_without_pin()
    with controlling_terminal("Accepting rules and settings") as terminal:
        terminal.writelines(f"{line}\n" for line in _shown(accepted, standing))
        if not await answered(_says_yes, terminal):
            raise NotAllowed("Nothing was accepted.")
        await by_person(vault.pin, terminal, lambda proof: accepted.accept(standing, proof))
        terminal.write("Accepted.\n")
        if set(standing.unaccepted) - {RULES}:
            terminal.write("A server that runs already keeps the settings that it was started with: start it anew.\n")
    if as_json:
        give({"accepted": list(standing.unaccepted), "needed": True})


def _shown(accepted: Accepted, standing: Standing) -> Iterator[str]:
    yield f"=== {accepted.environment}: what will count once you accept it ==="
    yield "Lines with + are new, lines with - counted until now."
    if is_partly_unknown(standing):
        yield "What was accepted before is not known any more where no - stands, so read those lines whole."
    yield ""
    yield from difference(standing)
    yield ""


def _says_yes(terminal: TextIO) -> bool:
    terminal.write(f"Type {_WORD} to accept all of this, anything else to leave it: ")
    terminal.flush()
    return terminal.readline().strip() == _WORD


def _settings_rows(standing: Standing, said_by: Mapping[str, str], *, needed: bool) -> Iterator[dict[str, str | None]]:
    for name, text in standing.declared.items():
        counts = _NOT_NEEDED if not needed else "no" if name in standing.unaccepted else "yes"
        if name == RULES:
            value, by = "(see below)" if text else "(none)", said_by.get("rules_file")
        else:
            value, by = visible(text) or "(not set)", said_by.get(name)
        yield {"setting": name, "value": value, "said_by": by, "accepted": counts}


def _remark(accepted: Accepted, standing: Standing, settings: Settings, *, is_empty: bool) -> str:
    first = f"No rules are written in {settings.rules_file}: every order asks a person." if is_empty else ""
    if not accepted.is_needed:
        then = "In the simulator environment no money moves, and everything counts as it stands."
    elif standing.unaccepted:
        then = (
            f"Not accepted yet: {', '.join(standing.unaccepted)}. What is not accepted allows nothing: run "
            f"`{accepted.accept_command}`."
        )
    else:
        then = "All of it was accepted."
    return "\n".join(filter(None, (first, then)))
