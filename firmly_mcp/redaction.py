"""What stderr must never show: card numbers, security codes, sealed cards and tokens, in messages and in tracebacks."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

from .card_numbers import hide_card_numbers

# A JWT or a JWE in compact form: base64url parts, the first of which is a JSON object.
_COMPACT_JOSE: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}")
_SECURITY_CODE: Final = re.compile(r"(?i)(verification_value|cvv|cvc|security code)(\W{1,4})\d{3,4}\b")


def redact(text: str) -> str:
    """The text without card numbers, security codes that are named as such, JWEs and JWTs."""
    hidden = _COMPACT_JOSE.sub("[token]", hide_card_numbers(text))
    return _SECURITY_CODE.sub(r"\1\2[hidden]", hidden)


class Redact(logging.Filter):
    """Redacts a record's message and its traceback before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always kept."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send all logging to stderr, redacted. Standard output is the protocol's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redact())
    logging.basicConfig(level=level, handlers=[handler], force=True)
