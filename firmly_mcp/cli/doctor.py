"""What is wrong and the fix: a line for each check, with coloured marks on a terminal."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.redaction import redact

from .output import examples, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firmly_mcp.doctor.findings import Finding, State

# Mark, the mark for a terminal that cannot show it, and colour.
_MARKS: Final[dict[State, tuple[str, str, str]]] = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
}


@click.command(epilog=examples("firmly-mcp doctor", "firmly-mcp doctor --offline", "firmly-mcp doctor --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: check, state, says and fix of each line.")
@click.option("--offline", is_flag=True, help="Ask nothing of Firmly's hosts.")
def doctor(*, as_json: bool, offline: bool) -> None:
    """Say of each thing that shopping needs whether it is well, and the fix where it is not.

    It looks and changes nothing: only a probe goes into the keyring and out again. The exit code is 1 if anything is
    wrong; what only wants a look does not count.
    """
    findings = _examine(offline=offline)
    _show(findings, as_json=as_json)
    sys.exit(1 if any(finding.state == "failed" for finding in findings) else 0)


def _examine(*, offline: bool) -> Sequence[Finding]:
    from datetime import UTC, datetime

    import anyio

    from firmly_mcp.doctor.checks import examine, without_settings
    from firmly_mcp.doctor.findings import Examined
    from firmly_mcp.errors import SettingsError
    from firmly_mcp.settings import read_settings

    # The wallet may set the bus's variable for this process.
    environ = dict(os.environ)
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        return list(
            without_settings(error.message, "Correct the variable or config.toml; docs/reference.md lists them.")
        )

    async def run() -> Sequence[Finding]:
        return await examine(Examined.of(settings, environ, lambda: datetime.now(UTC)), offline=offline)

    return anyio.run(run)


def _show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print the findings; their sum goes to stderr."""
    redacted = [{name: redact(text) for name, text in asdict(finding).items()} for finding in findings]
    if as_json:
        print_json(redacted, indent=2)
        return
    if sys.stdout.isatty():
        _show_lines(redacted)
    else:
        for row in redacted:
            fix = f"\tfix: {row['fix']}" if row["fix"] else ""
            click.echo(f"{row['state']}\t{row['check']}\t{row['says']}{fix}")
    click.echo(_summary(findings), err=True)


def _show_lines(rows: Sequence[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(len(row["check"]) for row in rows)
    for row in rows:
        mark, plain, colour = next(marks for state, marks in _MARKS.items() if state == row["state"])
        line = Text.assemble((plain if console.options.ascii_only else mark, colour), f" {row['check']:{width}}  ")
        print_line(console, line.append(row["says"]))
        if row["fix"]:
            print_line(console, Text.assemble("    fix: ", (row["fix"], "bold")))


def _summary(findings: Sequence[Finding]) -> str:
    count = {state: sum(finding.state == state for finding in findings) for state in ("failed", "warning")}
    if not any(count.values()):
        return "Nothing is wrong."
    wrong = "Nothing fails" if not count["failed"] else f"{count['failed']} wrong"
    look = f"; {count['warning']} to look at" if count["warning"] else ""
    return f"{wrong}{look}."
