"""A list on stdout: a table for a person at a terminal, tab-separated lines for a pipe, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

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
