"""What a card number looks like, so that one can be refused or hidden wherever it turns up. This module holds none.

A number counts only with a brand's prefix, that brand's length and a Luhn digit: a shop's own numbers (a 14-digit
variant id, a 13-digit EAN) must pass.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, NoReturn, SupportsIndex, TypeVar

if TYPE_CHECKING:
    from pydantic import SecretStr

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

# No brand is known by more digits than these.
_LONGEST_PREFIX: Final = max(len(str(high)) for brand in BRANDS for _, high in brand.prefixes)

_CODE_LENGTHS: Final = {brand.name: brand.code_length for brand in BRANDS}

# Digits in a row, or in groups set apart by one space, dash, dot or the like, as people write them.
_DIGIT_RUN: Final = re.compile(r"\d(?:[ \t._/\u00a0\u2007\u202f\u2010-\u2015-]{0,2}\d){12,}")


def brand_of(digits: str) -> Brand | None:
    """The brand whose prefix and length these digits have, or None."""
    return next((brand for brand in BRANDS if len(digits) in brand.lengths and _begins(digits, brand)), None)


def code_length(brand: str) -> int:
    """How many digits the security code of this brand's cards has."""
    return _CODE_LENGTHS.get(brand, 3)


def code_problem(code: SecretStr, brand: str) -> str | None:
    """Why this cannot be the security code of this brand's cards; None when it can. Never holds a digit of it."""
    typed, wanted = code.get_secret_value(), code_length(brand)
    if typed.isascii() and typed.isdigit() and len(typed) == wanted:
        return None
    what = "is missing" if not typed else "is not complete" if len(typed) < wanted else "is not right"
    return f"The security code {what}: it has {wanted} digits."


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    from stdnum import luhn

    return bool(luhn.is_valid(digits))


def holds_card_number(value: object) -> bool:
    """Whether a card number stands anywhere in a JSON value: in text, as a number, in a list or object, or as a key."""
    return any(_spans(text) for text in _texts(value))


def hide_card_numbers(text: str) -> str:
    """The text with every card number in it replaced."""
    folded = _fold(text)
    spans = _spans(folded)
    if not spans:
        return text
    shown = [folded[end:start] for (_, end), (start, _) in pairwise([(0, 0), *spans, (len(folded), 0)])]
    return HIDDEN.join(shown)


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
    if text.isascii():
        return text
    return "".join(_ascii_digit(character) for character in text if unicodedata.category(character) != "Cf")


def _ascii_digit(character: str) -> str:
    return str(unicodedata.digit(character)) if character.isdigit() and not character.isascii() else character


def _spans(text: str) -> list[tuple[int, int]]:
    """Where card numbers stand. A longer run is searched for one within it, so that a prefix does not hide it."""
    return [span for run in _DIGIT_RUN.finditer(text) for span in _spans_in(run)]


def _spans_in(run: re.Match[str]) -> list[tuple[int, int]]:
    """Card numbers within one run, the longest at each place. At each digit a few lengths are tried, each at once."""
    text, offset = run.group(), run.start()
    at = [place for place, character in enumerate(text) if character.isdigit()]
    digits = "".join(text[place] for place in at)
    sums = _luhn_sums(digits)
    spans: list[tuple[int, int]] = []
    first = 0
    while first < len(digits):
        lengths = _lengths(digits[first : first + _LONGEST_PREFIX]) if _begins_word(text, at[first]) else ()
        ends = (first + length for length in lengths if first + length <= len(digits))
        end = next((end for end in ends if _ends_word(text, at[end - 1]) and _adds_up(sums, first, end)), None)
        if end is not None:
            spans.append((offset + at[first], offset + at[end - 1] + 1))
        first = end or first + 1
    return spans


def _begins_word(text: str, place: int) -> bool:
    """Whether the digits are not a slice out of one longer unbroken number, such as a tracking number."""
    return place == 0 or not text[place - 1].isdigit()


def _ends_word(text: str, place: int) -> bool:
    return place + 1 >= len(text) or not text[place + 1].isdigit()


