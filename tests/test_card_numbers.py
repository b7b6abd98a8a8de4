import sys
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.redaction import HIDDEN, brand_of, hide_card_numbers, holds_card_number, passes_luhn

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


def hidden_slowly(text: str) -> str:
    """The same by its definition: at each place the longest number of a brand that is no part of a longer one."""
    shown, place = "", 0
    while place < len(text):
        end = next((end for end in range(len(text), place, -1) if is_a_number(text, place, end)), None)
        shown, place = (shown + text[place], place + 1) if end is None else (shown + HIDDEN, end)
    return shown


def is_a_number(text: str, place: int, end: int) -> bool:
    part = text[place:end]
    digits = part.replace(" ", "").replace("-", "")
    inside_a_number = text[:place][-1:].isdigit() or text[end:][:1].isdigit()
    gaps_are_short = not any(gap in part for gap in ("   ", "---", "  -", " --", "-  ", "--  ", " - ", "- -", "-- "))
    return (
        digits.isdecimal()
        and part[0].isdigit()
        and part[-1].isdigit()
        and gaps_are_short
        and not inside_a_number
        and brand_of(digits) is not None
        and passes_luhn(digits)
    )


NUMBERS = st.sampled_from([VISA, "4242 4242 4242 4242", "378282246310005", "6011-1111-1111-1117", "30569309025904"])
PARTS = st.one_of(NUMBERS, st.text("0123456789", max_size=9), st.sampled_from([" ", "-", "  ", "   ", "x", "4 4 4 "]))


@settings(deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join))
def test_the_one_pass_finds_what_the_definition_finds(text: str) -> None:
    assert hide_card_numbers(text) == hidden_slowly(text)


def copies_of_the_text(text: str) -> int:
    """How often the search for card numbers copies the whole run of digits that it looks at."""
    copies = 0

    def seen(frame: FrameType, event: str, called: object) -> None:
        nonlocal copies
        copies += event == "c_call" and getattr(called, "__name__", "") == "group"

    sys.setprofile(seen)
    try:
        holds_card_number(text)
    finally:
        sys.setprofile(None)
    return copies


def test_a_run_of_digits_is_searched_in_one_pass() -> None:
    assert copies_of_the_text("4 " * 50) == copies_of_the_text("4 " * 500) == 1


def test_digits_without_end_hide_no_card_number_before_or_behind_them() -> None:
    run = "4 " * 50_000
    assert hide_card_numbers(f"{VISA} x {run} x {VISA}").count("1111") == 0
