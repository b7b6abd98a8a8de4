from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from stdnum import luhn

from firmly_mcp.errors import CardRefused
from firmly_mcp.redaction import BRANDS, brand_of, passes_luhn
from firmly_mcp.simulator import security as simulator
from firmly_mcp.wallet.cards import TEST_NUMBERS, Card, CardSummary, card_from, entry_of, expiry_problem
from firmly_mcp.wallet.entries import label_problem

from .samples import NOW, REAL_LOOKING, TEST_VISA, a_card


@st.composite
def card_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number that a brand could have issued, and the brand's name."""
    brand = draw(st.sampled_from(BRANDS))
    low, high = draw(st.sampled_from(brand.prefixes))
    start = str(draw(st.integers(low, high)))
    rest = draw(st.sampled_from(sorted(brand.lengths))) - len(start) - 1
    body = start + draw(st.text("0123456789", min_size=rest, max_size=rest))
    return body + luhn.calc_check_digit(body), brand.name


@given(card_numbers(), st.lists(st.sampled_from(["", " ", "-", "\u2011", "\u00a0"]), min_size=19, max_size=19))
def test_a_number_is_taken_however_it_is_grouped(issued: tuple[str, str], separators: list[str]) -> None:
    digits, brand = issued
    typed = "".join(digit + separator for digit, separator in zip(digits, separators, strict=False))
    card = a_card(number=SecretStr(typed), environment="sandbox")
    assert card.number.get_secret_value() == digits
    assert card.summary().brand == brand
    assert card.summary().last_four == digits[-4:]


@given(card_numbers(), st.data())
def test_one_mistyped_digit_is_always_noticed(issued: tuple[str, str], data: st.DataObject) -> None:
    digits, _ = issued
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != digits[place]]))
    with pytest.raises(CardRefused):
        a_card(number=SecretStr(digits[:place] + other + digits[place + 1 :]), environment="sandbox")


@given(st.one_of(st.text(max_size=40), st.text("0123456789 -x", min_size=8, max_size=24)))
def test_no_refusal_of_a_number_echoes_it(typed: str) -> None:
    try:
        a_card(number=SecretStr(typed), environment="sandbox")
    except CardRefused as refusal:
        digits = re.findall(r"\d{3,}", refusal.message)
        assert not digits, "a refusal counts digits, it does not quote them"
    else:
        taken = re.sub(r"\D", "", typed)
        assert brand_of(taken) is not None
        assert passes_luhn(taken)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"number": SecretStr("")}, "missing"),
        ({"number": SecretStr("4111 1111 1111 111x")}, "only digits"),
        ({"number": SecretStr("٤١١١١١١١١١١١١١١١")}, "only digits"),
        ({"number": SecretStr("4111 1111")}, "12 to 19 digits; this one has 8"),
        ({"number": SecretStr("4111111111111112")}, "check digit"),
        ({"number": SecretStr("0000000000000000")}, "No card brand"),
        ({"number": SecretStr("411111111111116")}, "No card brand that we know has such numbers of 15 digits"),
        ({"number": SecretStr(REAL_LOOKING)}, "only published test numbers"),
        ({"number": SecretStr(REAL_LOOKING), "environment": "custom"}, "only published test numbers"),
        ({"name": " "}, "name on the card is missing"),
        ({"name": "A" * 61}, "at most 60"),
        ({"name": "Ana\x1b[2J"}, "printable"),
        ({"name": "4111 1111 1111 1111"}, "belongs in another field"),
        ({"month": "13"}, "month from 01 to 12"),
        ({"month": "0"}, "month from 01 to 12"),
        ({"year": "203"}, "month from 01 to 12"),
        ({"month": "\uff11"}, "month from 01 to 12"),
        ({"month": "10", "year": "2026"}, "expired"),
        ({"year": "2047"}, "mistyped"),
        ({"label": ""}, "label is missing"),
        ({"label": "x" * 41}, "at most 40"),
        ({"label": "Vi\u202esa"}, "printable"),
        ({"label": "4111111111111111"}, "must not hold a card number"),
        ({"billing_address": "٤١١١١١١١١١١١١١١١"}, "must not hold a card number"),
    ],
)
def test_each_wrong_card_is_refused_with_its_reason(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CardRefused, match=re.escape(says)) as caught:
        a_card(**changes)
    assert caught.value.money_moved == "no"
    assert caught.value.__context__ is None, "a pydantic error holds what was typed"


