"""Questions at the controlling terminal, which no program can answer through a pipe: a yes, a PIN, a security code.

A person's act goes through `by_person`, which makes the proof that the act requires.
"""

from __future__ import annotations

import asyncio
import getpass
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, Final, TextIO, TypeVar

from pydantic import SecretStr

from firmly_mcp.errors import MoneyMoved, NotAllowed, PinRefused
from firmly_mcp.wallet.person import ApprovalProof
from firmly_mcp.wallet.pin import TRIES, ApprovalPin

T = TypeVar("T")

NONE_FITS: Final = f"None of {TRIES} answers was the approval PIN. Nothing was sent or changed."
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


async def answered(ask: Callable[[TextIO], T], terminal: TextIO) -> T:
    """What a person answers. Ctrl-C ends it at once, and leaves the terminal as it was before the question."""
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
                return SecretStr(getpass.getpass(f"{question} (not shown): ", stream=terminal).strip())
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
    raise NotAllowed(NONE_FITS, money_moved=money_moved)


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
