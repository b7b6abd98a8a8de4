"""A table set or removed in a TOML text: appended as lines, changed in place by tomlkit, removed as lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .jsonc import Malformed

_HEADER: Final = re.compile(r"[ \t]*\[")
_LINE_IN_MESSAGE: Final = re.compile(r"\(at line (\d+), column \d+\)")


def plain(text: str) -> dict[str, Any]:
    """What the text says.

    Raises:
        Malformed: it is no TOML, with the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE_IN_MESSAGE.search(str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise Malformed(line, str(error).partition(" (at ")[0]) from None


def with_table(text: str, path: Sequence[str], values: Mapping[str, Any]) -> str:
    """The text with a new table at its end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    appended = f"{_gap(text, newline)}{table_text(path, values).replace(chr(10), newline)}"
    try:
        tomllib.loads(text + appended)
    except tomllib.TOMLDecodeError:
        # The tables stand in braces on one line: the new one has to be put between them.
        return with_values(text, path, values)
    return text + appended


def with_values(text: str, path: Sequence[str], values: Mapping[str, Any]) -> str:
    """The text with these values in the table of this path, each in its place; what the table says besides stays."""
    import tomlkit
    from tomlkit.items import Table

    document = tomlkit.parse(text)
    table: Any = document
    for name in path:
        if name not in table:
            table[name] = tomlkit.table() if isinstance(table, Table) or table is document else tomlkit.inline_table()
        table = table[name]
    for name, value in values.items():
        if table.get(name) != value:
            table[name] = _item(value)
    changed = tomlkit.dumps(document)
    return re.sub(r"\r?\n", "\r\n", changed) if "\r\n" in text else changed


def without_table(text: str, path: Sequence[str]) -> str:
    """The text without the table of this path and its own tables. Comments after its last value stay."""
    lines = text.split("\n")
    ours = re.compile(rf"[ \t]*\[[ \t]*{_dotted(path)}[ \t]*(?:\.[^\]]*)?\][ \t]*(?:#.*)?\r?")
    starts = [place for place, line in enumerate(lines) if ours.fullmatch(line)]
    if not starts:
        return _without_value(text, path)
    for start in reversed(starts):
        end = next((at for at in range(start + 1, len(lines)) if _HEADER.match(lines[at])), len(lines))
        while end > start + 1 and _is_blank_or_comment(lines[end - 1]):
            end -= 1
        stands_alone = start > 0 and not lines[start - 1].strip() and (end == len(lines) or not lines[end].strip())
        del lines[start - 1 if stands_alone else start : end]
    return "\n".join(lines)


def _without_value(text: str, path: Sequence[str]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document
    for name in path[:-1]:
        table = table.get(name, {})
    if path[-1] not in table:
        return text
    del table[path[-1]]
    return tomlkit.dumps(document)


def table_text(path: Sequence[str], values: Mapping[str, Any]) -> str:
    """A table of its own, as lines."""
    written = (f"{name} = {_item(value).as_string()}\n" for name, value in values.items())
    return f"[{'.'.join(path)}]\n{''.join(written)}"


def _item(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return tomlkit.item(value)


def _gap(text: str, newline: str) -> str:
    """What ends the last line, and an empty one, where there are lines."""
    if not text.strip():
        return ""
    end = "" if text.endswith("\n") else newline
    return end if (text + end).endswith((newline * 2, "\n\n")) else end + newline


def _dotted(path: Sequence[str]) -> str:
    return r"[ \t]*\.[ \t]*".join(rf"([\"']?){re.escape(name)}\{place}" for place, name in enumerate(path, 1))


def _is_blank_or_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
