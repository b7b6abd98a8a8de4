"""What every subcommand has alike: `--json`, examples under its help, and the way it says what went wrong.

What went wrong is one line on stderr with the fix below it; where JSON was asked for, it is one JSON object there.
Standard output then holds what the command gives, and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import click

from firmly_mcp.errors import FirmlyError
from firmly_mcp.redaction import redact

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
