"""A limit in a currency that does not exist would hold for nothing: there is a table of those that do."""

import pytest

from firmly_mcp.money import _MINOR_UNITS, CURRENCIES, nearest_currency


def test_every_currency_is_a_code_of_three_letters_and_no_code_of_something_else() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert {"USD", "EUR", "GBP", "JPY", "KWD", "CHF", "XAF", "SLE", "ZWG"} <= CURRENCIES
    assert not {"UDS", "DEM", "XXX", "XTS", "XAU", "XDR", "USX"} & CURRENCIES
    assert set(_MINOR_UNITS) <= CURRENCIES


@pytest.mark.parametrize(
    ("written", "meant"),
    [("UDS", "USD"), ("usd", "USD"), ("EURO", "EUR"), ("GPB", "GBP"), ("USB", "USD"), ("QQQ", None), ("x" * 99, None)],
)
def test_a_typing_error_has_the_currency_that_was_meant(written: str, meant: str | None) -> None:
    assert nearest_currency(written) == meant
