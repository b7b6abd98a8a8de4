"""What a person types on the standard streams, or a script pipes in: cards, addresses, a yes.

Questions go to stderr. Every answer is a SecretStr from the line that reads it, because any of them may hold a card
number; no part of a script's object is printed.
"""

from __future__ import annotations

import getpass
import json
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.errors import WalletError

from .prompt import secret

if TYPE_CHECKING:
    from pydantic import SecretStr

_TRIES: Final = 5
_YES_OR_NO: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}
_MOST_BYTES: Final = 16 * 1024
# Stands for every unknown field: its name may be a card number too.
_UNKNOWN: Final = "(unknown)"


def require_terminal(command: str, fields: Sequence[str]) -> None:
    """Refuse to ask questions on a pipe.

    Raises:
        WalletError: names both ways to run the command.
    """
    if not sys.stdin.isatty():
        raise WalletError(
            f"`{command}` asks its questions in a terminal, and standard input is none. Run it in a terminal; or run "
            f"`{command} --stdin` with one JSON object on standard input: {', '.join(fields)}."
        )


def ask(question: str, problem: Callable[[SecretStr], str | None], *, hidden: bool = False) -> SecretStr:
    """Ask until `problem` finds nothing wrong with the answer; print what it finds.

    Raises:
        WalletError: the input ended, the terminal cannot hide it, or no answer was fine.
    """
    for _ in range(_TRIES):
        answer = _read_answer(question, hidden=hidden)
        found = problem(answer)
        if found is None:
            return answer
        click.echo(found, err=True)
    raise WalletError(f"None of {_TRIES} answers was fine; nothing was added.")


def confirm(question: str) -> bool:
    """Ask for yes or no, until it is one of them; an empty answer is no.

    Raises:
        WalletError: the input ended.
    """
    for _ in range(_TRIES):
        typed = _read_answer(f"{question} [y/N]", hidden=False).get_secret_value().strip().casefold()
        if typed in _YES_OR_NO:
            return _YES_OR_NO[typed]
        click.echo("Answer y or n.", err=True)
    return False


def _read_answer(question: str, *, hidden: bool) -> SecretStr:
    with _interruptible():
        answer = _read_hidden(question) if hidden else _read_line(question)
    if answer is None:
        raise WalletError("The input ended before the last question; nothing was added.")
    return answer


def _read_line(question: str) -> SecretStr | None:
    click.echo(f"{question}: ", err=True, nl=False)
    line = secret(sys.stdin.readline())
    # A typed line has an end; without one the input was closed.
    return secret(line.get_secret_value().strip()) if line else None


def _read_hidden(question: str) -> SecretStr | None:
    with warnings.catch_warnings():
        # getpass warns, and then shows what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return secret(getpass.getpass(f"{question} (not shown): ", stream=sys.stderr).strip())
        except EOFError:
            return None
        except getpass.GetPassWarning:
            can_hide = False
    if not can_hide:
        raise WalletError("This terminal cannot hide what is typed, so nothing secret is asked for here.")
    return None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question at once: the event loop's own handler would wait for the answer first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def read_object(command: str, required: Sequence[str], optional: Sequence[str]) -> Mapping[str, SecretStr]:
    """Read the fields of the object on standard input, without those that are null.

    Raises:
        WalletError: standard input is a terminal, or holds anything else.
    """
    if sys.stdin.isatty():
        raise WalletError(f"`{command} --stdin` reads from a pipe; leave out --stdin to be asked in the terminal.")
    known = [*required, *optional]
    found = _fields_in(secret(sys.stdin.buffer.read(_MOST_BYTES + 1).decode("utf-8", "replace")), known)
    if found is None:
        raise WalletError(
            f"`{command} --stdin` takes one JSON object of texts on standard input, of at most {_MOST_BYTES} bytes; "
            f"what came is something else. Its fields: {', '.join(known)}."
        )
    missing = [field for field in required if field not in found]
    if missing:
        raise WalletError(f"The object on standard input lacks {', '.join(missing)}.")
    if _UNKNOWN in found:
        raise WalletError(f"The object on standard input has a field other than {', '.join(known)}.")
    return found


def text_of(fields: Mapping[str, SecretStr], field: str) -> str | None:
    """Return a field that is no secret."""
    found = fields.get(field)
    return None if found is None else found.get_secret_value()


def _fields_in(text: SecretStr, known: Sequence[str]) -> dict[str, SecretStr] | None:
    if len(text) > _MOST_BYTES:
        return None
    try:
        read = json.loads(text.get_secret_value())
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not all(_is_text(value) for value in read.values()):
        return None
    fields = {field if field in known else _UNKNOWN: value for field, value in read.items() if value is not None}
    return {field: secret(str(value)) for field, value in fields.items()}


def _is_text(value: object) -> bool:
    """Return whether the value is null, text or a whole number (`"month": 8`)."""
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))
