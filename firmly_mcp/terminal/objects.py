"""What a script adds: one JSON object on standard input. Nothing of it is echoed: any part may be a card number."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import WalletError

_LONGEST: Final = 16 * 1024
# Stands for every field that we do not know: its name may be a card number too.
_UNKNOWN: Final = "(unknown)"


def read_object(command: str, required: Sequence[str], optional: Sequence[str]) -> Mapping[str, SecretStr]:
    """The fields of the object on standard input; one that is null or absent is left out.

    Raises:
        WalletError: standard input is a terminal, or holds something else.
    """
    if sys.stdin.isatty():
        raise WalletError(f"`{command} --stdin` reads from a pipe; leave out --stdin to be asked in the terminal.")
    known = [*required, *optional]
    found = _fields_in(SecretStr(sys.stdin.buffer.read(_LONGEST + 1).decode("utf-8", "replace")), known)
    if found is None:
        raise WalletError(
            f"`{command} --stdin` takes one JSON object of texts on standard input, of at most {_LONGEST} bytes; "
            f"what came is something else. Its fields: {', '.join(known)}."
        )
    missing = [field for field in required if field not in found]
    if missing:
        raise WalletError(f"The object on standard input lacks {', '.join(missing)}.")
    if _UNKNOWN in found:
        raise WalletError(f"The object on standard input has a field other than {', '.join(known)}.")
    return found


def text_of(fields: Mapping[str, SecretStr], field: str) -> str | None:
    """A field that is no secret."""
    found = fields.get(field)
    return None if found is None else found.get_secret_value()


def _fields_in(text: SecretStr, known: Sequence[str]) -> dict[str, SecretStr] | None:
    if len(text) > _LONGEST:
        return None
    try:
        read = json.loads(text.get_secret_value())
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not all(_is_text(value) for value in read.values()):
        return None
    return {
        field if field in known else _UNKNOWN: SecretStr(str(value))
        for field, value in read.items()
        if value is not None
    }


def _is_text(value: object) -> bool:
    """A whole number will do: `"month": 8`."""
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))
