"""Countries, their states and the forms of their postal codes, as far as the simulator's stores ship."""

import re

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

POSTAL_CODES = {
    "US": re.compile(r"\d{5}(-\d{4})?"),
    "CA": re.compile(r"[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d"),
    "GB": re.compile(r"[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}"),
    "IE": re.compile(r"[A-Za-z]\d[\dWw] ?[A-Za-z\d]{4}"),
    "DE": re.compile(r"\d{5}"),
    "AU": re.compile(r"\d{4}"),
}

FAR_AWAY = frozenset({"AK", "HI", "PR"})


def country_code(text: str) -> str | None:
    """The alpha-2 code of a code or an English name, or None."""
    upper = text.strip().upper()
    if upper in COUNTRIES:
        return upper
    return next((code for code, name in COUNTRIES.items() if name.upper() == upper), None)


def state_code(country: str, text: str) -> str | None:
    """The state's code from a code or a name; in countries without a list, the text itself; None if unknown."""
    states = STATES.get(country)
    if states is None:
        return text.strip() or None
    upper = text.strip().upper()
    if upper in states:
        return upper
    return next((code for code, name in states.items() if name.upper() == upper), None)


def state_name(country: str, code: str) -> str:
    """The state's English name, or the code where there is no list."""
    return STATES.get(country, {}).get(code, code)


def is_postal_code(country: str, text: str) -> bool:
    """Whether the text has the basic form of the country's postal codes."""
    return POSTAL_CODES[country].fullmatch(text.strip()) is not None


def country_of_postal_code(text: str) -> str | None:
    """The first of US, CA and GB whose postal codes look like this, or None."""
    return next((country for country in ("US", "CA", "GB") if is_postal_code(country, text)), None)
