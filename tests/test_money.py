from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.money import Money, minor_units


@pytest.mark.parametrize(
    ("number", "currency", "shown"),
    [(5340, "USD", "53.40"), (5340, "JPY", "5340"), (5340, "KWD", "5.340"), (0, "USD", "0.00"), (-150, "EUR", "-1.50")],
)
def test_minor_units_become_an_amount_with_the_currencys_digits(number: int, currency: str, shown: str) -> None:
    assert Money.from_minor(number, currency).plain == shown


@pytest.mark.parametrize("amount", ["", "ten", "NaN", "Infinity", "1,50", "1.5.0"])
def test_what_is_no_finite_decimal_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        Money.parse(amount, "USD")


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDX", "U$D", "ÜSD"])
def test_what_is_no_currency_code_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="4217"):
        Money.parse("1", currency)


def test_two_currencies_never_meet() -> None:
    dollars, euros = Money.parse("1", "USD"), Money.parse("1", "EUR")
    with pytest.raises(ValueError, match="do not mix"):
        _ = dollars + euros
    with pytest.raises(ValueError, match="do not mix"):
        _ = dollars < euros
    assert dollars != euros


def test_digits_beyond_the_currencys_own_are_shown_and_not_rounded_away() -> None:
    assert Money.parse("1.005", "USD").plain == "1.005"


@pytest.mark.parametrize(("amount", "shown"), [("1e30", f"1{'0' * 30}.00"), (f"{'9' * 40}.123", f"{'9' * 40}.123")])
def test_an_amount_of_more_digits_than_a_sum_keeps_is_written_whole(amount: str, shown: str) -> None:
    assert Money.parse(amount, "USD").plain == shown


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_every_minor_amount_reads_back_exactly(number: int, currency: str) -> None:
    money = Money.from_minor(number, currency)
    assert money.amount.scaleb(minor_units(currency)) == number
    assert Money.parse(money.plain, currency) == money


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(0, 1000))
def test_sums_and_multiples_are_exact(one: int, other: int, times: int) -> None:
    a, b = Money.from_minor(one, "USD"), Money.from_minor(other, "USD")
    assert (a + b - b) == a
    assert (a * times).amount == a.amount * Decimal(times)


@pytest.mark.parametrize(
    ("amount", "currency", "displayed"),
    [
        ("1053.4", "USD", "$1,053.40"),
        ("-0.5", "USD", "\N{MINUS SIGN}$0.50"),
        ("5340", "JPY", "¥5,340"),
        ("12", "CHF", "CHF\N{NO-BREAK SPACE}12.00"),
        ("1.005", "GBP", "£1.005"),
    ],
)
def test_a_person_reads_an_amount_with_its_symbol_where_that_names_one_currency(
    amount: str, currency: str, displayed: str
) -> None:
    assert Money.parse(amount, currency).display() == displayed
