"""Whether a typed number is a card's, and one for this environment.

Nothing here raises: these frames hold digits, and a traceback shows its frames.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import SecretStr

from firmly_mcp.card_numbers import Brand, brand_of, passes_luhn

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
