"""The documents of the project: where they are, and what tests read in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "firmly_mcp" / "docs"
DOCUMENTS: Final = (ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((ROOT / ".github").glob("*.md")))

_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")


def subcommand(group: click.Group, name: str) -> click.Command:
    """Return the command of this name as a call gets it, with its module loaded."""
    found = group.resolve_command(click.Context(group), [name])[1]
    assert found is not None
    return found


def text_of(path: Path) -> str:
    """Return a document's text."""
    return path.read_text("utf-8")


def examples(path: Path, language: str) -> list[str]:
    """Return what stands in the document's fences of this language."""
    return [block for kind, block in _FENCE.findall(text_of(path)) if kind == language]


def commands(path: Path) -> list[str]:
    """Return the lines that a reader runs in a shell."""
    return [line.strip() for block in examples(path, "sh") for line in block.splitlines()]


def code_in_prose(path: Path) -> list[str]:
    """Return what stands between single backticks, outside of fences."""
    return _CODE.findall(_FENCE.sub("", text_of(path)))


def links(path: Path) -> list[str]:
    """Return where the document's links lead, pictures included."""
    return _LINK.findall(_FENCE.sub("", text_of(path)))


def anchors(path: Path) -> set[str]:
    """Return the fragments of the document's headings, as GitHub makes them."""
    return set(_slugs(_FENCE.sub("", text_of(path))))


def _slugs(text: str) -> Iterator[str]:
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
