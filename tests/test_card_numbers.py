import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.card_numbers import HIDDEN, hide_card_numbers, holds_card_number

VISA = "4111111111111111"


@pytest.mark.parametrize(
    "value",
    [
        VISA,
        "pay with 4111 1111 1111 1111 please",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u20111111\u00a01111",
        "4\u200b111111111111111",
        "\uff14" + "\uff11" * 15,
        "378282246310005",
        "5555 5555 5555 4444 12/30 123",
        "12 4111111111111111",
        4111111111111111,
        ["x", {"deep": {"deeper": ["4242 4242 4242 4242"]}}],
        {"4111111111111111": "as a key"},
    ],
)
def test_a_card_number_is_found_however_it_is_written(value: object) -> None:
    assert holds_card_number(value)


@pytest.mark.parametrize(
    "value",
    [
        "40216870912345",  # a variant id of 14 digits
        "4006381333931",  # an EAN
        "4111111111111112",  # no check digit
        "9400111899223123456789",  # a parcel
        "24111111111111111",  # a longer number that holds one
        "+1 206 555 0100, 98101",
        "2026-11-21T20:36:39",
        True,
        None,
        12345,
        {"ref": "WS12-XS-Orange", "quantity": 2},
    ],
)
def test_a_shops_own_numbers_pass(value: object) -> None:
    assert not holds_card_number(value)


def test_a_hidden_number_leaves_the_rest_of_the_text() -> None:
    assert hide_card_numbers(f"a {VISA} b 4242 4242 4242 4242 c") == f"a {HIDDEN} b {HIDDEN} c"


@given(st.text(), st.text())
def test_what_was_hidden_is_not_found_again(before: str, after: str) -> None:
    assert not holds_card_number(hide_card_numbers(f"{before} {VISA} {after}"))
