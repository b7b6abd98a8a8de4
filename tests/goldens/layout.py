"""How values stand in a record: JSON in the order that it came, short parts in one line."""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

_WIDTH: Final = 140


def laid_out(value: Any, indent: str = "") -> str:
    """JSON whose objects and lists take one line where they fit."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or len(indent) + len(flat) <= _WIDTH:
        return flat
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {laid_out(item, inner)}" for key, item in value.items()]
    else:
        parts = [laid_out(item, inner) for item in value]
    open_, close = "{}" if isinstance(value, dict) else "[]"
    return open_ + "".join(f"\n{inner}{part}," for part in parts)[:-1] + f"\n{indent}{close}"


def quoted(text: str) -> str:
    """A text of several lines, each behind a bar."""
    return "\n".join(f"| {line}".rstrip() for line in text.split("\n"))


def difference(base: str, text: str) -> str:
    """What differs from another record, with a line around it."""
    lines = difflib.unified_diff(base.splitlines(), text.splitlines(), lineterm="", n=2)
    shown = ["@@" if line.startswith("@@") else line for line in lines if not line.startswith(("---", "+++"))]
    return "\n".join(shown) + "\n"
