"""A card number leaves this room only inside a JWE. Outside, a card is its `CardSummary`.

A refusal never echoes what was typed, and no pydantic error gets out: its `.errors()` holds the input.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn, SupportsIndex

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from firmly_mcp.errors import CardRefused
from firmly_mcp.redaction import Brand, brand_of, passes_luhn

from .entries import is_printable, label_problem, one_line

_NAME_LENGTH: Final = 60

_EXPIRY_SEPARATOR: Final = re.compile(r"[/.\-\s]+")

# Some people have a number in their name; a card number is longer.
_NAME_DIGITS: Final = 4

# Nobody issues a card for longer; further off, the year is mistyped.
_LONGEST_YEARS: Final = 20

# A card is good until its last month has ended everywhere on Earth.
_LAST_TIME_ZONE: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class CardSummary:
    """A card as every other room knows it. `month` is `"08"`, `year` is `"2030"`."""

    label: str
    brand: str
    last_four: str
    month: str
    year: str
    billing_address: str | None

    def is_expired(self, now: datetime) -> bool:
        """Whether the month on the card is over everywhere."""
        return _is_over(self.month, self.year, now)


class Card(BaseModel):
    """A payment card. It shows nothing of itself but its label, and cannot be pickled. Made by `new_card`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    label: str
    number: SecretStr
    name: str
    month: str
    year: str
    billing_address: str | None = None
    environment: str

    @property
    def brand(self) -> Brand | None:
        """The card network of the number."""
        return brand(self.number)

    def summary(self) -> CardSummary:
        """The card without its secrets."""
        return CardSummary(
            label=self.label,
            brand=self.brand.name if self.brand else "card",
            last_four=last_four(self.number),
            month=self.month,
            year=self.year,
            billing_address=self.billing_address,
        )

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [("label", self.label)]

    def __str__(self) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a card is not pickled")


def new_card(
    *,
    label: str,
    number: SecretStr,
    name: str,
    month: str,
    year: str,
    billing_address: str | None = None,
    environment: str,
    now: datetime,
) -> Card:
    """A card from what a person typed: spaces and dashes in the number, `8` and `30` for `08` and `2030` are fine.

    Raises:
        CardRefused: states what is wrong, never what was typed.
    """
    problem = (
        label_problem(label)
        or number_problem(number, environment)
        or name_problem(name)
        or expiry_problem(month, year, now)
        or (None if billing_address is None else label_problem(billing_address))
    )
    expiry = _expiry(month, year)
    if problem is not None or expiry is None:
        # Each may be a card number in the wrong place, and a traceback shows a frame's variables.
        del label, name, month, year, billing_address
        raise CardRefused(problem or "The expiry date is missing.")
    return Card(
        label=one_line(label),
        number=without_separators(number),
        name=one_line(name),
        month=expiry[0],
        year=expiry[1],
        billing_address=None if billing_address is None else one_line(billing_address),
        environment=environment,
    )


def number_problem(typed: SecretStr, environment: str) -> str | None:
    """Why this is no card number for this environment; None when it is one."""
    return problem_with(without_separators(typed), environment)


def name_problem(typed: str) -> str | None:
    """Why this cannot be the cardholder's name; None when it can."""
    name = one_line(typed)
    if not name:
        return "The name on the card is missing."
    if len(name) > _NAME_LENGTH or not is_printable(typed):
        return f"The name on the card is one line of at most {_NAME_LENGTH} printable characters."
    if sum(character.isdigit() for character in name) > _NAME_DIGITS:
        return "The name on the card holds a number, which belongs in another field."
    return None


def expiry_problem(month: str, year: str, now: datetime) -> str | None:
    """Why a card with this expiry date is not taken; None when it is."""
    expiry = _expiry(month, year)
    if expiry is None:
        return "The expiry date is a month from 01 to 12 and a year such as 2030."
    if _is_over(*expiry, now):
        return "The card has expired."
    if int(expiry[1]) > now.year + _LONGEST_YEARS:
        return f"The expiry year is more than {_LONGEST_YEARS} years away: is it mistyped?"
    return None


