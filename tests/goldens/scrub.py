"""Replaces what differs from run to run by stable names: the first attempt's id becomes `att_1`, and so on.

Amounts, texts, codes and statuses stay as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_NUMBERED: Final = (
    ("jwe", r"eyJ[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+"),
    ("jwt", r"eyJ[\w-]+\.[\w-]+\.[\w-]+"),
    ("uuid", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    ("", r"(?<![a-z])(?P<prefix>[a-z]{1,12})_(?:[0-9a-f]{12,}|01[0-9A-Z]{24})\b"),
    ("order", r"\bSIM-\d{6}-[0-9A-F]{6}\b"),
    ("app", r"\bapp-[0-9a-f]{16}\b"),
    ("port", r"(?<=127\.0\.0\.1:)\d{4,5}\b|(?<=localhost:)\d{4,5}\b"),
    ("kid", r"\bsim-[0-9a-f]{12}\b"),
    ("hex", r"\b[0-9a-f]{16,}\b"),
    ("visit", r"(?<=/)[\w-]{43}(?=/)"),
    ("link", r"(?<=/open/)[\w-]{30,}"),
    # A ref begins with a tilde and a page of a search with `cursor=`; both are the same in every run.
    ("secret", r"(?<![\w~/+-])(?<!cursor=)(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,}(?![\w-])"),
)
_ALWAYS: Final = (
    ("(process <number>)", r"\(process \d+\)"),
    ("<space> MB free on <file system>", r"[\d,]+ MB free on [\w.]+"),
    # A connection that is reset shows itself in one way or another.
    ("<broken>", r"(?<=\()(?:RemoteProtocolError|ReadError|WriteError|ConnectError|CloseError)(?=\))"),
    ("journal <id>", r"(?<=, )journal [0-9a-f]{8}(?=, last)"),
    ("<software>", r"firmly-mcp \S+, mcp \S+, Python \S+ at \S+ on \w+ \w+"),
    # Where in the package a warning is written changes with the package's files.
    ("WARNING <module>:", r"WARNING firmly_mcp[\w.]*:"),
    ("<time>", r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"),
    ("<minute>", r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?"),
    ("<day> at <hour>", r"\b\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|"
     r"December) \d{4}(?:,| at) \d\d:\d\d"),
    ("<hour>", r"\b\d\d:\d\d(?= UTC)"),
    ("<http date>", r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"),
)  # fmt: skip
# The protocol's versions are no days of this run.
_DAY: Final = r"\b(?!2025-11-25|2026-07-28)20\d\d-\d\d-\d\d\b"


class Scrub:
    """One part's names. `literals` are texts that this run alone has, such as its directory."""

    def __init__(self, literals: Mapping[str, str] | None = None) -> None:
        python = Path(sys.executable).parent
        known = {**(literals or {}), str(ROOT): "<root>", str(python): "<bin>"}
        self._literals = sorted(known.items(), key=lambda pair: -len(pair[0]))
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        patterns = [*(pattern for _, pattern in _ALWAYS), _DAY, *(pattern for _, pattern in _NUMBERED)]
        self._any = re.compile("|".join(f"(?P<g{i}>{pattern})" for i, pattern in enumerate(patterns)))
        self._makers: list[Callable[[re.Match[str]], str]] = [
            *(_always(name) for name, _ in _ALWAYS),
            lambda match: self._numbered("day", match[0]),
            *(self._maker(kind) for kind, _ in _NUMBERED),
        ]

    def know(self, literal: str, name: str) -> None:
        """Replace this text too."""
        self._literals.append((literal, name))

    def __call__(self, text: str) -> str:
        """The text with stable names."""
        for literal, name in self._literals:
            text = text.replace(literal, name)
        return self._any.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        group = next(name for name, found in match.groupdict().items() if name != "prefix" and found is not None)
        return self._makers[int(group[1:])](match)

    def _maker(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda match: self._numbered(kind or match["prefix"], match[0])

    def _numbered(self, kind: str, found: str) -> str:
        if found not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[found] = f"{kind}_{self._counts[kind]}"
        return self._names[found]


def _always(name: str) -> Callable[[re.Match[str]], str]:
    return lambda _: name
