"""What may stand in the rules file. One that is wrong is refused whole, and the line and the key are named."""

import re
from contextlib import suppress
from datetime import time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.checkout.policy.rules import (
    AddressRules,
    CurrencyRules,
    HourRules,
    Limits,
    OrderRules,
    Rules,
    StoreRules,
)
from firmly_mcp.errors import SettingsError
from tests.reference import rules_example

WHOLE = """
[USD]
ask_above = "50.00"
ask_above_a_month = 400.5
refuse_above = 500
pin_above = "20"

[USD.stores."Luma.Gift"]
ask_above_a_week = "80"

[USD.cards."Everyday Visa"]
refuse_above_a_day = "100"

[stores]
allowed = ["luma.gift", "staging.luma.gift"]
without_asking = ["luma.gift"]
cooling_off = "7d"

[addresses]
unknown = "refuse"
cooling_off = "90m"

[orders]
largest_quantity = 3
place_order = false

[hours]
zone = "Europe/Berlin"
from = "08:00"
to = 22:30:00
outside = "refuse"
"""


def test_everything_that_may_be_written_is_read() -> None:
    assert read_rules(WHOLE) == Rules(
        limits={
            "USD": CurrencyRules(
                ask_above=Decimal("50.00"),
                ask_above_a_month=Decimal("400.5"),
                refuse_above=Decimal(500),
                pin_above=Decimal(20),
                stores={"luma.gift": Limits(ask_above_a_week=Decimal(80))},
                cards={"Everyday Visa": Limits(refuse_above_a_day=Decimal(100))},
            )
        },
        stores=StoreRules(
            allowed=("luma.gift", "staging.luma.gift"), without_asking=("luma.gift",), cooling_off=timedelta(days=7)
        ),
        addresses=AddressRules(unknown="refuse", cooling_off=timedelta(minutes=90)),
        orders=OrderRules(largest_quantity=3, place_order=False),
        hours=HourRules.model_validate(
            {"zone": "Europe/Berlin", "from": time(8), "to": time(22, 30), "outside": "refuse"}
        ),
    )


def test_an_empty_file_is_no_rules() -> None:
    assert read_rules("") == read_rules("# later\n[USD]\n[stores]").model_copy(update={"limits": {}}) == Rules()


def test_a_card_number_that_stands_for_a_label_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        read_rules('[USD.cards."4111111111111111"]\nask_above = 1')
    assert "4111" not in str(caught.value)


def test_an_amount_is_read_to_the_last_digit() -> None:
    rules = read_rules('[USD]\nask_above = 53.4\nask_above_a_day = "100000000000000.01"\npin_above = 0.10')
    assert rules.limits["USD"].ask_above == Decimal("53.4")
    assert rules.limits["USD"].ask_above_a_day == Decimal("100000000000000.01")
    assert rules.limits["USD"].pin_above == Decimal("0.10")


