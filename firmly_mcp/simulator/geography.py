"""Countries, states, postal codes, sales tax and addresses, as far as the simulator's stores ship.

An address is kept with its country and state as codes, in whichever form they came (C-9). The order of its checks is
our own, because the pages state none: what is missing, e-mail, country, state, postal code.
"""

import re
from collections.abc import Iterable
from typing import Any

from firmly_mcp.simulator.answers import Json, Refusal, share

COUNTRIES = {
    "US": "United States",
    "CA": "Canada",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "DE": "Germany",
    "AU": "Australia",
}


def _names(text: str) -> dict[str, str]:
    pairs = (pair.strip().split(":") for pair in text.replace("\n", " ").split("|"))
    return {code: " ".join(name.split()) for code, name in pairs}


US_STATES = _names("""
    AL:Alabama | AK:Alaska | AZ:Arizona | AR:Arkansas | CA:California | CO:Colorado | CT:Connecticut |
    DE:Delaware | DC:District of Columbia | FL:Florida | GA:Georgia | HI:Hawaii | ID:Idaho | IL:Illinois
    | IN:Indiana | IA:Iowa | KS:Kansas | KY:Kentucky | LA:Louisiana | ME:Maine | MD:Maryland |
    MA:Massachusetts | MI:Michigan | MN:Minnesota | MS:Mississippi | MO:Missouri | MT:Montana |
    NE:Nebraska | NV:Nevada | NH:New Hampshire | NJ:New Jersey | NM:New Mexico | NY:New York |
    NC:North Carolina | ND:North Dakota | OH:Ohio | OK:Oklahoma | OR:Oregon | PA:Pennsylvania |
    PR:Puerto Rico | RI:Rhode Island | SC:South Carolina | SD:South Dakota | TN:Tennessee | TX:Texas |
    UT:Utah | VT:Vermont | VA:Virginia | WA:Washington | WV:West Virginia | WI:Wisconsin | WY:Wyoming
""")
CA_PROVINCES = _names("""
    AB:Alberta | BC:British Columbia | MB:Manitoba | NB:New Brunswick | NL:Newfoundland and Labrador |
    NS:Nova Scotia | NT:Northwest Territories | NU:Nunavut | ON:Ontario | PE:Prince Edward Island |
    QC:Quebec | SK:Saskatchewan | YT:Yukon
""")
STATES = {"US": US_STATES, "CA": CA_PROVINCES}  # other countries take any text
FAR_AWAY = frozenset({"AK", "HI", "PR"})

POSTAL_CODES = {
    "US": re.compile(r"\d{5}(-\d{4})?"),
    "CA": re.compile(r"[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d"),
    "GB": re.compile(r"[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}"),
    "IE": re.compile(r"[A-Za-z]\d[\dWw] ?[A-Za-z\d]{4}"),
    "DE": re.compile(r"\d{5}"),
    "AU": re.compile(r"\d{4}"),
}

# Sales tax in thousandths of a percent.
US_RATES = {
    "AZ": 5_600, "CA": 7_250, "CO": 2_900, "FL": 6_000, "GA": 4_000, "IL": 6_250, "MA": 6_250, "MI": 6_000,
    "MN": 6_875, "NC": 4_750, "NJ": 6_625, "NV": 6_850, "NY": 8_875, "OH": 5_750, "PA": 6_000, "TX": 6_250,
    "VA": 5_300, "WA": 10_000, "AK": 0, "DE": 0, "MT": 0, "NH": 0, "OR": 0,
}  # fmt: skip
US_ELSEWHERE = 5_000
CA_RATES = {"AB": 5_000, "BC": 12_000, "ON": 13_000, "QC": 14_975}
CA_ELSEWHERE = 15_000
BY_COUNTRY = {"GB": 20_000, "IE": 23_000, "DE": 19_000, "AU": 10_000}

REQUIRED = (
    *("first_name", "last_name", "email", "phone", "address1"),
    *("city", "state_or_province", "postal_code", "country"),
)
SIMPLE_REQUIRED = tuple(name for name in REQUIRED if name != "phone")  # v1: some stores need it, none must have it
OPTIONAL = ("phone", "address2", "company")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
LONGEST = 500


def state_name(country: str, code: str) -> str:
    """Return the state's English name, or the code where there is no list."""
    return STATES.get(country, {}).get(code, code)


def country_of_postal_code(text: str) -> str | None:
    """Return the first of US, CA and GB whose postal codes have this form, or None."""
    return next((country for country in ("US", "CA", "GB") if POSTAL_CODES[country].fullmatch(text.strip())), None)


def sales_tax(cents: int, country: str, state: str, added: int = 0) -> int:
    """Return the tax on goods sent to an address, in cents; `added` is the store's change of the rate."""
    rate = BY_COUNTRY.get(country, 0)
    if country == "US":
        rate = US_RATES.get(state, US_ELSEWHERE)
    elif country == "CA":
        rate = CA_RATES.get(state, CA_ELSEWHERE)
    return share(max(0, cents), rate + added)


def read_address(
    body: Any, *, required: Iterable[str] = REQUIRED, ships_to: Iterable[str] = COUNTRIES, what: str = "address"
) -> Json:
    """Return the address of a request in its kept form, or raise what is wrong with it."""
    if not isinstance(body, dict):
        raise Refusal("ErrorInvalidInputBody", f"{what} must be an object")
    texts = {name: _text(body, name, name in required, what) for name in (*REQUIRED, *OPTIONAL)}
    if not EMAIL.fullmatch(texts["email"]):
        raise Refusal("ErrorInvalidInputBody", f"{what}: email is not an e-mail address")
    country = _code(COUNTRIES, texts["country"])
    if country is None or country not in ships_to:
        raise Refusal("ErrorCountryNotSupported", f"Country '{texts['country']}' is not supported by this merchant")
    state = texts["state_or_province"] if country not in STATES else _code(STATES[country], texts["state_or_province"])
    if state is None:
        raise Refusal("ErrorInvalidState", f"State '{texts['state_or_province']}' is not valid for {country}")
    if not POSTAL_CODES[country].fullmatch(texts["postal_code"]):
        raise Refusal("ErrorInvalidInputBody", f"{what}: postal_code is not valid for {country}")
    known = {name: text for name, text in texts.items() if text}
    return {**known, "country": country, "state_or_province": state}


def _code(names: dict[str, str], text: str) -> str | None:
    """Return the code of a code or an English name, in any case, or None."""
    upper = text.upper()
    return upper if upper in names else next((code for code, name in names.items() if name.upper() == upper), None)


def _text(body: Json, name: str, required: bool, what: str) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise Refusal("ErrorInvalidInputBody", f"{what}: {name} is required")
    if len(value) > LONGEST:
        raise Refusal("ErrorInvalidInputBody", f"{what}: {name} is too long")
    return value.strip()
