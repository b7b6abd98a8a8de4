"""Questions at the controlling terminal, which no program can answer through a pipe: a yes, a PIN, a security code.

A person's act goes through `by_person`, which makes the proof that the act requires.
"""

from __future__ import annotations

import getpass
import json
import signal
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

import click

from firmly_mcp.errors import MoneyMoved, NotAllowed, PinRefused, WalletError

if TYPE_CHECKING:
    import asyncio

    from pydantic import SecretStr

    from firmly_mcp.wallet.pin import ApprovalPin, ApprovalProof

T = TypeVar("T")

_MOST_LINES: Final = 20


@contextmanager
def controlling_terminal(act: str, *, money_moved: MoneyMoved = "no") -> Iterator[TextIO]:
    """The terminal that a person sits at; `act` is what needs it, such as "Accepting rules".

    `money_moved` is what is known about the money of an order that the act is about.

    Raises:
        NotAllowed: there is none.
    """
    try:
        opened = open("/dev/tty", "r+b", buffering=0)  # noqa: SIM115, PTH123 - closed below, with what is around it
    except OSError:
        refusal = f"{act} needs a terminal, and this program has none. Nothing was sent or changed."
        raise NotAllowed(refusal, money_moved=money_moved) from None
    with TextIOWrapper(opened, encoding="utf-8", errors="replace", write_through=True) as terminal:
        yield terminal


def secret(text: str) -> SecretStr:
    """Return the text as a value that no traceback and no log shows."""
    from pydantic import SecretStr

    return SecretStr(text)


async def answered(ask: Callable[[TextIO], T], terminal: TextIO) -> T:
    """What a person answers. Ctrl-C ends it at once, and leaves the terminal as it was before the question."""
    import asyncio
    import termios

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(how: Callable[[Any], None], what: object) -> None:
        if not answer.done():
            how(what)

    def wait() -> None:
        try:
            told: tuple[Callable[[Any], None], object] = (answer.set_result, ask(terminal))
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            told = (answer.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *told)

    before = termios.tcgetattr(terminal.fileno())
    # Nobody waits for this thread at the end of the program, as they would for one of a pool.
    threading.Thread(target=wait, daemon=True).start()
    try:
        return await answer
    finally:
        termios.tcsetattr(terminal.fileno(), termios.TCSANOW, before)


def decided(
    question: str,
    read: Callable[[str], T | None],
    *,
    again: str,
    unanswered: str,
    money_moved: MoneyMoved = "no",
) -> Callable[[TextIO], T]:
    """A question for `answered` that is asked again until `read` knows the line: a slip of the hand decides nothing.

    Raises:
        NotAllowed: the input ended, or no line of many was an answer; `unanswered` says what that means, and
            `money_moved` is what is known about the money.
    """

    def ask(terminal: TextIO) -> T:
        for _ in range(_MOST_LINES):
            terminal.write(question)
            terminal.flush()
            line = terminal.readline()
            if not line:
                break  # a line that was typed has an end; without one the input was closed
            if (answer := read(line.strip())) is not None:
                return answer
            terminal.write(f"{again}\n")
        raise NotAllowed(unanswered, money_moved=money_moved)

    return ask


def unseen(question: str) -> Callable[[TextIO], SecretStr]:
    """A question for `answered` whose answer is not shown while it is typed.

    Raises:
        NotAllowed: the input ended.
    """

    def ask(terminal: TextIO) -> SecretStr:
        with warnings.catch_warnings():
            # getpass warns, and then shows what is typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return secret(getpass.getpass(f"{question} (not shown): ", stream=terminal).strip())
            except EOFError:
                ended = NotAllowed("The input ended before the last question. Nothing was sent or changed.")
        raise ended

    return ask


def proof_at(terminal: TextIO, pin: SecretStr | None = None) -> ApprovalProof:
    """The proof of a person at this terminal, with the PIN that they typed.

    Raises:
        NotAllowed: it is no terminal.
    """
    if not terminal.isatty():
        raise NotAllowed("This needs a terminal. Nothing was sent or changed.")
    from firmly_mcp.wallet.pin import ApprovalProof

    return ApprovalProof("terminal", pin)


@dataclass(frozen=True, slots=True)
class Word:
    """What a person types where no PIN is set: the word, and what it does, such as "unlock the card"."""

    word: str
    purpose: str


async def by_person(
    pin: ApprovalPin,
    terminal: TextIO,
    act: Callable[[ApprovalProof], Awaitable[T]],
    *,
    without_pin: Word | None = None,
    money_moved: MoneyMoved = "no",
) -> T:
    """Do a person's act, with the PIN where one is set; a wrong one is asked for again while there are tries.

    Where none is set, the person types `without_pin`; None where they have answered another question already.

    Raises:
        NotAllowed: the person typed another word, or no answer was the PIN. Nothing was changed.
        PinRefused: the PIN was wrong too often, or it is locked.
    """
    from firmly_mcp.wallet.pin import TRIES

    if not await pin.is_set():
        if without_pin is not None:
            await _typed_word(without_pin, terminal, money_moved)
        return await act(proof_at(terminal))
    for _ in range(TRIES):
        typed = await answered(unseen("Approval PIN"), terminal)
        try:
            return await act(proof_at(terminal, typed))
        except PinRefused as refused:
            if not refused.tries_left:
                raise
            terminal.write(f"{refused.message}\n")
    raise NotAllowed(no_pin(), money_moved=money_moved)


def no_pin() -> str:
    """Return what to tell a person whose answers were all wrong."""
    from firmly_mcp.wallet.pin import TRIES

    return f"None of {TRIES} answers was the approval PIN. Nothing was sent or changed."


async def _typed_word(wanted: Word, terminal: TextIO, money_moved: MoneyMoved) -> None:
    asked = decided(
        f"Type {wanted.word} to {wanted.purpose}, or no to leave it: ",
        lambda line: {wanted.word: True, "no": False, "n": False}.get(line.casefold()),
        again=f"That is neither {wanted.word} nor no.",
        unanswered="No answer came. Nothing was changed.",
        money_moved=money_moved,
    )
    if not await answered(asked, terminal):
        raise NotAllowed("The answer was no. Nothing was changed.", money_moved=money_moved)


# Questions in a terminal.

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
        answer = _hidden(question) if hidden else _visible_answer(question)
    if answer is None:
        raise WalletError("The input ended before the last question; nothing was added.")
    return answer


def _visible_answer(question: str) -> SecretStr | None:
    click.echo(f"{question}: ", err=True, nl=False)
    line = secret(sys.stdin.readline())
    # A line that was typed has an end; without one the input was closed.
    return secret(line.get_secret_value().strip()) if line else None


def _hidden(question: str) -> SecretStr | None:
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


# What a script adds: one JSON object on standard input.

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
    found = _fields_in(secret(sys.stdin.buffer.read(_LONGEST + 1).decode("utf-8", "replace")), known)
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
        field if field in known else _UNKNOWN: secret(str(value)) for field, value in read.items() if value is not None
    }


def _is_text(value: object) -> bool:
    """A whole number will do: `"month": 8`."""
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))
