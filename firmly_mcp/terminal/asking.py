"""Questions in a terminal. What is typed is a SecretStr from the line that reads it: any answer may hold a card number.

Questions and remarks go to stderr; stdout is for what a command gives.
"""

from __future__ import annotations

import getpass
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click
from pydantic import SecretStr

from firmly_mcp.errors import WalletError

_TRIES: Final = 5
_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}


def require_terminal(command: str, fields: str) -> None:
    """Refuse to ask where nobody can answer.

    Raises:
        WalletError: with both ways to run the command.
    """
    if not sys.stdin.isatty():
        raise WalletError(
            f"`{command}` asks its questions in a terminal, and standard input is none. Run it in a terminal; or run "
            f"`{command} --stdin` with one JSON object on standard input: {fields}."
        )


def ask(question: str, problem: Callable[[SecretStr], str | None], *, hidden: bool = False) -> SecretStr:
    """One answer that `problem` finds nothing wrong with; what is wrong is said, and the question asked again.

    Raises:
        WalletError: the input ended, the terminal cannot hide it, or no answer was fine.
    """
    for _ in range(_TRIES):
        answer = _typed(question, hidden=hidden)
        found = problem(answer)
        if found is None:
            return answer
        click.echo(found, err=True)
    raise WalletError(f"None of {_TRIES} answers was fine; nothing was added.")


def confirm(question: str) -> bool:
    """Whether a person says yes; an empty answer is a no, and what is neither is asked again.

    Raises:
        WalletError: the input ended.
    """
    for _ in range(_TRIES):
        typed = _typed(f"{question} [y/N]", hidden=False).get_secret_value().strip().casefold()
        if typed in _ANSWERS:
            return _ANSWERS[typed]
        click.echo("Answer y or n.", err=True)
    return False


def _typed(question: str, *, hidden: bool) -> SecretStr:
    with _interruptible():
        answer = _unseen(question) if hidden else _seen(question)
    if answer is None:
        raise WalletError("The input ended before the last question; nothing was added.")
    return answer


def _seen(question: str) -> SecretStr | None:
    click.echo(f"{question}: ", err=True, nl=False)
    line = SecretStr(sys.stdin.readline())
    # A line that was typed has an end; without one the input was closed.
    return SecretStr(line.get_secret_value().strip()) if line else None


def _unseen(question: str) -> SecretStr | None:
    with warnings.catch_warnings():
        # getpass warns, and then shows what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return SecretStr(getpass.getpass(f"{question} (not shown): ", stream=sys.stderr).strip())
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
