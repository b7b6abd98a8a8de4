import logging
import subprocess
import sys

import pytest

from firmly_mcp.redaction import LONGEST, Redact, redact

JWE = "eyJhbGciOiJSU0EtT0FFUC0yNTYi.aaaa.bbbb.cccc.dddd"


def test_card_numbers_codes_and_tokens_are_hidden() -> None:
    shown = redact(f"card 4111111111111111, verification_value='123', token {JWE}")
    assert "4111" not in shown
    assert "123" not in shown
    assert "eyJ" not in shown


def test_a_traceback_is_hidden_too() -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed for %s", ("4111111111111111",), None)
    try:
        raise ValueError("4242424242424242")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert Redact().filter(record)
    shown = logging.Formatter().format(record)
    assert "ValueError" in shown
    assert "4111111111111111" not in shown
    assert "4242424242424242" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "{'first_name': 'Ana', 'address1': '1 Test Street', 'city': 'Seattle'}",
        'body {"first_name":"Ana","address1":"1 Test Street","city":"Seattle","email":"ana@example.com"}',
        "AddressFields(first_name='Ana', address1='1 Test Street', city='Seattle')",
        "could not write to ana@example.com, phone: 206-555-0100",
        "address_line_1=1TestStreet; zip=98101",
    ],
)
def test_addresses_are_hidden(text: str) -> None:
    shown = redact(text)
    for part in ("Ana", "Test", "Seattle", "ana@", "555", "98101"):
        assert part not in shown, shown


def test_tokens_and_pins_are_hidden() -> None:
    shown = redact("Authorization: Bearer abcdef0123456789, x-firmly-authorization: zyxw98765432, pin='778899'")
    for part in ("abcdef", "zyxw", "7788"):
        assert part not in shown


def test_what_is_no_secret_stays_readable() -> None:
    text = "GET https://api.example/api/v2/domains/luma.gift/cart answered 503, attempt att_0123456789abcdef"
    assert redact(text) == text


@pytest.mark.parametrize(
    "secret", ["4111 1111 1111 1111", "4111111111111111", JWE, "cvv=123", "Bearer abcdef0123456789"]
)
@pytest.mark.parametrize("before", range(0, 60, 7))
def test_no_part_of_a_secret_is_shown_where_a_text_is_cut(secret: str, before: int) -> None:
    text = "x " * (LONGEST // 2 - before) + secret + " y" * 1_000
    shown = redact(text)
    assert len(shown) <= LONGEST + 50
    assert not {"4111", "123", "eyJ", "abcdef"} & {
        shown[place : place + size] for size in (3, 4, 6) for place in range(len(shown))
    }


@pytest.mark.parametrize("unit", ["eyJ-", "eyJaaaaaaaaa-", "a@", "city=", "1 ", "cvv ", "bearer ", "a.a@", '"city" '])
def test_of_a_log_line_without_end_only_the_begin_is_looked_at(unit: str) -> None:
    class Text(str):
        """A text that counts what is taken of it."""

        taken = 0

        def __getitem__(self, key: object) -> str:
            part = str.__getitem__(self, key)  # type: ignore[index]
            Text.taken += len(part)
            return part

    assert len(redact(Text(unit * 100_000))) <= 2 * LONGEST
    assert 0 < Text.taken <= 2 * LONGEST


CRASH = """
import threading, sys
from firmly_mcp.redaction import log_to_stderr
log_to_stderr()
def fail():
    card = "4111111111111111"
    raise ValueError(f"no {card} for ana@example.com")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_the_traceback_of_a_crash_is_hidden_too() -> None:
    crashed = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert crashed.returncode == 1
    assert not crashed.stdout
    assert crashed.stderr.count("ValueError: no [card number] for [email]") == 2
    assert '4111111111111111"' not in crashed.stderr.replace('card = "4111111111111111"', "")
