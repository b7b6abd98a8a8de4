"""The spending rules and the settings that move money: show, check, explain, accept.

Accepting is answered at the controlling terminal with the PIN, so no program can pipe it in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from firmly_mcp.errors import NotAllowed, SettingsError

from .output import Amount, changed_lines, examples, in_app, json_option, print_json, report, show, visible
from .prompt import ask_choice, controlling_terminal, run_as_person

if TYPE_CHECKING:
    from firmly_mcp.app import Services
    from firmly_mcp.checkout.policy.acceptance import AcceptedSettings, Standing
    from firmly_mcp.checkout.remarks import Here
    from firmly_mcp.settings import Settings

_SETTINGS: Final = {"setting": "Setting", "value": "Value", "said_by": "Said by", "accepted": "Accepted"}
_RULES: Final = {"rule": "Rule", "means": "What it means"}
_NOT_NEEDED: Final = "not needed"
_FREE: Final = "In the simulator environment no money moves, and everything counts as it stands."
_ANSWERS: Final[Mapping[str, bool]] = {"accept": True, "no": False, "n": False}
_COLOURS: Final = {"yes": "green", "no": "bold yellow", _NOT_NEEDED: "dim"}


@click.group(epilog=examples("firmly-mcp rules show", "firmly-mcp rules accept"))
def rules() -> None:
    """The spending rules, and the settings that count only once a person has accepted them."""


@rules.command("show", epilog=examples("firmly-mcp rules show", "firmly-mcp rules show --json"))
@json_option
@in_app
async def rules_show(services: Services, *, as_json: bool) -> None:
    """Show the rules in words and the settings that move money: who said each, and whether it is accepted."""
    from firmly_mcp.checkout.policy.acceptance import RULES
    from firmly_mcp.checkout.policy.file import read_rules
    from firmly_mcp.checkout.policy.rules import in_words
    from firmly_mcp.settings import sources

    accepted, here = await services.accepted(), await _here(services)
    standing = await accepted.standing()
    rows = list(_settings_rows(standing, sources(), accepted.needs))
    if not as_json:
        show(rows, _SETTINGS, as_json=False, colours=_COLOURS)
    written = read_rules(standing.declared[RULES])
    remarks = await here.remarks(written)
    meanings = [{"rule": rule, "means": means} for rule, means in in_words(written)]
    if as_json:
        print_json({"settings": rows, "rules": meanings, "remarks": remarks}, indent=2)
        return
    show(meanings, _RULES, as_json=False)
    for remark in (*remarks, _standing_remark(accepted, standing, here.settings, is_empty=not meanings)):
        click.echo(remark, err=True)


@rules.command("check", epilog=examples("firmly-mcp rules check", "firmly-mcp rules check rules.toml --json"))
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def rules_check(file: Path | None, *, as_json: bool) -> None:
    """Say whether a rules file can be used, or the line and what is wrong with it, and what in it guards nothing."""
    import anyio

    from firmly_mcp.settings import read_settings

    settings = None
    try:
        settings = read_settings()
    except SettingsError:
        if file is None:
            raise
    here = None if settings is None else _here_read_only(settings)
    anyio.run(lambda: _check(file, here, as_json=as_json))


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
@in_app
async def rules_explain(services: Services, /, *, as_json: bool, **order: Any) -> None:
    """Show what an order would meet now: each rule in order, and what comes of it. Nothing is ordered or reserved."""
    from .explain import explain_order

    await explain_order(services, order, as_json=as_json)


@rules.command("accept", epilog=examples("firmly-mcp rules accept"))
@json_option
@in_app
async def rules_accept(services: Services, *, as_json: bool) -> None:
    """Show what changed in rules and settings, and let it count: takes a yes and the approval PIN."""
    from firmly_mcp.checkout.policy.acceptance import RULES
    from firmly_mcp.checkout.policy.file import read_rules

    here, accepted, wallet = await _here(services), await services.accepted(), await services.vault()
    standing = await accepted.standing()
    written = read_rules(standing.declared[RULES])
    if not standing.unaccepted:
        needed = accepted.needs_something(standing)
        words = "Nothing changed since it was accepted." if needed else _FREE
        report(words, {"accepted": [], "needed": needed}, as_json=as_json)
        return
    if accepted.is_needed:
        await accepted.refuse_without_pin()
    with controlling_terminal("Accepting rules and settings") as terminal:
        terminal.writelines(f"{line}\n" for line in _acceptance_lines(accepted, standing))
        terminal.writelines(f"Look at this: {remark}\n" for remark in await here.remarks(written))
        is_accepted = await ask_choice(
            terminal,
            "Type accept to accept all of this, or no to leave it: ",
            lambda line: _ANSWERS.get(line.casefold()),
            again="That is neither accept nor no.",
            unanswered="No answer came. Nothing was accepted.",
        )
        if not is_accepted:
            raise NotAllowed("Nothing was accepted.")
        await run_as_person(wallet.pin, terminal, lambda proof: accepted.accept(standing, proof))
        terminal.write("Accepted.\n")
        if set(standing.unaccepted) - {RULES}:
            terminal.write("A server that runs already keeps the settings that it was started with: start it anew.\n")
    if as_json:
        print_json({"accepted": list(standing.unaccepted), "needed": True})


async def _here(services: Services) -> Here:
    """Return what the rules are compared with: wallet and journal, which are open."""
    from firmly_mcp.app import JOURNAL
    from firmly_mcp.checkout.remarks import Here

    return Here(services.settings, await services.vault(), services.settings.data_dir / JOURNAL)


def _here_read_only(settings: Settings) -> Here:
    """Return the same, without making anything and without a keyring that asks for its password."""
    import os
    from datetime import UTC, datetime

    from firmly_mcp.doctor.findings import Examined

    return Examined.of(settings, dict(os.environ), lambda: datetime.now(UTC)).here


async def _check(path: Path | None, here: Here | None, *, as_json: bool) -> None:
    """Print whether a rules file can be used, and what in it guards nothing; without `path`, the settings' own file."""
    from firmly_mcp.checkout.policy.file import read_rules
    from firmly_mcp.checkout.policy.rules import in_words
    from firmly_mcp.settings import ORDERS_BLOCKED, rules_text
    from firmly_mcp.settings_files import written_text

    if path is None:
        assert here is not None
        path, text = here.settings.rules_file, rules_text(here.settings)
    else:
        text = written_text(path, named_by="The command", consequence=ORDERS_BLOCKED) or ""
    written = read_rules(text)
    unread = ("Card labels and stores were not compared with yours: the settings cannot be read.",)
    remarks = unread if here is None else await here.remarks(written)
    exists = path.exists()
    if as_json:
        print_json({"file": str(path), "exists": exists, "usable": True, "remarks": remarks})
    else:
        click.echo(_check_result(path, remarks, exists=exists, is_empty=not list(in_words(written))))


