"""What a person types to be read by people: one line, printable, of bounded length."""

from __future__ import annotations

import unicodedata
from typing import Final

LABEL_LENGTH: Final = 40
# Control, format (zero-width, bidirectional), surrogate, private, unassigned; line and paragraph separators.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# A year, a flat, the last four of a card: fine. More could be most of a card number.
_LABEL_DIGITS: Final = 6


def one_line(text: str) -> str:
    """The text in one Unicode form, with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_printable(text: str) -> bool:
    """No control, invisible, bidirectional, private or unassigned character, and no line break."""
    return all(unicodedata.category(character) not in _UNPRINTABLE for character in text)


def label_problem(typed: str) -> str | None:
    """Why this cannot name a card or an address; None when it can. Never holds the label: it may be a card number."""
    label = one_line(typed)
    if not label:
        return "A label is missing: a short name such as Visa or Home."
    if len(label) > LABEL_LENGTH:
        return f"A label has at most {LABEL_LENGTH} characters."
    if not is_printable(typed):
        return "A label has only printable characters."
    if sum(character.isdigit() for character in label) > _LABEL_DIGITS:
        return f"A label has at most {_LABEL_DIGITS} digits: it is shown, and must not hold a card number."
    return None


def label_key(label: str) -> str:
    """What two spellings of one label share: labels are told apart without regard to upper and lower case."""
    return one_line(label).casefold()
