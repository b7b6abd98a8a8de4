"""Questions at the controlling terminal, which no program can answer through a pipe: a yes, a PIN, a security code."""

from __future__ import annotations

import asyncio
import getpass
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, TextIO, TypeVar

from pydantic import SecretStr

from firmly_mcp.errors import NotAllowed

T = TypeVar("T")


@contextmanager
def controlling_terminal(refusal: str) -> Iterator[TextIO]:
    """The terminal that a person sits at; `refusal` says what cannot be done where there is none.

    Raises:
        NotAllowed: there is none.
    """
    try:
        opened = open("/dev/tty", "r+b", buffering=0)  # noqa: SIM115, PTH123 - closed below, with what is around it
    except OSError:
        raise NotAllowed(refusal) from None
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