def _check_result(path: Path, remarks: Sequence[str], *, exists: bool, is_empty: bool) -> str:
    if not exists:
        return f"There is no {path}, so every order asks a person."
    if is_empty:
        return f"{path}: no rules are written in it, so every order asks a person."
    listed = "".join(f"\n- {remark}" for remark in remarks)
    return f"{path}: can be read; look at this:{listed}" if remarks else f"{path}: ok."


def _settings_rows(
    standing: Standing, sources: Mapping[str, str], needs: Callable[[str, str], bool]
) -> Iterator[dict[str, str | None]]:
    from firmly_mcp.checkout.policy.acceptance import RULES

    for name, text in standing.declared.items():
        counts = _NOT_NEEDED if not needs(name, text) else "no" if name in standing.unaccepted else "yes"
        if name == RULES:
            value, source = "(see below)" if text else "(none)", sources.get("rules_file")
        else:
            value, source = visible(text) or "(not set)", sources.get(name)
        yield {"setting": name, "value": value, "said_by": source, "accepted": counts}


def _standing_remark(accepted: AcceptedSettings, standing: Standing, settings: Settings, *, is_empty: bool) -> str:
    first = f"No rules are written in {settings.rules_file}: every order asks a person." if is_empty else ""
    if standing.unaccepted:
        then = (
            f"Not accepted yet: {', '.join(standing.unaccepted)}. What is not accepted allows nothing, and pages that "
            f"are not accepted stay at this machine's own address: run `{accepted.accept_command}`."
        )
    else:
        then = "All of it was accepted." if accepted.is_needed else _FREE
    return "\n".join(filter(None, (first, then)))


def _acceptance_lines(accepted: AcceptedSettings, standing: Standing) -> Iterator[str]:
    yield f"=== {accepted.environment}: what will count once you accept it ==="
    if not accepted.is_needed:
        yield "No money moves here; only where pages ask for cards and PINs has to be accepted."
    yield "Lines with + are new, lines with - counted until now."
    if not standing.is_first and any(name not in standing.before for name in standing.unaccepted):
        yield "What was accepted before is not known any more where no - stands, so read those lines whole."
    yield ""
    yield from _difference(standing)
    yield ""


def _difference(standing: Standing) -> Iterator[str]:
    """Yield each setting and line of the rules: `+` will count, `-` counted before, the others stay."""
    from firmly_mcp.checkout.policy.acceptance import RULES

    settings = [name for name in standing.declared if name != RULES]
    width = max(map(len, settings))
    for name in settings:
        new = [f"{name:{width}}  {standing.declared[name] or '(not set)'}"]
        old = [f"{name:{width}}  {text or '(not set)'}" for text in _earlier(standing, name)]
        yield from changed_lines(old, new)
    yield ""
    old_rules = [line for text in _earlier(standing, RULES) for line in text.splitlines()]
    new_rules = standing.declared[RULES].splitlines() or ["(no rules: every order asks a person)"]
    yield from changed_lines(old_rules, new_rules)


def _earlier(standing: Standing, name: str) -> list[str]:
    """Return the text that counted until now; nothing if none did, or if it is not known."""
    if name not in standing.unaccepted:
        return [standing.declared[name]]
    return [standing.before[name]] if name in standing.before else []