def month_and_year(typed: SecretStr) -> tuple[str, str]:
    """The two parts of an expiry date as a card or a browser writes it: `08/30`, `8 / 2030`, `0830`."""
    month, _, year = _EXPIRY_SEPARATOR.sub("/", typed.get_secret_value().strip()).partition("/")
    return (month, year) if year else (month[:2], month[2:])


def entry_of(card: Card) -> SecretStr:
    """The card as the keyring keeps it."""
    return SecretStr(
        json.dumps(card.model_dump() | {"number": card.number.get_secret_value()}, ensure_ascii=False, sort_keys=True)
    )


def card_from(entry: SecretStr) -> Card | None:
    """The card in a keyring entry; None when the entry holds none that could ever have been written here."""
    try:
        card = Card.model_validate_json(entry.get_secret_value())
    except ValidationError:
        return None
    if label_problem(card.label) or name_problem(card.name) or _expiry(card.month, card.year) is None:
        return None
    return None if problem_with(card.number, card.environment) else card


def _expiry(month: str, year: str) -> tuple[str, str] | None:
    month, year = month.strip(), year.strip()
    if not all(part.isascii() and part.isdigit() for part in (month, year)):
        return None
    if len(year) not in {2, 4} or len(month) > 2 or not 1 <= int(month) <= 12:
        return None
    return month.zfill(2), year if len(year) == 4 else f"20{year}"


def _is_over(month: str, year: str, now: datetime) -> bool:
    last = now - _LAST_TIME_ZONE
    return (int(year), int(month)) < (last.year, last.month)


# Whether a typed number is a card's, and one for this environment.

# Published by card networks and payment services for tests; none was ever issued.
_PAYING: Final = """
    4111111111111111 4242424242424242 4012888888881881 4000056655665556 5555555555554444 5105105105105100
    2223003122003222 378282246310005 371449635398431 6011111111111117 6011000990139424 30569309025904 3566002020360505
"""

# Firmly's simulator declines these.
_DECLINED: Final = "4000000000000002 4000000000009995 4000000000000069 4000000000000127"

TEST_NUMBERS: Final = frozenset((_PAYING + _DECLINED).split())

TEST_ONLY: Final = frozenset({"simulator", "custom"})

_GROUPS: Final = re.compile(r"\d{1,4}")

_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015]")


def test_numbers() -> list[tuple[str, str]]:
    """Published test numbers for a person to choose from: one or two of each brand, in groups as on a card."""
    return [
        (found.name, " ".join(_GROUPS.findall(number))) for number in _PAYING.split() if (found := brand_of(number))
    ]


def without_separators(typed: SecretStr) -> SecretStr:
    """A number as it was typed or pasted, without its spaces and dashes."""
    return SecretStr(_SEPARATORS.sub("", typed.get_secret_value()))


def problem_with(number: SecretStr, environment: str) -> str | None:
    """Why this number, its separators gone, is not taken here; None when it is. Never holds a digit of it."""
    return _form_problem(number) or _environment_problem(number, environment)


def brand(number: SecretStr) -> Brand | None:
    """The brand whose range the number is in."""
    return brand_of(number.get_secret_value())


def last_four(number: SecretStr) -> str:
    """What a receipt would show of the number."""
    return number.get_secret_value()[-4:]


def _form_problem(number: SecretStr) -> str | None:
    digits = number.get_secret_value()
    if not digits:
        return "The card number is missing."
    if not (digits.isascii() and digits.isdigit()):
        return "A card number has only digits, spaces and dashes."
    if not 12 <= len(digits) <= 19:
        return f"A card number has 12 to 19 digits; this one has {len(digits)}."
    if not passes_luhn(digits):
        return "The card number's check digit does not fit: a digit is mistyped."
    return None if brand_of(digits) else f"No card brand that we know has such numbers of {len(digits)} digits."


def _environment_problem(number: SecretStr, environment: str) -> str | None:
    if environment not in TEST_ONLY or number.get_secret_value() in TEST_NUMBERS:
        return None
    return (
        f"The {environment} environment takes only published test numbers, such as a 4 followed by fifteen ones. "
        "A real card belongs to the environment that it will pay in."
    )
