"""Questions at the controlling terminal, which no program can answer through a pipe: amounts, PINs, security codes.

A person's act goes through `run_as_person`, which makes the proof that the act requires.
"""

from __future__ import annotations

import getpass
import re
import threading
import unicodedata
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

from firmly_mcp.errors import MoneyMoved, NotAllowed, PinRefused

if TYPE_CHECKING:
    import asyncio

    from pydantic import SecretStr

    from firmly_mcp.money import Money
    from firmly_mcp.wallet.pin import ApprovalPin, ApprovalProof

T = TypeVar("T")

CHANNEL: Final = "terminal"
_MOST_LINES: Final = 20
_DECLINE: Final = frozenset({"no", "n", "decline"})
_SYMBOLS: Final = {"USD": ("US$", "$"), "EUR": ("€",), "GBP": ("£",), "JPY": ("¥", "円")}
# Marks that people and their keyboards set between thousands. A point or a comma may be one too.
_SPACES: Final = "' \u2019_"
_LONGEST_AMOUNT: Final = 60


def secret(text: str) -> SecretStr:
    """Return the text as a value that no traceback and no log shows."""
    from pydantic import SecretStr

    return SecretStr(text)


@contextmanager
def controlling_terminal(act: str, *, money_moved: MoneyMoved = "no") -> Iterator[TextIO]:
    """Open the terminal of the person; `act` is what needs it, such as "Accepting rules".

    `money_moved` is what is known about the money of an order that the act is about.

    Raises:
        NotAllowed: this program has no terminal.
    """
    try:
        opened = open("/dev/tty", "r+b", buffering=0)  # noqa: SIM115, PTH123 - closed below, by the text that wraps it
    except OSError:
        refusal = f"{act} needs a terminal, and this program has none. Nothing was sent or changed."
        raise NotAllowed(refusal, money_moved=money_moved) from None
    with TextIOWrapper(opened, encoding="utf-8", errors="replace", write_through=True) as terminal:
        yield terminal


async def ask_choice(
    terminal: TextIO,
    question: str,
    read: Callable[[str], T | None],
    *,
    again: str,
    unanswered: str,
    interrupted: str = "",
    money_moved: MoneyMoved = "no",
) -> T:
    """Ask until `read` knows the line: a typing error decides nothing. Ctrl-C writes `interrupted`.

    Raises:
        NotAllowed: the input ended, or no line of many was an answer; `unanswered` is the message.
    """

    def ask_lines() -> T:
        for _ in range(_MOST_LINES):
            terminal.write(question)
            terminal.flush()
            line = terminal.readline()
            if not line:
                break  # a typed line has an end; without one the input was closed
            if (answer := read(line.strip())) is not None:
                return answer
            terminal.write(f"{again}\n")
        raise NotAllowed(unanswered, money_moved=money_moved)

    return await _in_thread(ask_lines, terminal, interrupted)


async def ask_secret(terminal: TextIO, question: str, *, interrupted: str = "") -> SecretStr:
    """Ask for an answer that is not shown while it is typed. Ctrl-C writes `interrupted`.

    Raises:
        NotAllowed: the input ended.
    """

    def ask_hidden() -> SecretStr:
        with warnings.catch_warnings():
            # getpass warns, and then shows what is typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return secret(getpass.getpass(f"{question} (not shown): ", stream=terminal).strip())
            except EOFError:
                ended = NotAllowed("The input ended before the last question. Nothing was sent or changed.")
        raise ended

    return await _in_thread(ask_hidden, terminal, interrupted)


