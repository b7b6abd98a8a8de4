import logging

from firmly_mcp.redaction import Redact, redact

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
