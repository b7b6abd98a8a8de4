"""Text from stores is data: what leaves here has no control, invisible or bidirectional characters, and is bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Final

# Cc control, Cf format (zero-width, bidirectional, tags), Cs surrogates, Co private use, Cn unassigned.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# What is drawn as nothing although its category says letter, mark or symbol: fillers, joiners, variation selectors.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc\U0001d159"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
# Some scripts stack three marks on a letter; no word needs more.
_MOST_MARKS: Final = 3
# A quotation mark in a text is mostly inches.
_INNER_QUOTES: Final = str.maketrans({'"': "\u2033", "\uff02": "\u2033"})
_PLAIN_WORD: Final = re.compile(r"[^\s\"\uff02()\[\],;]+")
_TAG: Final = re.compile("<[^<>]*>")
# Read at most this many times the limit: a megabyte of text is not searched for its last word.
_READ_AHEAD: Final = 16


def clean(text: str | None, limit: int = 200) -> str:
    """One line of plain text of at most `limit` characters; a cut is shown by an ellipsis."""
    if not text:
        return ""
    head = text[: limit * _READ_AHEAD]
    line = " ".join((head if is_plain(head) else "".join(_seen(head))).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clean_markup(html: str | None, limit: int = 400) -> str:
    """The words of a text that may hold HTML, without its tags, scripts and styles."""
    if not html:
        return ""
    head = html[: limit * _READ_AHEAD]
    if "<" not in head and "&" not in head:
        return clean(head, limit)
    reader = _Words()
    reader.feed(head)
    return clean(" ".join([*reader.words, reader.unfinished()]), limit)


def quoted(text: str) -> str:
    """A clean text between quotes that it cannot end, as it stands in a line of ours."""
    return f'"{text.translate(_INNER_QUOTES)}"'


def named(name: str) -> str:
    """An id or a name of the store's in a line of ours: as it is where it is one plain word, else between quotes."""
    return name if _PLAIN_WORD.fullmatch(name) else quoted(name)


def is_plain(text: str) -> bool:
    """Whether a text holds nothing but what ASCII prints, as most do: then every character of it is seen as it is."""
    return text.isascii() and text.isprintable()


def is_unseen(character: str) -> bool:
    """Whether a character shows nothing and is no space: it could hide a text, or turn one around."""
    return not character.isspace() and (character in _BLANK or unicodedata.category(character) in _UNSEEN)


def _seen(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if character.isspace():
            yield " "
        elif not is_unseen(character) and marks <= _MOST_MARKS:
            yield character


class _Words(HTMLParser):
    """Collects the text between tags, but not what a browser would not show."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = 0

    def unfinished(self) -> str:
        """Return the words behind the first tag that does not end.

        `close` reads that rest once more for each `<` in it: seconds for a title.
        """
        return "" if self._hidden else unescape(_TAG.sub(" ", self.rawdata))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._HIDDEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
