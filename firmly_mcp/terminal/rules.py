"""The rules in a terminal: what counts and who said it, what is wrong with a file, and the yes to a change.

That yes is read from the controlling terminal, with the PIN: no program can pipe one in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from firmly_mcp.checkout.policy.acceptance import RULES, AcceptedSettings, Standing
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.checkout.remarks import Here
from firmly_mcp.errors import NotAllowed
from firmly_mcp.settings import ORDERS_BLOCKED, Settings, rules_text
from firmly_mcp.settings_files import written_text
from firmly_mcp.wallet.wallet import Wallet

from .controlling import answered, by_person, controlling_terminal, decided
from .differences import difference, is_partly_unknown, visible
from .rules_in_words import in_words
from .tables import show
from .telling import give, tell

_SETTINGS: Final = {"setting": "Setting", "value": "Value", "said_by": "Said by", "accepted": "Accepted"}
_RULES: Final = {"rule": "Rule", "means": "What it means"}
_NOT_NEEDED: Final = "not needed"
_WORD: Final = "accept"
_FREE: Final = "In the simulator environment no money moves, and everything counts as it stands."
_ANSWERS: Final[Mapping[str, bool]] = {_WORD: True, "no": False, "n": False}
_COLOURS: Final = {"yes": "green", "no": "bold yellow", _NOT_NEEDED: "dim"}


_DECISION: Final = decided(
    f"Type {_WORD} to accept all of this, or no to leave it: ",
    lambda line: _ANSWERS.get(line.casefold()),
    again=f"That is neither {_WORD} nor no.",
    unanswered="No answer came. Nothing was accepted.",
)


async def show_rules(accepted: AcceptedSettings, here: Here, said_by: Mapping[str, str], *, as_json: bool) -> None:
    """Print the settings that move money and the rules in words: what counts, by whom, and whether it is accepted.

    Raises:
        SettingsError: the rules cannot be read.
    """
    standing = await accepted.standing()
    rows = list(_settings_rows(standing, said_by, accepted.needs))
    if not as_json:
        show(rows, _SETTINGS, as_json=False, colours=_COLOURS)
    rules = read_rules(standing.declared[RULES])
    remarks = await here.remarks(rules)
    words = list(in_words(rules))
    if as_json:
        shown = [{"rule": rule, "means": means} for rule, means in words]
        facts = {"settings": rows, "rules": shown, "remarks": remarks}
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    show([{"rule": rule, "means": means} for rule, means in words], _RULES, as_json=False)
    for remark in (*remarks, _remark(accepted, standing, here.settings, is_empty=not words)):
        click.echo(remark, err=True)


async def check_rules(path: Path | None, here: Here | None, *, as_json: bool) -> None:
    """Say whether a rules file can be used, and what in it guards nothing; without `path`, the settings' own file.

    Raises:
        SettingsError: it cannot; says the line and what is wrong.
    """
    if path is None:
        assert here is not None
        path, text = here.settings.rules_file, rules_text(here.settings)
    else:
        text = written_text(path, named_by="The command", consequence=ORDERS_BLOCKED) or ""
    rules = read_rules(text)
    unread = ("Card labels and stores were not compared with yours: the settings cannot be read.",)
    remarks = unread if here is None else await here.remarks(rules)
    exists = path.exists()
    if as_json:
        give({"file": str(path), "exists": exists, "usable": True, "remarks": remarks})
        return
    click.echo(_checked(path, remarks, exists=exists, is_empty=not list(in_words(rules))))


def _checked(path: Path, remarks: Sequence[str], *, exists: bool, is_empty: bool) -> str:
    if not exists:
        return f"There is no {path}, so every order asks a person."
    if is_empty:
        return f"{path}: no rules are written in it, so every order asks a person."
    listed = "".join(f"\n- {remark}" for remark in remarks)
    return f"{path}: can be read; look at this:{listed}" if remarks else f"{path}: ok."


async def accept_rules(accepted: AcceptedSettings, vault: Wallet, here: Here, *, as_json: bool) -> None:
    """Show what changed since it was accepted, and let it count once a person said so and typed the PIN.

    Raises:
        NotAllowed: no terminal, no PIN, or the person said no. Nothing was accepted.
        PinRefused: the PIN was wrong too often.
        SettingsError: the rules cannot be read, or contradict themselves.
    """
    standing = await accepted.standing()
    rules = read_rules(standing.declared[RULES])
    if not standing.unaccepted:
        needed = accepted.needs_something(standing)
        words = "Nothing changed since it was accepted." if needed else _FREE
        tell(words, {"accepted": [], "needed": needed}, as_json=as_json)
        return
    if accepted.is_needed:
        await accepted.refuse_without_pin()
    with controlling_terminal("Accepting rules and settings") as terminal:
        terminal.writelines(f"{line}\n" for line in _shown(accepted, standing))
        terminal.writelines(f"Look at this: {remark}\n" for remark in await here.remarks(rules))
        if not await answered(_DECISION, terminal):
            raise NotAllowed("Nothing was accepted.")
        await by_person(vault.pin, terminal, lambda proof: accepted.accept(standing, proof))
        terminal.write("Accepted.\n")
        if set(standing.unaccepted) - {RULES}:
            terminal.write("A server that runs already keeps the settings that it was started with: start it anew.\n")
    if as_json:
        give({"accepted": list(standing.unaccepted), "needed": True})


def _shown(accepted: AcceptedSettings, standing: Standing) -> Iterator[str]:
    yield f"=== {accepted.environment}: what will count once you accept it ==="
    if not accepted.is_needed:
        yield "No money moves here; only where pages ask for cards and PINs has to be accepted."
    yield "Lines with + are new, lines with - counted until now."
    if is_partly_unknown(standing):
        yield "What was accepted before is not known any more where no - stands, so read those lines whole."
    yield ""
    yield from difference(standing)
    yield ""


def _settings_rows(
    standing: Standing, said_by: Mapping[str, str], needs: Callable[[str, str], bool]
) -> Iterator[dict[str, str | None]]:
    for name, text in standing.declared.items():
        counts = _NOT_NEEDED if not needs(name, text) else "no" if name in standing.unaccepted else "yes"
        if name == RULES:
            value, by = "(see below)" if text else "(none)", said_by.get("rules_file")
        else:
            value, by = visible(text) or "(not set)", said_by.get(name)
        yield {"setting": name, "value": value, "said_by": by, "accepted": counts}


def _remark(accepted: AcceptedSettings, standing: Standing, settings: Settings, *, is_empty: bool) -> str:
    first = f"No rules are written in {settings.rules_file}: every order asks a person." if is_empty else ""
    if standing.unaccepted:
        then = (
            f"Not accepted yet: {', '.join(standing.unaccepted)}. What is not accepted allows nothing, and pages that "
            f"are not accepted stay at this machine's own address: run `{accepted.accept_command}`."
        )
    else:
        then = "All of it was accepted." if accepted.is_needed else _FREE
    return "\n".join(filter(None, (first, then)))
