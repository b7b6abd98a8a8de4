"""Equal amounts agree, however a person writes them; what could be another amount agrees with nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.cli.prompt import is_amount
from firmly_mcp.money import Money

AGREE = [
    ("174.40", "USD", "174.40"), ("174.40", "USD", "174.4"), ("174.40", "USD", "174,40"), ("174.40", "USD", "174,4"),
    ("174.40", "USD", "$174.40"), ("174.40", "USD", "USD 174.40"), ("174.40", "USD", "174.40 usd"),
    ("174.40", "USD", "$174.40 USD"), ("174.40", "USD", "US$174.40"), ("174.40", "EUR", "174,40 \u20ac"),
    ("1174.40", "USD", "1,174.40"), ("1174.40", "USD", "1.174,40"), ("1174.40", "CHF", "1'174.40"),
    ("1174.40", "EUR", "1\u00a0174,4"), ("1174.40", "EUR", "1\u202f174,40"), ("1174.00", "USD", "1174"),
    ("1174.00", "USD", "1,174"), ("1174567.00", "USD", "1,174,567"), ("174.00", "USD", "174."),
    ("5340", "JPY", "\u00a55,340"), ("1.234", "KWD", "1.234"), ("53.405", "USD", "53.405"),
    ("174.40", "USD", "\uff11\uff17\uff14.\uff14"),
]  # fmt: skip
DIFFER = [
    ("174.40", "USD", ""), ("174.40", "USD", "174"), ("174.40", "USD", "17440"), ("174.40", "USD", "1744"),
    ("174.40", "USD", "174.400"), ("174.40", "USD", "174.40.0"), ("174.40", "USD", "174.4O"),
    ("174.40", "USD", "-174.40"), ("174.40", "USD", "NaN"),
    ("174.40", "USD", "+174.40"), ("174.40", "USD", "EUR 174.40"), ("174.40", "USD", "\u20ac174.40"),
    ("174.40", "CAD", "\u00a3174.40"), ("174.40", "USD", "1.744e2"), ("174.40", "USD", "1,74.40"),
    ("174.40", "USD", "174.40 174.40"), ("174.40", "USD", "174_40"),
    ("1234.00", "KWD", "1,234"), ("1.234", "KWD", "1,234"),
    ("174.40", "USD", "\u0661\u0667\u0664.\u0664"), ("174.40", "USD", "1" * 400), ("1174.40", "USD", "1,1744.0"),
]  # fmt: skip


@pytest.mark.parametrize(("amount", "currency", "typed"), AGREE)
def test_equal_amounts_agree(amount: str, currency: str, typed: str) -> None:
    assert is_amount(typed, Money.parse(amount, currency))


@pytest.mark.parametrize(("amount", "currency", "typed"), DIFFER)
def test_another_amount_or_one_that_may_be_another_does_not(amount: str, currency: str, typed: str) -> None:
    assert not is_amount(typed, Money.parse(amount, currency))


@given(st.text(max_size=80), st.decimals(0, 10**6, places=2))
def test_no_text_agrees_that_has_other_digits(typed: str, amount: Decimal) -> None:
    total = Money(amount, "USD")
    digits = "".join(filter(str.isdigit, typed)).strip("0")
    assert not is_amount(typed, total) or digits == "".join(filter(str.isdigit, total.plain)).strip("0")
