"""What is wrong and the fix."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.redaction import redact

from .output import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firmly_mcp.doctor.findings import Finding, State


@click.command(epilog=examples("firmly-mcp doctor", "firmly-mcp doctor --offline", "firmly-mcp doctor --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: check, state, says and fix of each line.")
@click.option("--offline", is_flag=True, help="Ask nothing of Firmly's hosts.")
def doctor(*, as_json: bool, offline: bool) -> None:
    """Say of each thing that shopping needs whether it is well, and the fix where it is not.

    It looks and changes nothing: only a probe goes into the keyring and out again. The exit code is 1 if anything is
    wrong; what only wants a look does not count.
    """
    findings = _found(offline=offline)
    show_findings(findings, as_json=as_json)
    sys.exit(1 if any(finding.state == "failed" for finding in findings) else 0)


def _found(*, offline: bool) -> Sequence[Finding]:
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


# The findings as a person, a pipe or a program reads them: a line each, coloured with ticks on a terminal only.

# Mark, the mark where a terminal cannot show it, and colour.
_SHOWN: Final[dict[State, tuple[str, str, str]]] = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
}


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print them; what they come to goes to stderr."""
    redacted = [{name: redact(text) for name, text in asdict(finding).items()} for finding in findings]
    if as_json:
        click.echo(json.dumps(redacted, ensure_ascii=False, indent=2))
        return
    if sys.stdout.isatty():
        _show_lines(redacted)
    else:
        for row in redacted:
            fix = f"\tfix: {row['fix']}" if row["fix"] else ""
            click.echo(f"{row['state']}\t{row['check']}\t{row['says']}{fix}")
    click.echo(_sum(findings), err=True)


def _show_lines(rows: Sequence[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(len(row["check"]) for row in rows)
    for row in rows:
        mark, plain, colour = next(shown for state, shown in _SHOWN.items() if state == row["state"])
        line = Text.assemble((plain if console.options.ascii_only else mark, colour), f" {row['check']:{width}}  ")
        # A command that the terminal itself breaks can be copied whole.
        console.print(line.append(row["says"]), soft_wrap=True)
        if row["fix"]:
            console.print(Text.assemble("    fix: ", (row["fix"], "bold")), soft_wrap=True)


def _sum(findings: Sequence[Finding]) -> str:
    count = {state: sum(finding.state == state for finding in findings) for state in ("failed", "warning")}
    if not any(count.values()):
        return "Nothing is wrong."
    wrong = "Nothing fails" if not count["failed"] else f"{count['failed']} wrong"
    look = f"; {count['warning']} to look at" if count["warning"] else ""
    return f"{wrong}{look}."
