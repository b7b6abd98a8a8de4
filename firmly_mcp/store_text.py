"""Text from stores is data: what leaves here has no control, invisible or bidirectional characters, and is bounded."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

# Cc control, Cf format (zero-width, bidirectional, tags), Cs surrogates, Co private use, Cn unassigned.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Read at most this many times the limit: a megabyte of text is not searched for its last word.
_READ_AHEAD = 16


def clean(text: str | None, limit: int = 200) -> str:
    """One line of plain text of at most `limit` characters; a cut is shown by an ellipsis."""
    if not text:
        return ""
    head = text[: limit * _READ_AHEAD]
    seen = "".join(" " if character.isspace() else character for character in head if _is_seen(character))
    line = " ".join(seen.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clean_markup(html: str | None, limit: int = 400) -> str:
    """The words of an HTML description, without its tags, scripts and styles."""
    if not html:
        return ""
    reader = _Words()
    reader.feed(html[: limit * _READ_AHEAD])
    reader.close()
    return clean(" ".join(reader.words), limit)


def _is_seen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in _UNSEEN


class _Words(HTMLParser):
    """Collects the text between tags, but not what a browser would not show."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._HIDDEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
