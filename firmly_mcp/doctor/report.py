"""The findings as a person, a pipe or a program reads them: a line each, coloured with ticks on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import click

from firmly_mcp.redaction import redact

from .findings import Finding, State

# Mark, the mark where a terminal cannot show it, and colour.
_SHOWN: Final[dict[State, tuple[str, str, str]]] = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
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
