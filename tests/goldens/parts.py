"""The parts of the record, each made by itself and kept in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from . import answers, fixed
from .layout import difference
from .shopping import Era, Transport, every_tool, shopping

RECORDED: Final = Path(__file__).parent / "recorded"
# What another transport or era says is kept as its difference from this part.
BASE: Final = "tools_stdio_2026"


def _beside(transport: Transport, era: Era) -> str:
    return difference((RECORDED / f"{BASE}.txt").read_text("utf-8"), every_tool(transport, era))


PARTS: Final[dict[str, Callable[[], str]]] = {
    "definitions": fixed.definitions,
    "help": fixed.helps,
    "readme": fixed.readme,
    "errors": fixed.error_tree,
    "shopping": shopping,
    BASE: partial(every_tool, "stdio", "auto"),
    "tools_stdio_2025": partial(_beside, "stdio", "legacy"),
    "tools_http_2026": partial(_beside, "http", "auto"),
    "tools_http_2025": partial(_beside, "http", "legacy"),
    "refusals": answers.refusals,
    "progress_stdio_2026": partial(answers.progress, "stdio", "auto"),
    "progress_http_2025": partial(answers.progress, "http", "legacy"),
}


def record(name: str) -> None:
    """Write a part anew."""
    RECORDED.mkdir(exist_ok=True)
    _file(name).write_text(PARTS[name](), "utf-8")


def check(name: str) -> str:
    """What differs from the record of a part; nothing where it is the same."""
    recorded, found = _file(name).read_text("utf-8"), PARTS[name]()
    return "" if recorded == found else difference(recorded, found)


def chosen(names: list[str]) -> Iterator[str]:
    """The named parts in the order of the table, or all."""
    unknown = set(names) - set(PARTS)
    if unknown:
        raise SystemExit(f"There is no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return (name for name in PARTS if not names or name in names)


def _file(name: str) -> Path:
    return RECORDED / f"{name}.txt"