@lru_cache(maxsize=10_000)
def _lengths(digits: str) -> tuple[int, ...]:
    """How long the numbers of the brands are that begin with these digits, the longest first."""
    found = {length for brand in BRANDS if _begins(digits, brand) for length in brand.lengths}
    return tuple(sorted(found, reverse=True))


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """The Luhn sums up to each digit: with every second one doubled, from the second on or from the first."""
    values = [int(digit) for digit in digits]
    doubled = [value * 2 - 9 * (value > 4) for value in values]
    even = [double if place % 2 else value for place, (value, double) in enumerate(zip(values, doubled, strict=True))]
    odd = [value if place % 2 else double for place, (value, double) in enumerate(zip(values, doubled, strict=True))]
    return [0, *accumulate(even)], [0, *accumulate(odd)]


def _adds_up(sums: tuple[list[int], list[int]], first: int, end: int) -> bool:
    """Whether the digits between pass Luhn: the last is taken as it is, the one before it doubled, and so on."""
    chosen = sums[(end - 1) % 2]
    return (chosen[end] - chosen[first]) % 10 == 0


# What stderr must never show: card numbers, security codes, sealed cards, tokens and addresses.

# The longest text that is redacted; of a longer one the rest is left out.
LONGEST: Final = 20_000

_LEFT_OUT: Final = " [the rest is left out]"

# What may stand at a cut: the last word, and the digits before it, may be a part of a secret that no pattern knows.
_LONGEST_WORD: Final = 2_000

_OF_NUMBERS: Final = "0123456789 -./_\t"

# A JWT or a JWE in compact form: base64url parts, the first of which is a JSON object. It is looked for once in each
# run of such parts: from every place in a run, the rest of it would be read again.
_JOSE_PARTS: Final = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{11,}(?:\.[A-Za-z0-9_-]*)+")

_JOSE_BEGIN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8}")

_BEARER: Final = re.compile(r"(?i)(bearer |authorization\W{1,4})[A-Za-z0-9._~+/-]{8,}=*")

_SECURITY_CODE: Final = re.compile(r"(?i)(verification_value|cvv|cvc|security code|\bpin)(\W{1,4})\d{3,}\b")

_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")

# A field of an address or a card's name, as JSON, a repr or a log line has it, with its value.
_FIELD: Final = re.compile(
    r"(?i)\b((?:first|last|full)_name|company|email|phone|address_?(?:line_)?[12]|city|state_or_province|postal_code|zip)"
    r"(['\"]?\s*[:=]\s*)(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s,;)}\]]+)"
)

_log = logging.getLogger("firmly_mcp")


def redact(text: str) -> str:
    """The text without card numbers, security codes that are named as such, JWEs, tokens and addresses."""
    if len(text) > LONGEST:
        text = _cut(text) + _LEFT_OUT
    hidden = _JOSE_PARTS.sub(_without_jose, hide_card_numbers(text))
    hidden = _BEARER.sub(r"\1[token]", hidden)
    hidden = _SECURITY_CODE.sub(r"\1\2[hidden]", hidden)
    return _EMAIL.sub("[email]", _FIELD.sub(r"\1\2[hidden]", hidden))


def _cut(text: str) -> str:
    end = LONGEST - _LONGEST_WORD
    return (text[:end] + text[end:LONGEST].rpartition(" ")[0]).rstrip(_OF_NUMBERS)


def _without_jose(parts: re.Match[str]) -> str:
    found = _JOSE_BEGIN.search(parts.group())
    return parts.group() if found is None else f"{parts.group()[: found.start()]}[token]"


class Redact(logging.Filter):
    """Redacts a record's message and its traceback before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always kept."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send all logging to stderr, redacted, and a crash's traceback with it. Standard output is the protocol's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redact())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    sys.excepthook = _log_crash
    threading.excepthook = _log_crash_of_thread


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _log.critical("ended by an error that nothing caught", exc_info=(kind, error, trace))


def _log_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


# A secret in memory: what waits minutes for an order's answer must not hold it, and nothing can be sent twice.

T = TypeVar("T")


class OneUse(Generic[T]):
    """A secret that is handed out once, shows nothing of itself and cannot be pickled. `name` is for the error."""

    __slots__ = ("_name", "_secret")

    def __init__(self, secret: T, name: str) -> None:
        self._secret: T | None = secret
        self._name = name

    def take(self) -> T:
        """Return the secret and forget it; the second time raises RuntimeError."""
        secret, self._secret = self._secret, None
        if secret is None:
            raise RuntimeError(f"{self._name} is used once")
        return secret

    def forget(self) -> None:
        """Forget the secret, used or not."""
        self._secret = None

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(f"{self._name} is not pickled")