WRONG = {
    "not TOML": ("[USD]\n= 5", r"not valid TOML.*line 2"),
    "a table cut off": ("[USD", "not valid TOML"),
    "the same key twice": ("[USD]\nask_above = 1\nask_above = 2\n", "not valid TOML.*line 3"),
    "lists without end": ("x = " + "[" * 9000, "lie too deep"),
    "a number without end": ("[USD]\nask_above = 1" + "0" * 5000, "number is too long"),
    "an unknown key": ('\n[USD]\nask_abov = "5"', r"line 3: USD\.ask_abov is no rule \(did you mean ask_above\?\)"),
    "an unknown key of no kin": ("[USD]\nxyz = 1", r"line 2: USD\.xyz is no rule\."),
    "an unknown table": ("[order]\nplace_order = false", r"line 1: order is neither .* \(did you mean orders\?\)"),
    "an unknown key of a store": (
        '[USD]\n[USD.stores."luma.gift"]\npin_above = 1\nask_abov = 1',
        r'line 3: USD\.stores\."luma\.gift"\.pin_above is no rule.*line 4.*did you mean ask_above',
    ),
    "an unknown key of a condition": ("[hours]\nform = 1", r"line 2: hours\.form is no rule \(did you mean from\?\)"),
    "a store without quotes": (
        "[USD.stores.luma.gift]\nask_above = 1",
        r'line 1: .*name with a dot in it stands in quotes, \[USD\.stores\."luma\.gift"\]',
    ),
    "no currency": ('ask_above = "5"', r"line 1: ask_above has to stand in the table of a currency"),
    "a currency in small letters": ('[usd]\nask_above = "5"', r"line 1: usd is neither.*did you mean USD\?"),
    "no currency at all": ('[UDS]\nrefuse_above = "5.00"', r"line 1: UDS is no currency .* \(did you mean USD\?\)"),
    "two that are no currencies": ("[UDS]\n[EUE]", r"line 1: UDS is no .*USD.*line 2: EUE is no .*mean EUR"),
    "a currency that was given up": ("[DEM]\nask_above = 1", r"line 1: DEM is no currency of ISO 4217"),
    "the code for no currency": ("[XXX]\nask_above = 1", r"line 1: XXX is no currency"),
    "a currency with a letter too many": ("[EURO]\nask_above = 1", r"line 1: EURO is neither .*did you mean EUR\?"),
    "a card label that no card can have": (
        '[USD.cards." "]\nask_above = 1',
        r"line 1: USD\.cards has limits for a card that there cannot be",
    ),
    "a card's number for its label": (
        '[USD.cards."4111111111111111"]\nask_above = 1',
        r"line 1: USD\.cards has limits .* must not hold a card number",
    ),
    "a store with a dot at its end": ('[USD.stores."luma.gift."]\nask_above = 1', r"line 1: .* is no store"),
    "a store with its path": (
        '[stores]\nallowed = ["luma.gift/shop"]',
        r"line 2: stores\.allowed has an entry that is",
    ),
    "no amount": ('[USD]\nask_above = "lots"', r"line 2: USD\.ask_above has to be an amount"),
    "a truth value": ("[USD]\nask_above = true", r"line 2: USD\.ask_above has to be an amount"),
    "less than nothing": ("[USD]\nrefuse_above = -1", r"line 2: USD\.refuse_above is too small"),
    "no end": ("[USD]\nrefuse_above_a_day = inf", r"line 2: USD\.refuse_above_a_day has to be an amount"),
    "no number": ("[GBP]\nask_above_a_day = nan", r"line 2: GBP\.ask_above_a_day has to be an amount"),
    "more than any order": ("[GBP]\nask_above = 1e400", r"line 2: GBP\.ask_above has to be an amount"),
    "a list": ("USD = [1]", r"line 1: USD has to be a table"),
    "a list of tables": ("[[USD]]\nask_above = 1", r"line 1: USD has to be a table"),
    "a number for stores": ("[USD]\nstores = 5", r"line 2: USD\.stores has to be a table"),
    "no store": ('[stores]\nrefused = ["https://luma.gift"]', r"line 2: stores\.refused has an entry that is no store"),
    "one store for a list": ('[stores]\nallowed = "luma.gift"', r"line 2: stores\.allowed has to be a list of names"),
    "a number for a store": ("[stores]\nallowed = [5]", r"line 2: stores\.allowed has an entry that is not a text"),
    "no length of time": ('[stores]\ncooling_off = "soon"', r"line 2: stores\.cooling_off has to be a length of time"),
    "a bare number of time": ("[addresses]\ncooling_off = 24", r"line 2: addresses\.cooling_off has to be a length"),
    "neither ask nor refuse": ('[addresses]\nunknown = "allow"', r'line 2: addresses\.unknown has to be "ask" or "ref'),
    "half a thing": ("[orders]\nlargest_quantity = 1.5", r"line 2: orders\.largest_quantity has to be a whole number"),
    "not one thing": ("[orders]\nlargest_quantity = 0", r"line 2: orders\.largest_quantity is too small"),
    "a word for a truth value": (
        '[orders]\nplace_order = "no"',
        r"line 2: orders\.place_order has to be true or false",
    ),
    "no zone": ('[hours]\nzone = "Mars"\nfrom = "08:00"\nto = "09:00"', r"line 2: hours\.zone has to be a time zone"),
    "a zone that is a path": ('[hours]\nzone = "../UTC"\nfrom = "08:00"\nto = "09:00"', r"line 2: hours\.zone has to"),
    "no time of day": ('[hours]\nzone = "UTC"\nfrom = "8"\nto = "24:00"', r"line 3: hours\.from .*line 4: hours\.to"),
    "hours without an end": ('\n[hours]\nzone = "UTC"\nfrom = "08:00"', r"line 2: hours\.to is missing"),
}


