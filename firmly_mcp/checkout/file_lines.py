"""On which line of a TOML text a key is written, for messages; the parser itself tells only of errors of form."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, counted from 1, of a key, or of the nearest table around it that is written; None without one."""
    best, line = 0, None
    for number, written in _keys(text):
        shared = _shared(written, path)
        # A deeper place is nearer; of two as deep, the key itself before one that merely lies beside it.
        if shared > best and (shared == len(written) or shared == len(path)):
            best, line = shared, number
    return line


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that begins a table or gives a key, and the key's full path."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _path(stripped) or table
            yield number, table
        elif "=" in stripped and (key := _path(stripped.split("=", 1)[0] + "= 0")):
            yield number, [*table, *key]


def _path(line: str) -> list[str]:
    """The names in a table's header or a lone key; empty for what is neither, such as a line inside a text."""
    try:
        found: Any = tomllib.loads(line)
    except ValueError:
        return []
    names: list[str] = []
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        names.append(name)
    return names


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
