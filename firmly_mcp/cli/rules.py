"""The spending rules: shown, checked, explained and accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from firmly_mcp.errors import NotAllowed, SettingsError

from .output import Amount, changed_lines, examples, give, json_option, show, tell, visible, with_services
from .prompt import answered, by_person, controlling_terminal, decided

if TYPE_CHECKING:
    from firmly_mcp.app import Services
    from firmly_mcp.checkout.policy.acceptance import AcceptedSettings, Standing
    from firmly_mcp.checkout.remarks import Here
    from firmly_mcp.settings import Settings
    from firmly_mcp.wallet.wallet import Wallet


@click.group(epilog=examples("firmly-mcp rules show", "firmly-mcp rules accept"))
def rules() -> None:
    """The spending rules, and the settings that count only once a person has accepted them."""


@rules.command("show", epilog=examples("firmly-mcp rules show", "firmly-mcp rules show --json"))
@json_option
def rules_show(*, as_json: bool) -> None:
    """Show the rules in words and the settings that move money: who said each, and whether it is accepted."""
    from firmly_mcp.settings import sources

    async def act(services: Services) -> None:
        await show_rules(await services.accepted(), await _here(services), sources(), as_json=as_json)

    with_services(act)


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
    from .explain import explain_order

    async def act(services: Services) -> None:
        accepted, placement, vault = await services.accepted(), await services.placement(), await services.vault()
        await explain_order(services.settings, accepted, placement, vault, order, as_json=as_json)

    with_services(act)


@rules.command("accept", epilog=examples("firmly-mcp rules accept"))
@json_option
def rules_accept(*, as_json: bool) -> None:
    """Show what changed in rules and settings, and let it count: takes a yes and the approval PIN."""

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
    from firmly_mcp.checkout.policy.acceptance import RULES
    from firmly_mcp.checkout.policy.file import read_rules
    from firmly_mcp.checkout.policy.rules import in_words

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
    from firmly_mcp.checkout.policy.file import read_rules
    from firmly_mcp.checkout.policy.rules import in_words
    from firmly_mcp.settings import ORDERS_BLOCKED, rules_text
    from firmly_mcp.settings_files import written_text

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
    from firmly_mcp.checkout.policy.acceptance import RULES
    from firmly_mcp.checkout.policy.file import read_rules

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
        terminal.writelines(f"{line}\n" for line in _acceptance_lines(accepted, standing))
        terminal.writelines(f"Look at this: {remark}\n" for remark in await here.remarks(rules))
        if not await answered(_DECISION, terminal):
            raise NotAllowed("Nothing was accepted.")
        await by_person(vault.pin, terminal, lambda proof: accepted.accept(standing, proof))
        terminal.write("Accepted.\n")
        if set(standing.unaccepted) - {RULES}:
            terminal.write("A server that runs already keeps the settings that it was started with: start it anew.\n")
    if as_json:
        give({"accepted": list(standing.unaccepted), "needed": True})


def _acceptance_lines(accepted: AcceptedSettings, standing: Standing) -> Iterator[str]:
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
    from firmly_mcp.checkout.policy.acceptance import RULES

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


def difference(standing: Standing) -> Iterator[str]:
    """Every setting and every line of the rules: `+` would count from now on, `-` counted before, the others stay."""
    from firmly_mcp.checkout.policy.acceptance import RULES

    settings = [name for name in standing.declared if name != RULES]
    width = max(map(len, settings))
    for name in settings:
        new = [f"{name:{width}}  {standing.declared[name] or '(not set)'}"]
        old = [f"{name:{width}}  {text or '(not set)'}" for text in _earlier(standing, name)]
        yield from changed_lines(old, new)
    yield ""
    old_rules = [line for text in _earlier(standing, RULES) for line in text.splitlines()]
    yield from changed_lines(
        old_rules, standing.declared[RULES].splitlines() or ["(no rules: every order asks a person)"]
    )


def is_partly_unknown(standing: Standing) -> bool:
    """Whether something was accepted before in words that are not known any more."""
    return not standing.is_first and any(name not in standing.before for name in standing.unaccepted)


def _earlier(standing: Standing, name: str) -> list[str]:
    """The text that counted until now; none where none did, or nobody knows which."""
    if name not in standing.unaccepted:
        return [standing.declared[name]]
    return [standing.before[name]] if name in standing.before else []
