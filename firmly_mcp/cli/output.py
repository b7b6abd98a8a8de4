"""A list on stdout: a table for a person at a terminal, tab-separated lines for a pipe, JSON where it is asked for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from firmly_mcp.errors import FirmlyError
from firmly_mcp.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.pages.saving import Saving
    from firmly_mcp.pages.server import Pages
    from firmly_mcp.wallet.wallet import Wallet

Row = Mapping[str, str | bool | None]

_NONE: Final[Mapping[str, str]] = {}


def default_mark(label: str, default: str | None, *, as_json: bool) -> str | bool:
    """Whether this label is the default one: a truth value for JSON, a word for a table."""
    is_default = label == default
    return is_default if as_json else "yes" if is_default else ""


def meant_now(kind: str, labels: Sequence[str], meant: str | None, *, was_meant: str | None) -> str:
    """What is meant without a label after a removal, where that changed; `kind` is `card` or `address`."""
    if meant == was_meant or not labels:
        return ""
    if meant is not None:
        return f" An order that names no {kind} means {meant} now."
    command = {"card": "cards", "address": "addresses"}[kind]
    return (
        f" It was the default one. An order has to name its {kind} until you run `firmly-mcp {command} default LABEL`."
    )


def show(
    rows: Sequence[Row],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    colours: Mapping[str, str] = _NONE,
) -> None:
    """Print the rows. `columns` maps the fields that a table shows to their titles; JSON has all fields.

    `colours` are those of single words, for a terminal that has colours and a person who set no NO_COLOR.
    """
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _show_table(rows, columns, colours)
    else:
        for row in rows:
            click.echo("\t".join(_words(row, columns)))


def _show_table(rows: Sequence[Row], columns: Mapping[str, str], colours: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # An id that is cut off cannot be typed.
    table = Table(*(Column(title, overflow="fold") for title in columns.values()), header_style="bold cyan")
    for row in rows:
        words = _words(row, columns)
        # Text: a label in square brackets is a label, not markup.
        table.add_row(*(Text(word, style=colours.get(word, "")) for word in words))
    Console().print(table)


def _words(row: Row, columns: Mapping[str, str]) -> list[str]:
    return [str(row.get(field) or "") for field in columns]


# What a command did: a sentence on stderr for a person, or one JSON object on stdout for a program.


def tell(words: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say it in words; or give the facts, where JSON was asked for."""
    if as_json:
        give(facts)
    else:
        click.echo(words, err=True)


def give(facts: Mapping[str, Any]) -> None:
    """Give a program the facts of what was done."""
    click.echo(json.dumps(facts, ensure_ascii=False))


# A progress bar on stderr while something long goes on, for a person at a terminal and for nobody else.

Told = Callable[[int, int], None]


@contextmanager
def progress_bar(words: str) -> Iterator[Told | None]:
    """What to tell how many are done of how many; None where nobody would see it. One alone needs no bar."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task(words, total=None)

    def told(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if total > 1:
            bar.start()

    try:
        yield told
    finally:
        bar.stop()


# What every subcommand has alike: `--json`, examples under its help, and the way it says what went wrong.

_JSON: Final = "--json"

json_option = click.option(_JSON, "as_json", is_flag=True, help="Print JSON.")


def examples(*lines: str) -> str:
    """The end of a command's help: lines that run as they stand."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a program reads what comes of these arguments, be they right or wrong."""
    return _JSON in arguments


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, and the exit code that says so."""

    code: str
    message: str
    next: str | None
    exit_code: int
    facts: dict[str, Any] = field(default_factory=dict)


INTERRUPTED: Final = Problem("interrupted", "Interrupted.", None, 130)


def problem_of(error: FirmlyError) -> Problem:
    """An error of ours."""
    facts = {"money_moved": error.money_moved, "retry_safe": error.retry_safe, "known": list(error.known)}
    return Problem(error.code, error.message, error.next, 1, {name: fact for name, fact in facts.items() if fact != []})


def wrong_usage(wrong: click.ClickException) -> Problem:
    """What click found wrong with the arguments; the fix is the help of the command that they were for."""
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    help_command = f"{context.command_path} --help" if context is not None else None
    return Problem("usage", " ".join(wrong.format_message().split()), help_command, wrong.exit_code)


def end_with(problem: Problem, *, as_json: bool) -> None:
    """Say what went wrong on stderr, and end the program."""
    hint = {"next": problem.next} if problem.next else {}
    if as_json:
        said = {"code": problem.code, "message": problem.message, **hint, **problem.facts}
        text = json.dumps({"error": said}, ensure_ascii=False)
    else:
        text = f"firmly-mcp: {problem.message}" + "".join(f"\n  next: {fix}" for fix in hint.values())
    click.echo(redact(text), err=True)
    sys.exit(problem.exit_code)


# What subcommands share: the rooms, opened for one act and closed after it; and amounts as arguments.

T = TypeVar("T")

# Digits alone: no sign, no exponent, and no more digits than a price has.
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)


class Amount(click.ParamType[Decimal]):
    """An amount of money in major units, such as 53.40."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read it; what is no amount is wrong usage."""
        if not _AMOUNT.fullmatch(str(value)):
            self.fail("is no amount; write it like 53.40", param, ctx)
        return Decimal(str(value))


def with_placement(act: Callable[[Checkout], Awaitable[T]]) -> T:
    """Open the rooms that orders need, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.placement())

    return with_services(in_rooms)


def with_vault(act: Callable[[Wallet], Awaitable[T]]) -> T:
    """Open the wallet, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.vault())

    return with_services(in_rooms)


def with_services(act: Callable[[Services], Awaitable[T]]) -> T:
    """Have the rooms at hand, act, close what was opened."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.settings import read_settings

    async def run() -> T:
        async with open_services(read_settings()) as services:
            return await act(services)

    return anyio.run(run)


def in_browser(form_of: Callable[[Pages], Awaitable[Saving]], *, from_stdin: bool, as_json: bool) -> None:
    """Open a page, and wait until the person has filled it in."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.pages.server import fill_in_browser
    from firmly_mcp.settings import read_settings

    if from_stdin:
        raise click.UsageError("Choose one of --stdin and --browser.")
    settings = read_settings()

    async def run() -> None:
        async with open_services(settings) as services:
            form = await form_of(await services.pages())
            await fill_in_browser(form, may_open=settings.open_pages)
            tell(f"The {form.kind} is saved.", {"saved": form.kind}, as_json=as_json)

    anyio.run(run)


def changed_lines(old: list[str], new: list[str]) -> Iterator[str]:
    """The lines of both: `+` before those that are new, `-` before those that go, blanks before those that stay."""
    for same, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if same == "equal":
            yield from (f"  {visible(line)}" for line in new[new_from:new_to])
        else:
            yield from (f"- {visible(line)}" for line in old[old_from:old_to])
            yield from (f"+ {visible(line)}" for line in new[new_from:new_to])


def visible(line: str) -> str:
    """The line with whatever a terminal would not show, or would obey, written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
