"""The address book's entries. Each knows where it came from: typed by a person, brought by a tool or by a script.

Fields have Firmly's names. Every field is one printable line of bounded length, and no field holds a card number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NotRequired, TypedDict, Unpack, cast

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from firmly_mcp.errors import AddressRefused
from firmly_mcp.redaction import holds_card_number

from .entries import is_printable, label_problem, one_line

AddressSource = Literal["person", "tool", "script"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an address: what a person calls it, how long it may be, whether it may be left out."""

    title: str
    length: int
    optional: bool = False


# In the order in which they are asked: the country comes before the fields whose form depends on it.
FIELDS: Final = {
    "first_name": Field("First name", 50),
    "last_name": Field("Last name", 50),
    "company": Field("Company", 80, optional=True),
    "email": Field("Email", 254),
    "phone": Field("Phone", 25),
    "address1": Field("Street and number", 100),
    "address2": Field("Apartment, floor", 100, optional=True),
    "city": Field("City", 60),
    "country": Field("Country (two letters)", 2),
    "state_or_province": Field("State or province", 60),
    "postal_code": Field("Postal code", 12),
}

_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])")

_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]+")

_POSTAL_CODES: Final = {
    "US": (re.compile(r"\d{5}(-\d{4})?", re.ASCII), "five digits, or five and four such as 98101-1234"),
    "CA": (re.compile(r"[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d", re.ASCII), "a code such as K1A 0B1"),
    "GB": (re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}", re.ASCII), "a code such as SW1A 1AA"),
}


class Address(BaseModel):
    """An entry of the address book. Made by `new_address`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    label: str
    origin: AddressSource
    first_name: str
    last_name: str
    email: str
    phone: str
    address1: str
    address2: str | None = None
    company: str | None = None
    city: str
    state_or_province: str
    postal_code: str
    country: str

    def as_firmly(self) -> dict[str, str]:
        """The body of a shipping or billing address; what is not known is left out."""
        return self.model_dump(exclude={"label", "origin"}, exclude_none=True)

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [("label", self.label), ("origin", self.origin)]

    def __str__(self) -> str:
        return repr(self)


class AddressFields(TypedDict):
    """What an address is made of, in Firmly's words."""

    first_name: str
    last_name: str
    company: NotRequired[str | None]
    email: str
    phone: str
    address1: str
    address2: NotRequired[str | None]
    city: str
    country: str
    state_or_province: str
    postal_code: str


def new_address(*, label: str, origin: AddressSource, **typed: Unpack[AddressFields]) -> Address:
    """An address from what was typed: spaces at the ends and lower-case codes are fine.

    Raises:
        AddressRefused: names the first field that is wrong, and what is wrong with it.
    """
    fields = {field: clean_field(field, text) for field, text in cast("Mapping[str, str | None]", typed).items()}
    wrong = _first_problem(label, fields)
    if wrong is not None:
        # A card number may be in the wrong place, and a traceback shows a frame's variables.
        del label, typed, fields
        raise AddressRefused(wrong[1], field=wrong[0])
    return Address.model_validate({"label": one_line(label), "origin": origin, **fields})


def clean_field(field: str, typed: str | None) -> str | None:
    """A field as it is kept; None when nothing was typed."""
    if typed is None or not is_printable(typed):
        return typed
    text = one_line(typed)
    return (text.upper() if field in {"country", "postal_code"} else text) or None


def field_problem(field: str, text: str | None, *, country: str | None) -> str | None:
    """What is wrong with one cleaned field, for the person who typed it; None when it is fine. Never holds the text."""
    rule = FIELDS[field]
    if text is None:
        return None if rule.optional else f"{field} is missing."
    if not is_printable(text):
        return f"{field} holds a control or invisible character, or a line break."
    if len(text) > rule.length:
        return f"{field} is longer than {rule.length} characters."
    if field != "phone" and holds_card_number(text):
        return f"{field} holds what could be a card number. Cards are added with `firmly-mcp cards add`."
    return _form_problem(field, text, country)


def entry_of(address: Address) -> SecretStr:
    """The address as the keyring keeps it."""
    return SecretStr(address.model_dump_json(exclude_none=True))


def address_from(entry: SecretStr) -> Address | None:
    """The address in a keyring entry; None when the entry holds none that could ever have been written here."""
    try:
        address = Address.model_validate_json(entry.get_secret_value())
    except ValidationError:
        return None
    return None if _first_problem(address.label, address.as_firmly()) else address


def _first_problem(label: str, fields: Mapping[str, str | None]) -> tuple[str, str] | None:
    problem = label_problem(label)
    if problem is not None:
        return "label", problem
    for field in FIELDS:
        problem = field_problem(field, fields.get(field), country=fields.get("country"))
        if problem is not None:
            return field, problem
    return None


def _form_problem(field: str, text: str, country: str | None) -> str | None:
    if field == "email" and not _EMAIL.fullmatch(text):
        return "email is not an email address such as ana@example.com."
    if field == "phone" and not (_PHONE.fullmatch(text) and 7 <= sum(map(str.isdigit, text)) <= 15):
        return "phone is not a phone number: 7 to 15 digits, with + and the country's code where there is one."
    if field == "country":
        return _country_problem(text)
    if field == "postal_code" and country in _POSTAL_CODES:
        form, example = _POSTAL_CODES[country]
        return None if form.fullmatch(text) else f"postal_code does not fit {country}: {example}."
    return None


def _country_problem(country: str) -> str | None:
    if country in COUNTRIES:
        return None
    if country == "UK":
        return "country is GB for the United Kingdom."
    return "country is two letters of ISO 3166-1, such as US, CA or GB."


# The officially assigned alpha-2 codes of ISO 3166-1.

_CODES: Final = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT
    JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY
    MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM
    PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""

COUNTRIES: Final = frozenset(_CODES.split())