@pytest.mark.parametrize(("text", "place"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_refused_whole_and_the_line_and_key_are_named(text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s){place}.*No order is sent"):
        read_rules(text)


CONTRADICTORY = {
    "an order": ("[USD]\nask_above = 2\nrefuse_above = 1", r"line 2: USD\.ask_above is above refuse_above\."),
    "a day": (
        '[EUR]\nask_above_a_day = "2.01"\nrefuse_above_a_day = "2"',
        r"line 2: EUR\.ask_above_a_day is above refuse_above_a_day\.",
    ),
    "a month at a store": (
        '[EUR]\n[EUR.stores."a.example"]\nask_above_a_month = 3\nrefuse_above_a_month = 2',
        r'line 3: EUR\.stores\."a\.example"\.ask_above_a_month is above',
    ),
    "a week on a card": (
        "[EUR.cards]\nVisa.ask_above_a_week = 3\nVisa.refuse_above_a_week = 2",
        r"line 2: EUR\.cards\.Visa",
    ),
    "a store that is both": (
        '[stores]\nallowed = ["a.example"]\nrefused = ["A.EXAMPLE"]',
        r"line 2: stores\.allowed has",
    ),
    "a refused store without asking": (
        '[stores]\nwithout_asking = ["a.example"]\nrefused = ["a.example"]',
        r"line 2: stores\.without_asking has a\.example, and so has stores\.refused",
    ),
    "a store without asking that is not allowed": (
        '[stores]\nallowed = ["a.example"]\nwithout_asking = ["b.example"]',
        r"line 3: stores\.without_asking has b\.example, and stores\.allowed does not",
    ),
    "limits of a refused store": (
        '[stores]\nrefused = ["a.example"]\n[USD.stores."a.example"]\nask_above = 1',
        r'line 3: USD\.stores\."a\.example" has limits, and stores\.refused refuses it',
    ),
    "limits of a store that is not allowed": (
        '[stores]\nallowed = []\n[USD.stores."a.example"]\nask_above = 1',
        r"line 3: .* has limits, and stores\.allowed does not have it",
    ),
    "a store twice": (
        '[USD.stores."a.example"]\nask_above = 1\n[USD.stores."A.example"]\nask_above = 9',
        r"line 3: .*a\.example once more",
    ),
    "a card twice": ("[USD.cards.Visa]\n[USD.cards.visa]\n", r"line 2: USD\.cards\.visa is Visa once more"),
    "hours of no length": (
        '[hours]\nzone = "UTC"\nfrom = "08:00"\nto = "08:00"',
        r"line 4: hours\.to is the same time",
    ),
}


@pytest.mark.parametrize(("text", "place"), CONTRADICTORY.values(), ids=CONTRADICTORY.keys())
def test_a_file_that_contradicts_itself_is_refused_whole(text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s)contradict each other: {place}.*No order is sent"):
        read_rules(text)


def test_the_reference_shows_a_file_that_can_be_read_and_has_every_rule_there_is() -> None:
    read_rules(rules_example())
    shown = set(re.findall(r"^(\w+) = ", rules_example(), re.MULTILINE))
    tables: list[type[BaseModel]] = [CurrencyRules, StoreRules, AddressRules, OrderRules, HourRules]
    every = {field.alias or name for table in tables for name, field in table.model_fields.items()}
    assert shown == every - {"stores", "cards"}


FRAGMENTS = [
    "[USD]",
    "[USD.stores.a]",
    '[USD.cards."1"]',
    "[[stores]]",
    "[hours]",
    "=",
    "ask_above=",
    "'x'",
    "[",
    "]",
    "0",
    "1e9",
    "nan",
    '"a.b"',
    "{",
    "}",
    ",",
    "zone=",
    "to=",
    "08:00:00",
    "allowed=",
    "true",
    "#",
    ".",
    "2026-11-21",
]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from([*FRAGMENTS, "\n"]), max_size=16).map("".join))
def test_any_text_is_rules_or_is_refused_as_such(text: str) -> None:
    with suppress(SettingsError):
        assert isinstance(read_rules(text), Rules)


def test_limits_that_are_equal_do_not_contradict() -> None:
    assert read_rules("[USD]\nask_above = 1\nrefuse_above = 1").limits["USD"].refuse_above == 1


def test_every_wrong_place_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)line 2.*line 3.*line 5"):
        read_rules('[USD]\nask_abov = 1\nrefuse_above = "much"\n[orders]\nplace_order = 0')


def test_a_key_inside_a_text_of_many_lines_is_not_taken_for_the_key() -> None:
    text = '[stores]\nallowed = [\n  "a.example",\n  "b",\n]\n[USD]\nask_above = """\nask_above = 1"""'
    with pytest.raises(SettingsError, match=r"line 7: USD\.ask_above"):
        read_rules(text)
