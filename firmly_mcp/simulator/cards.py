"""Which cards the simulator takes: published test numbers only, and never a real one.

The numbers are those that card networks and payment services publish for tests. Four of them are declined.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmly_mcp.simulator.answers import Refusal

FIELDS = ("number", "name", "verification_value", "month", "year")
ACCEPTED = {
    "4111111111111111": "visa",
    "4242424242424242": "visa",
    "4012888888881881": "visa",
    "4000056655665556": "visa",
    "5555555555554444": "mastercard",
    "5105105105105100": "mastercard",
    "2223003122003222": "mastercard",
    "378282246310005": "amex",
    "371449635398431": "amex",
    "6011111111111117": "discover",
    "6011000990139424": "discover",
    "30569309025904": "diners",
    "3566002020360505": "jcb",
}
DECLINED = {
    "4000000000000002": "The card was declined",
    "4000000000009995": "Insufficient funds",
    "4000000000000069": "The card has expired",
    "4000000000000127": "The security code is incorrect",
}


@dataclass(frozen=True, slots=True)
class Paid:
    """What may be remembered of a card: everything but its number and security code."""

    brand: str
    last_four: str
    month: int
    year: int
    holder: str
    declined: str | None


def read_card(plain: Any, now: datetime) -> Paid:
    """Check the five string fields; the number is forgotten on return.

    What is malformed is `ErrorInvalidInputBody`; what a bank would turn down is told by `declined`.
    """
    if not isinstance(plain, Mapping) or set(plain) != set(FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: the card needs exactly " + ", ".join(FIELDS))
    if not all(isinstance(plain[name], str) and plain[name] for name in FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: every field of the card is a string")
    number, month, year = plain["number"], plain["month"], plain["year"]
    _check_form(number, plain["verification_value"], month, year)
    return Paid(
        brand=ACCEPTED.get(number, "visa"),
        last_four=number[-4:],
        month=int(month),
        year=int(year),
        holder=plain["name"],
        declined=_declined(number, int(month), int(year), now),
    )


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    doubled = (int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _check_form(number: str, cvv: str, month: str, year: str) -> None:
    if not (_digits(number, 12, 19) and luhn(number)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: number is not a card number")
    if not _digits(cvv, 3, 4) or (len(cvv) == 4) != number.startswith(("34", "37")):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: verification_value has the wrong length")
    if not (_digits(month, 2, 2) and 1 <= int(month) <= 12 and _digits(year, 4, 4)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: month is two digits, year is four")


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most


def _declined(number: str, month: int, year: int, now: datetime) -> str | None:
    if (year, month) < (now.year, now.month):
        return "The card has expired"
    if number in DECLINED:
        return DECLINED[number]
    return None if number in ACCEPTED else "The simulator takes published test cards only"
