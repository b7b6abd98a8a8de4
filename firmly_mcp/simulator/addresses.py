"""Reads the addresses that requests carry, and says what is wrong with them.

The order of the checks is ours (the pages do not state one): what is missing, e-mail, country, state, postal code. An
address is kept with its country and state as codes, whichever way they came (C-9).
"""

import re
from collections.abc import Iterable
from typing import Any

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.cash import Json
from firmly_mcp.simulator.places import COUNTRIES, country_code, is_postal_code, state_code

REQUIRED = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "address1",
    "city",
    "state_or_province",
    "postal_code",
    "country",
)
SIMPLE_REQUIRED = tuple(name for name in REQUIRED if name != "phone")  # v1: some stores need it, none must have it
OPTIONAL = ("phone", "address2", "company")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
LONGEST = 500


def read_address(
    body: Any, *, required: Iterable[str] = REQUIRED, ships_to: Iterable[str] = COUNTRIES, what: str = "address"
) -> Json:
    """The address in its kept form.

    Raises `ErrorInvalidInputBody`, `ErrorCountryNotSupported` or `ErrorInvalidState`.
    """
    if not isinstance(body, dict):
        raise Refusal("ErrorInvalidInputBody", f"{what} must be an object")
    texts = {name: _text(body, name, name in required, what) for name in (*REQUIRED, *OPTIONAL)}
    if not EMAIL.fullmatch(texts["email"]):
        raise Refusal("ErrorInvalidInputBody", f"{what}: email is not an e-mail address")
    country = country_code(texts["country"])
    if country is None or country not in ships_to:
        raise Refusal("ErrorCountryNotSupported", f"Country '{texts['country']}' is not supported by this merchant")
    state = state_code(country, texts["state_or_province"])
    if state is None:
        raise Refusal("ErrorInvalidState", f"State '{texts['state_or_province']}' is not valid for {country}")
    if not is_postal_code(country, texts["postal_code"]):
        raise Refusal("ErrorInvalidInputBody", f"{what}: postal_code is not valid for {country}")
    known = {name: text for name, text in texts.items() if text}
    return {**known, "country": country, "state_or_province": state}


def _text(body: Json, name: str, required: bool, what: str) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise Refusal("ErrorInvalidInputBody", f"{what}: {name} is required")
    if len(value) > LONGEST:
        raise Refusal("ErrorInvalidInputBody", f"{what}: {name} is too long")
    return value.strip()
