"""What every command shares: options, the app that it runs in, tables, JSON, progress, and errors with exit codes.

Standard output holds what a command gives, and nothing else. Sentences go to stderr; an error is one line with the fix
below it, or one JSON object.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from firmly_mcp.errors import FirmlyError
from firmly_mcp.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rich.console import Console
    from rich.text import Text

    from firmly_mcp.app import Services
    from firmly_mcp.pages.saving import Saving
    from firmly_mcp.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")
Row = Mapping[str, str | bool | None]

_JSON: Final = "--json"
_NO_COLOURS: Final[Mapping[str, str]] = {}
# Digits alone: no sign, no exponent, and no more digits than a price has.
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)

json_option = click.option(_JSON, "as_json", is_flag=True, help="Print JSON.")


def examples(*lines: str) -> str:
    """Return the end of a command's help: lines that run as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class Amount(click.ParamType[Decimal]):
    """An amount of money in major units, such as 53.40."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Parse the amount; any other text is wrong usage."""
        if not _AMOUNT.fullmatch(str(value)):
            self.fail("is no amount; write it like 53.40", param, ctx)
        return Decimal(str(value))


# The app: opened for one command, closed after it.


def run_in_app(act: Callable[[Services], Awaitable[T]], settings: Settings | None = None) -> T:
    """Open the app, with the settings in force or these, run the act, close what the act opened."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.settings import read_settings

    async def run() -> T:
        async with open_services(settings or read_settings()) as services:
            return await act(services)

    return anyio.run(run)


def in_app(act: Callable[Concatenate[Services, P], Awaitable[T]]) -> Callable[P, T]:
    """Turn an act that takes the app into the function of a command."""

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_in_app(lambda services: act(services, *args, **kwargs))

    return run


def refuse_both(*, from_stdin: bool, browser: bool) -> None:
    """Refuse two ways to give the same values."""
    if from_stdin and browser:
        raise click.UsageError("Choose one of --stdin and --browser.")


async def fill_page(services: Services, form: Saving, *, as_json: bool) -> None:
    """Open a page and wait until the person has saved it."""
    from firmly_mcp.pages.server import fill_in_browser

    await fill_in_browser(form, may_open=services.settings.open_pages)
    report(f"The {form.kind} is saved.", {"saved": form.kind}, as_json=as_json)


# Results: a table for a person at a terminal, tab-separated lines for a pipe, JSON on request.


def report(words: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what was done: a sentence on stderr, or the facts as JSON."""
    if as_json:
        print_json(facts)
    else:
        click.echo(words, err=True)


def print_json(facts: object, *, indent: int | None = None) -> None:
    """Print JSON on standard output."""
    click.echo(json.dumps(facts, ensure_ascii=False, indent=indent))


def show(
    rows: Sequence[Row], columns: Mapping[str, str], *, as_json: bool, colours: Mapping[str, str] = _NO_COLOURS
) -> None:
    """Print the rows. `columns` maps the fields of a table to their titles; JSON has all fields.

    `colours` maps cells to styles. A terminal without colours, or NO_COLOR, leaves them out.
    """
    if as_json:
        print_json(rows, indent=2)
    elif sys.stdout.isatty():
        _show_table(rows, columns, colours)
    else:
        for row in rows:
            click.echo("\t".join(_cells(row, columns)))


def _show_table(rows: Sequence[Row], columns: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Print a table as wide as the terminal; a cell that is wider than its column continues below."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # An id that is cut off cannot be typed.
    table = Table(*(Column(title, overflow="fold") for title in columns.values()), header_style="bold cyan")
    for row in rows:
        # Text: a label in square brackets is a label, not markup.
        table.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in _cells(row, columns)))
    Console().print(table)


def _cells(row: Row, columns: Mapping[str, str]) -> list[str]:
    return [str(row.get(field) or "") for field in columns]


def print_line(console: Console, line: str | Text) -> None:
    """Print a line of markup or text without breaks: a command that only the terminal wraps is copied whole."""
    console.print(line, soft_wrap=True)


def default_mark(label: str, default: str | None, *, as_json: bool) -> str | bool:
    """Return whether this label is the default: a boolean for JSON, a word for a table."""
    is_default = label == default
    return is_default if as_json else "yes" if is_default else ""


def default_note(kind: str, labels: Sequence[str], default: str | None, *, before: str | None) -> str:
    """Return a sentence on the default after a removal, if it changed; `kind` is `card` or `address`."""
    if default == before or not labels:
        return ""
    if default is not None:
        return f" An order that names no {kind} means {default} now."
    command = {"card": "cards", "address": "addresses"}[kind]
    return (
        f" It was the default one. An order has to name its {kind} until you run `firmly-mcp {command} default LABEL`."
    )


def changed_lines(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield the lines of both: `+` before added lines, `-` before removed lines, blanks before the others."""
    for same, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if same == "equal":
            yield from (f"  {visible(line)}" for line in new[new_from:new_to])
        else:
            yield from (f"- {visible(line)}" for line in old[old_from:old_to])
            yield from (f"+ {visible(line)}" for line in new[new_from:new_to])


def visible(line: str) -> str:
    """Escape every character that a terminal would not show, or would obey."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


@contextmanager
def progress_bar(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes how many of how many are done; None if stderr is no terminal. One has no bar."""
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

    def update(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if total > 1:
            bar.start()

    try:
        yield update
    finally:
        bar.stop()


# Errors.


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether the arguments, right or wrong, ask for JSON."""
    return _JSON in arguments


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is printed, with the exit code."""

    code: str
    message: str
    next: str | None
    exit_code: int
    facts: dict[str, Any] = field(default_factory=dict)


INTERRUPTED: Final = Problem("interrupted", "Interrupted.", None, 130)


def problem_of(error: FirmlyError) -> Problem:
    """Return one of our errors as a problem."""
    facts = {"money_moved": error.money_moved, "retry_safe": error.retry_safe, "known": list(error.known)}
    return Problem(error.code, error.message, error.next, 1, {name: fact for name, fact in facts.items() if fact != []})


def wrong_usage(wrong: click.ClickException) -> Problem:
    """Return click's error as a problem; the fix is the help of the command that the arguments were for."""
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    help_command = f"{context.command_path} --help" if context is not None else None
    return Problem("usage", " ".join(wrong.format_message().split()), help_command, wrong.exit_code)


def end_with(problem: Problem, *, as_json: bool) -> None:
    """Print the problem on stderr and end the program."""
    hint = {"next": problem.next} if problem.next else {}
    if as_json:
        error = {"code": problem.code, "message": problem.message, **hint, **problem.facts}
        text = json.dumps({"error": error}, ensure_ascii=False)
    else:
        text = f"firmly-mcp: {problem.message}" + "".join(f"\n  next: {fix}" for fix in hint.values())
    click.echo(redact(text), err=True)
    sys.exit(problem.exit_code)