async def _in_thread(ask_person: Callable[[], T], terminal: TextIO, interrupted: str) -> T:
    """Wait for the answer in a thread. Ctrl-C ends the wait at once and leaves the terminal as it was."""
    import asyncio
    import termios

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(settle_with: Callable[[Any], None], value: object) -> None:
        if not answer.done():
            settle_with(value)

    def wait() -> None:
        try:
            outcome: tuple[Callable[[Any], None], object] = (answer.set_result, ask_person())
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            outcome = (answer.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: the wait was ended
            loop.call_soon_threadsafe(settle, *outcome)

    before = termios.tcgetattr(terminal.fileno())
    # A daemon thread: the program ends without it, where a pool would wait for it.
    threading.Thread(target=wait, daemon=True).start()
    try:
        return await answer
    except asyncio.CancelledError:
        if interrupted:
            terminal.write(f"\n{interrupted}\n")
        raise
    finally:
        termios.tcsetattr(terminal.fileno(), termios.TCSANOW, before)


def proof_at(terminal: TextIO, pin: SecretStr | None = None) -> ApprovalProof:
    """Return the proof of a person at this terminal, with the PIN that they typed.

    Raises:
        NotAllowed: it is no terminal.
    """
    from firmly_mcp.wallet.pin import ApprovalProof

    if not terminal.isatty():
        raise NotAllowed("This needs a terminal. Nothing was sent or changed.")
    return ApprovalProof(CHANNEL, pin)


@dataclass(frozen=True, slots=True)
class Word:
    """What a person types if no PIN is set: the word, and what it does, such as "unlock the card"."""

    word: str
    purpose: str


async def run_as_person(
    pin: ApprovalPin,
    terminal: TextIO,
    act: Callable[[ApprovalProof], Awaitable[T]],
    *,
    without_pin: Word | None = None,
    money_moved: MoneyMoved = "no",
) -> T:
    """Run a person's act with the approval PIN, if one is set, or after they typed `without_pin`.

    `without_pin` is None if they have answered another question already.

    Raises:
        NotAllowed: the person typed no, or no answer was the PIN. Nothing was changed.
        PinRefused: the PIN was wrong too often, or it is locked.
    """
    if await pin.is_set():
        return await ask_pin(terminal, lambda typed: act(proof_at(terminal, typed)), money_moved=money_moved)
    if without_pin is not None:
        word = without_pin.word
        confirmed = await ask_choice(
            terminal,
            f"Type {word} to {without_pin.purpose}, or no to leave it: ",
            lambda line: {word: True, "no": False, "n": False}.get(line.casefold()),
            again=f"That is neither {word} nor no.",
            unanswered="No answer came. Nothing was changed.",
            money_moved=money_moved,
        )
        if not confirmed:
            raise NotAllowed("The answer was no. Nothing was changed.", money_moved=money_moved)
    return await act(proof_at(terminal))


async def ask_pin(
    terminal: TextIO,
    use: Callable[[SecretStr], Awaitable[T]],
    *,
    question: str = "Approval PIN",
    consequence: str = "",
    money_moved: MoneyMoved = "no",
) -> T:
    """Ask for the PIN until `use` takes it, five times at most; return what `use` returns.

    Raises:
        NotAllowed: no answer was the PIN; `consequence` ends the message, and is what Ctrl-C writes.
        PinRefused: the PIN was wrong too often, or it is locked.
    """
    from firmly_mcp.wallet.pin import TRIES

    for _ in range(TRIES):
        typed = await ask_secret(terminal, question, interrupted=consequence)
        try:
            return await use(typed)
        except PinRefused as refused:
            if not refused.tries_left:
                raise
            terminal.write(f"{refused.message}\n")
    refusal = f"None of {TRIES} answers was the approval PIN. Nothing was sent or changed. {consequence}"
    raise NotAllowed(refusal.rstrip(), money_moved=money_moved)


async def confirm_amount(terminal: TextIO, total: Money, *, consequence: str) -> bool:
    """Ask for the amount to pay, which approves, or no, which declines.

    Raises:
        NotAllowed: there was no answer; `consequence` ends the message, and is what Ctrl-C writes.
    """

    def read(line: str) -> bool | None:
        return False if line.casefold() in _DECLINE else True if is_amount(line, total) else None

    return await ask_choice(
        terminal,
        f"Type the amount to pay ({total.plain}) to approve, or no to decline: ",
        read,
        again="That is neither the amount nor no, so nothing was decided.",
        unanswered=f"No answer came. {consequence}",
        interrupted=consequence,
    )


def is_amount(typed: str, total: Money) -> bool:
    """Return whether a line is exactly this amount, with its currency before or after it, or without.

    A point or a comma is read both as the decimal mark and as one between thousands. If both readings are amounts of
    the currency, and they differ, the line is neither.
    """
    line = unicodedata.normalize("NFKC", typed).strip()
    if line == total.plain:
        return True
    if len(line) > _LONGEST_AMOUNT or not line.isprintable():
        return False
    return set(_readings(_without_currency(line, total.currency), total.currency)) == {total.amount}


def _without_currency(line: str, currency: str) -> str:
    """Return the line without the currency's names at its ends."""
    for name in (currency, *_SYMBOLS.get(currency, ())):
        if line.upper().startswith(name):
            line = line[len(name) :].strip()
        elif line.upper().endswith(name):
            line = line[: -len(name)].strip()
    return line


def _readings(digits: str, currency: str) -> Iterator[Decimal]:
    from firmly_mcp.money import minor_units

    for decimal_mark, thousands in ((".", f",{_SPACES}"), (",", f".{_SPACES}")):
        fraction = rf"(?:{re.escape(decimal_mark)}(?P<fraction>[0-9]{{0,{minor_units(currency)}}}))?"
        for mark in thousands:
            grouped = rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+"
            found = re.fullmatch(rf"(?P<whole>{grouped}|[0-9]{{1,15}}){fraction}", digits)
            if found is not None:
                whole = "".join(filter(str.isdigit, found["whole"]))
                yield Decimal(f"{whole}.{found['fraction'] or '0'}")
