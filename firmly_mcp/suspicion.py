"""Signs that a store's text is meant for the assistant and not for the shopper.

This is a hint and no defence: what keeps money safe are the rules and the person's yes. A text is never changed for
being suspicious; the result that holds it says so in a field of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Final

from pydantic import BaseModel

from .money import Money
from .store_text import is_plain, is_unseen

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
