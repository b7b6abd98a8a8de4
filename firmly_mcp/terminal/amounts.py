"""Whether what a person typed is the amount they were shown: equal amounts agree, whatever way they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from firmly_mcp.money import Money, minor_units

_SYMBOLS: Final = {"USD": ("US$", "$"), "EUR": ("€",), "GBP": ("£",), "JPY": ("¥", "円")}
# Marks that people and their keyboards set between thousands. A point or a comma may be one too.
_SPACES: Final = "' \u2019_"
_LONGEST: Final = 60


def is_amount(typed: str, total: Money) -> bool:
    """Whether a line is exactly this amount; its currency may stand before or after it, or be left out.

    A point or a comma is taken both for the decimal mark and for one between thousands. Where the two are different
    amounts of the currency, the line is not taken for either.
    """
    line = unicodedata.normalize("NFKC", typed).strip()
    if line == total.plain:
        return True
    if len(line) > _LONGEST or not line.isprintable():
        return False
    return set(_readings(_without_currency(line, total.currency), total.currency)) == {total.amount}


def _without_currency(line: str, currency: str) -> str:
    """The line without the currency's names at its ends."""
    for name in (currency, *_SYMBOLS.get(currency, ())):
        if line.upper().startswith(name):
            line = line[len(name) :].strip()
        elif line.upper().endswith(name):
            line = line[: -len(name)].strip()
    return line


def _readings(digits: str, currency: str) -> Iterator[Decimal]:
    for decimal_mark, thousands in ((".", f",{_SPACES}"), (",", f".{_SPACES}")):
        fraction = rf"(?:{re.escape(decimal_mark)}(?P<fraction>[0-9]{{0,{minor_units(currency)}}}))?"
        for mark in thousands:
            grouped = rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+"
            found = re.fullmatch(rf"(?P<whole>{grouped}|[0-9]{{1,15}}){fraction}", digits)
            if found is not None:
                whole = "".join(filter(str.isdigit, found["whole"]))
                yield Decimal(f"{whole}.{found['fraction'] or '0'}")
