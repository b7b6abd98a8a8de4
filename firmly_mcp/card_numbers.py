"""What a card number looks like, so that one can be refused or hidden wherever it turns up. This module holds none.

A number counts only with a brand's prefix, that brand's length and a Luhn digit: a shop's own numbers (a 14-digit
variant id, a 13-digit EAN) must pass.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "[card number]"


@dataclass(frozen=True, slots=True)
class Brand:
    """A card brand: its name, the ranges its numbers begin with, their lengths, and its security code's length."""

    name: str
    prefixes: tuple[tuple[int, int], ...]
    lengths: frozenset[int]
    code_length: int = 3


# Prefix ranges and lengths of ISO/IEC 7812 issuers, as the brands publish them. The first match names the brand.
BRANDS: Final = (
    Brand("visa", ((4, 4),), frozenset({16, 19})),
    Brand("mastercard", ((51, 55), (2221, 2720)), frozenset({16})),
    Brand("amex", ((34, 34), (37, 37)), frozenset({15}), code_length=4),
    Brand("discover", ((6011, 6011), (644, 649), (65, 65)), frozenset({16, 19})),
    Brand("diners", ((300, 305), (36, 36), (38, 39)), frozenset({14})),
    Brand("jcb", ((3528, 3589),), frozenset({16, 17, 18, 19})),
    Brand("unionpay", ((62, 62),), frozenset({16, 17, 18, 19})),
)

# Digits in a row, or in groups set apart by one space, dash, dot or the like, as people write them.
_DIGIT_RUN: Final = re.compile(r"\d(?:[ \t._/\u00a0\u2007\u202f\u2010-\u2015-]{0,2}\d){12,}")


def brand_of(digits: str) -> Brand | None:
    """The brand whose prefix and length these digits have, or None."""
    return next((brand for brand in BRANDS if len(digits) in brand.lengths and _begins(digits, brand)), None)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    from stdnum import luhn

    return bool(luhn.is_valid(digits))


def is_card_number(digits: str) -> bool:
    """Whether these digits, and nothing else, could be charged."""
    return brand_of(digits) is not None and passes_luhn(digits)


def holds_card_number(value: object) -> bool:
    """Whether a card number stands anywhere in a JSON value: in text, as a number, in a list or object, or as a key."""
    return any(_spans(text) for text in _texts(value))


def hide_card_numbers(text: str) -> str:
    """The text with every card number in it replaced."""
    folded = _fold(text)
    for start, end in reversed(_spans(folded)):
        folded = folded[:start] + HIDDEN + folded[end:]
    return folded if HIDDEN in folded else text


def _begins(digits: str, brand: Brand) -> bool:
    return any(low <= int(digits[: len(str(low))]) <= high for low, high in brand.prefixes)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield _fold(value)
    elif isinstance(value, Mapping):
        yield from (text for pair in value.items() for part in pair for text in _texts(part))
    elif isinstance(value, Iterable):
        yield from (text for part in value for text in _texts(part))
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _fold(text: str) -> str:
    """Digits of every script and width as ASCII, one for one, and nothing invisible between them."""
    return "".join(_ascii_digit(character) for character in text if unicodedata.category(character) != "Cf")


def _ascii_digit(character: str) -> str:
    return str(unicodedata.digit(character)) if character.isdigit() and not character.isascii() else character


def _spans(text: str) -> list[tuple[int, int]]:
    """Where card numbers stand. A longer run is searched for one within it, so that a prefix does not hide it."""
    return [span for run in _DIGIT_RUN.finditer(text) for span in _spans_in(run)]


def _spans_in(run: re.Match[str]) -> list[tuple[int, int]]:
    at = [run.start() + offset for offset, character in enumerate(run.group()) if character.isdigit()]
    digits = "".join(character for character in run.group() if character.isdigit())
    spans: list[tuple[int, int]] = []
    first = 0
    while first < len(digits):
        longest = min(19, len(digits) - first)
        lengths = (n for n in range(longest, 13, -1) if _stands_alone(run.group(), at, run.start(), first, n))
        length = next((n for n in lengths if is_card_number(digits[first : first + n])), 0)
        if length:
            spans.append((at[first], at[first + length - 1] + 1))
        first += length or 1
    return spans


def _stands_alone(run: str, at: list[int], offset: int, first: int, length: int) -> bool:
    """Whether the digits are not a slice out of one longer unbroken number, such as a tracking number."""
    before, after = at[first] - offset - 1, at[first + length - 1] - offset + 1
    return (before < 0 or not run[before].isdigit()) and (after >= len(run) or not run[after].isdigit())
