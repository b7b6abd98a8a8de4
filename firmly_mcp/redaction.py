"""What stderr must never show: card numbers, security codes, sealed cards, tokens and addresses.

Not in messages, not in tracebacks, and not in the one that a crash leaves behind.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Final

from .card_numbers import hide_card_numbers

# The longest text that is redacted; of a longer one the rest is left out.
LONGEST: Final = 20_000
_LEFT_OUT: Final = " [the rest is left out]"
# What may stand at a cut: the last word, and the digits before it, may be a part of a secret that no pattern knows.
_LONGEST_WORD: Final = 2_000
_OF_NUMBERS: Final = "0123456789 -./_\t"

# A JWT or a JWE in compact form: base64url parts, the first of which is a JSON object. It is looked for once in each
# run of such parts: from every place in a run, the rest of it would be read again.
_JOSE_PARTS: Final = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{11,}(?:\.[A-Za-z0-9_-]*)+")
_JOSE_BEGIN: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8}")
_BEARER: Final = re.compile(r"(?i)(bearer |authorization\W{1,4})[A-Za-z0-9._~+/-]{8,}=*")
_SECURITY_CODE: Final = re.compile(r"(?i)(verification_value|cvv|cvc|security code|\bpin)(\W{1,4})\d{3,}\b")
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
# A field of an address or a card's name, as JSON, a repr or a log line has it, with its value.
_FIELD: Final = re.compile(
    r"(?i)\b((?:first|last|full)_name|company|email|phone|address_?(?:line_)?[12]|city|state_or_province|postal_code|zip)"
    r"(['\"]?\s*[:=]\s*)(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s,;)}\]]+)"
)

_log = logging.getLogger("firmly_mcp")


def redact(text: str) -> str:
    """The text without card numbers, security codes that are named as such, JWEs, tokens and addresses."""
    if len(text) > LONGEST:
        text = _cut(text) + _LEFT_OUT
    hidden = _JOSE_PARTS.sub(_without_jose, hide_card_numbers(text))
    hidden = _BEARER.sub(r"\1[token]", hidden)
    hidden = _SECURITY_CODE.sub(r"\1\2[hidden]", hidden)
    return _EMAIL.sub("[email]", _FIELD.sub(r"\1\2[hidden]", hidden))


def _cut(text: str) -> str:
    end = LONGEST - _LONGEST_WORD
    return (text[:end] + text[end:LONGEST].rpartition(" ")[0]).rstrip(_OF_NUMBERS)


def _without_jose(parts: re.Match[str]) -> str:
    found = _JOSE_BEGIN.search(parts.group())
    return parts.group() if found is None else f"{parts.group()[: found.start()]}[token]"


class Redact(logging.Filter):
    """Redacts a record's message and its traceback before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always kept."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send all logging to stderr, redacted, and a crash's traceback with it. Standard output is the protocol's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redact())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    sys.excepthook = _log_crash
    threading.excepthook = _log_crash_of_thread


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _log.critical("ended by an error that nothing caught", exc_info=(kind, error, trace))


def _log_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