def test_short_forms_of_the_expiry_date_are_completed() -> None:
    card = a_card(month=" 8", year="30")
    assert (card.month, card.year) == ("08", "2030")


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (datetime(2030, 8, 31, 23, 59, tzinfo=UTC), None),
        (datetime(2030, 9, 1, 11, 59, tzinfo=UTC), None),
        (datetime(2030, 9, 1, 12, 0, tzinfo=UTC), "The card has expired."),
    ],
)
def test_a_card_is_good_until_its_month_has_ended_everywhere(now: datetime, problem: str | None) -> None:
    assert expiry_problem("08", "2030", now) == problem
    assert a_card().summary().is_expired(now) == (problem is not None)


@given(st.text(max_size=60))
def test_a_label_that_is_taken_is_short_printable_and_no_card_number(label: str) -> None:
    if label_problem(label) is None:
        kept = a_card(label=label).label
        assert 1 <= len(kept) <= 40
        assert kept == kept.strip()
        assert kept.isprintable()
        assert sum(character.isdigit() for character in kept) <= 6


def test_a_card_shows_its_label_and_nothing_else() -> None:
    card = a_card()
    shown = [repr(card), str(card), f"{card}", f"{card!r:>10}", repr([card]), repr(vars(card)["number"])]
    for text in shown:
        assert TEST_VISA not in text
        assert "1111" not in text
    assert shown[0] == "Card(label='Visa')"
    assert TEST_VISA not in card.model_dump_json()
    assert TEST_VISA not in repr(card.summary())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_card_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(a_card(), protocol)


def test_a_copy_of_a_card_hides_as_much() -> None:
    assert repr(copy.deepcopy(a_card())) == "Card(label='Visa')"


def test_a_summary_is_a_plain_value() -> None:
    assert a_card(billing_address="Home").summary() == CardSummary(
        label="Visa", brand="visa", last_four="1111", month="08", year="2030", billing_address="Home"
    )


def test_an_entry_of_the_keyring_gives_the_card_back() -> None:
    card = a_card(label="Größte Karte", name="Łucja Ż'Or")
    assert card_from(entry_of(card)) == card
    assert TEST_VISA not in repr(entry_of(card))


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"label": "Visa", "number": 4111111111111111}',
        '{"label":"Visa","number":"4111111111111112","name":"Ana","month":"08","year":"2030","environment":"simulator"}',
        '{"label":"Visa","number":"4111111111111111","name":"Ana","month":"8","year":"20x0","environment":"simulator"}',
    ],
)
def test_an_entry_that_was_not_written_here_gives_no_card(entry: str) -> None:
    assert card_from(SecretStr(entry)) is None


@given(st.text())
def test_any_text_in_an_entry_is_a_card_or_nothing(text: str) -> None:
    assert card_from(SecretStr(text)) is None


def test_the_longest_card_fits_into_the_smallest_keyring_entry() -> None:
    card = a_card(
        label="ß" * 40, name="Ü" * 60, billing_address="é" * 40, number=SecretStr("6205500000000000004"),
        environment="production",
    )  # fmt: skip
    assert len(entry_of(card).get_secret_value().encode("utf-16-le")) < 2560


def test_every_test_number_is_a_card_number_that_the_simulator_knows() -> None:
    assert set(simulator.ACCEPTED) | set(simulator.DECLINED) == TEST_NUMBERS
    for number in TEST_NUMBERS:
        assert isinstance(a_card(number=SecretStr(number)), Card)


def test_a_test_number_is_taken_everywhere() -> None:
    for environment in ("simulator", "custom", "sandbox", "production"):
        assert a_card(environment=environment, now=NOW).environment == environment
