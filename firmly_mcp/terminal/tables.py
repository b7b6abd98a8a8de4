"""A list on stdout: a table for a person at a terminal, tab-separated lines for a pipe, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import click


def show(rows: Sequence[Mapping[str, str | None]], columns: Mapping[str, str], *, as_json: bool) -> None:
    """Print the rows. `columns` maps the fields that a table shows to their titles; JSON has all fields."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _show_table(rows, columns)
    else:
        for row in rows:
            click.echo("\t".join(row.get(field) or "" for field in columns))


def _show_table(rows: Sequence[Mapping[str, str | None]], columns: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # An id that is cut off cannot be typed.
    table = Table(*(Column(title, overflow="fold") for title in columns.values()))
    for row in rows:
        # Text: a label in square brackets is a label, not markup.
        table.add_row(*(Text(row.get(field) or "") for field in columns))
    Console().print(table)
