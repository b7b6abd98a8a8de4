"""Text from stores is data: what leaves here has no control, invisible or bidirectional characters, and is bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from types import NoneType
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from .money import Money

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


# Signs that a store's text is meant for the assistant and not for the shopper.

# What is read of one text and of all together, and how many finds are told: more would take time and say no more.
_LONGEST: Final = 4_000

_MOST_READ: Final = 100_000

_SHORT: Final = 200

_TEXTLESS: Final = (NoneType, bool, int, Decimal, Money)

_MOST_TOLD: Final = 5

# Found in honest texts too: the soft hyphen, and what joins emoji, Arabic and Indic letters. Alone they hide nothing.
_HARMLESS: Final = frozenset("\u00ad\u200c\u200d\ufe0e\ufe0f\ufeff")

# Letters of other scripts that are drawn like Latin ones.
_LOOKS_LATIN: Final = str.maketrans(
    "аесорхуіјѕԁһԛԝкмтвнѵɡαοενικρτυχАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aecopxyijsdhqwkmtbhvgaoevikptuxABEKMHOPCTYXIJSABEZHIKMNOPTYX",
)

_OTHER_ALPHABETS: Final = frozenset({"CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU", "GEORGIAN"})

_PERSON: Final = r"(?:user|customer|person|human|owner|shopper|buyer|client|cardholder)s?"

_ORDERS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        # Leave what you were told.
        r"\b(?:ignor\w*|disregard|forget|override|bypass|skip|vergiss|oublie\w*|olvida\w*)\b.{0,60}"
        r"\b(?:instru\w+|istruzion\w+|anweisung\w*|prompts?|rules?|guidelines?|limits?|polic(?:y|ies)|approvals?|safety"
        r"|above|previous|prior|earlier|everything|all)\b",
        r"\b(?:new|updated|real|hidden|secret) (?:instructions?|task|objective|goal|system prompt)\b",
        r"\b(?:system|developer|admin|administrator|root)\W{0,3}"
        r"(?:prompt|message|override|instructions?|notice|mode|note)\b",
        r"\byou are (?:now|no longer|an? (?:ai|assistant|agent))\b",
        r"\bjailbreak|\bdan mode\b|\bdeveloper mode\b",
        # Spoken to the assistant.
        r"\b(?:ai|assistants?|(?:ai|shopping) agents?|llms?|language models?|chatbots?|(?:chat)?gpt|claude|gemini)\b"
        r".{0,40}\b(?:must|should|shall|needs? to|ha(?:s|ve) to|is to|are to|required|instructed|authori[sz]ed|please)",
        r"\b(?:dear|attention|hey|hello|(?:note|message|instructions?) (?:to|for))\W{0,3}(?:the |all |any |an )?"
        r"(?:ai|assistants?|agents?|llms?|language models?|chatbots?|models?|bots?)\b",
        # Consent that a store cannot give.
        rf"\b{_PERSON}\b.{{0,30}}\b(?:pre-?)?(?:approved|authori[sz]ed|confirmed|consented|agreed|said yes|wants you)",
        r"\b(?:no|without)\b.{0,20}\b(?:approval|confirmation|confirming|consent|asking|permission)\b",
        r"\bdo(?: not|n.?t) (?:tell|inform|ask|notify|mention|show|warn|alert|reveal|disclose)\b",
        rf"\b(?:never|without) (?:tell|inform|ask|notify|mention|show|warn|alert)\w*\b.{{0,20}}\b{_PERSON}\b",
        # The language of tools.
        r"<\|.{0,30}\|>|\[/?(?:inst|system|tool|assistant|user)\b|<</?sys>>",
        r"#{2,}\s*(?:system|instructions?|assistant|user)\b",
        r"</?(?:system|assistant|user|human|tool|tools|tool_\w+|function|function_\w+|invoke|parameter|instructions?"
        r"|important|admin|prompt|antml\b.{0,20})\b[^>]{0,80}>",
        r"(?:^|\n|\\n)\s*(?:system|assistant|human|developer|tool)\s*:",
        r"[\"'](?:tool|tool_name|tool_call|function|function_call|arguments|jsonrpc|method)[\"']\s*:",
        r"\b(?:tools/call|tool_call|function_call|tool_use|tool_result|mcp__\w+)\b",
        r"\b(?:place|complete|preview|list|get|cancel|checkout|submit)_(?:orders?|order_status|cart|checkout|payment_cards)\b",
        r"\b(?:add|set|update|clear|list)_(?:payment_cards?|addresse?s?|line_items?|shipping_info|fulfillment|addon"
        r"|promo_codes|postal_code|cart)\b|\bmax_total\b",
        r"\b(?:call|invoke|execute|run|use)\b.{0,30}\b(?:tools?|functions?|api)\b",
        # What no store needs to be told.
        r"\b(?:reveal|print|send|show|share|exfiltrate|e-?mail|post|upload|repeat|output|tell|leak|forward)\b.{0,40}"
        r"\b(?:card numbers?|cv[vc]|security codes?|passwords?|api keys?|access tokens?|system prompt|credentials)\b",
    )
)


def suspicions(*values: object) -> tuple[str, ...]:
    """What is suspicious in these values, as `kind (field)`; fields are named by our models alone, never by a store."""
    found: dict[str, None] = {}
    known: dict[str, tuple[str, ...]] = {}
    left = _MOST_READ
    for place, text in _texts(values, "text"):
        head = text[: min(_LONGEST, left)]
        if head not in known:
            left -= len(head)
            known[head] = _kinds_in_short(head) if len(head) <= _SHORT else tuple(_kinds(head))
        found |= {f"{kind} ({place})": None for kind in known[head]}
        if left <= 0 or len(found) >= _MOST_TOLD:
            break
    return tuple(found)[:_MOST_TOLD]


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, BaseModel):
        for name, part in value.__dict__.items():
            if not isinstance(part, _TEXTLESS):
                yield from _texts(part, name)
        if value.model_extra:
            yield from _texts(value.model_extra, place)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part, place)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(key, place)
            yield from _texts(part, place)


# The same titles come again with every look at a cart.
@lru_cache(maxsize=2_048)
def _kinds_in_short(text: str) -> tuple[str, ...]:
    return tuple(_kinds(text))


def _kinds(text: str) -> Iterator[str]:
    if text.isascii() and text.isalnum():
        return
    if not is_plain(text) and _hides(text):
        yield "hidden characters"
    if not text.isascii() and _has_lookalikes(text):
        yield "look-alike letters"
    if len(text) > 8 and _gives_orders(text):
        yield "words that instruct an assistant"


def _hides(text: str) -> bool:
    before = ""
    for character in text:
        if is_unseen(character) and (character not in _HARMLESS or (before and is_unseen(before))):
            return True
        before = character
    return False


def _has_lookalikes(text: str) -> bool:
    """A word of two alphabets, letters of mathematics, or a word that is drawn in Latin beside words that are Latin."""
    words = re.findall(r"[^\W\d_]{3,}", text)
    alphabets = [frozenset(_alphabet(letter) for letter in word) for word in words]
    if any("LATIN" in used and used & _OTHER_ALPHABETS for used in alphabets):
        return True
    if any(0x1D400 <= ord(character) <= 0x1D7FF or 0x24B6 <= ord(character) <= 0x24E9 for character in text):
        return True
    foreign = [word for word, used in zip(words, alphabets, strict=True) if used & _OTHER_ALPHABETS]
    # A text that is really Russian or Greek has words that no Latin letters could draw.
    drawn_latin = bool(foreign) and all(word.translate(_LOOKS_LATIN).isascii() for word in foreign)
    return drawn_latin and any(used == {"LATIN"} for used in alphabets)


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _gives_orders(text: str) -> bool:
    seen = text if is_plain(text) else _as_seen(text)
    line = re.sub(r"[ \t\u00a0]+", " ", seen).casefold()
    return any(pattern.search(line) for pattern in _ORDERS)


def _as_seen(text: str) -> str:
    return unicodedata.normalize("NFKC", "".join(c for c in text if not is_unseen(c))).translate(_LOOKS_LATIN)


# An address that a store gave is shown only if it is what it seems: http or https, to a plain host, percent-
# encoded.

# Longer ones are left out: an address that is cut leads elsewhere.
_LONGEST_ADDRESS: Final = 300

# RFC 3986. A backslash is a slash to browsers; a control character is dropped by them, and is no part of any address.
_PARTS: Final = re.compile(r"(https?)://([^/?#\\]+)((?:[/?][^#]*)?)(?:#(.*))?", re.IGNORECASE | re.DOTALL)

_HOST: Final = re.compile(
    r"((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?)(:\d{1,5})?"
)

_ADDRESS_6: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\])(:\d{1,5})?")

_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

# What RFC 3986 lets stand in a path, a query or a fragment, but for the apostrophe; `%` is the one of an escape.
_SAFE: Final = "%/?:@!$&()*+,;=~"


def shown_address(address: str | None) -> str | None:
    """The address as it may be shown, or None where it may not."""
    if not address or len(address) > _LONGEST_ADDRESS:
        return None
    parts = _PARTS.fullmatch(address.strip(" "))
    host = _shown_host(parts[2]) if parts else None
    if parts is None or host is None:
        return None
    rest, fragment = percent_encoded(parts[3]), percent_encoded(parts[4] or "")
    if rest is None or fragment is None:
        return None
    shown = f"{parts[1].lower()}://{host}{rest}" + (f"#{fragment}" if fragment else "")
    return shown if len(shown) <= _LONGEST_ADDRESS else None


def percent_encoded(text: str) -> str | None:
    """Part of an address behind its host, with everything escaped that has to be; None where it is no text."""
    try:
        return quote(_STRAY_PERCENT.sub("%25", text), safe=_SAFE, errors="strict")
    except UnicodeEncodeError:  # half of a character
        return None


def _shown_host(authority: str) -> str | None:
    """A host with its port as DNS has it, where letters that only look Latin show as what they are."""
    try:
        name, colon, port = authority.partition(":") if not authority.startswith("[") else (authority, "", "")
        plain = authority if authority.isascii() else name.encode("idna").decode("ascii") + colon + port
    except UnicodeError:
        return None
    plain = plain.lower()
    found = _HOST.fullmatch(plain) or _ADDRESS_6.fullmatch(plain)
    if found is None or len(found[1]) > 253 or (found[2] and int(found[2][1:]) > 65_535):
        return None
    return plain
