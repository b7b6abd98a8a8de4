"""A person at a terminal: the real command, its three streams a pseudo-terminal, its keyring the tests' own."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.prefork import Forked
from tests.secret_service import DEADLINE, Bus

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """What stands on the screen, and what is typed."""

    def __init__(self, descriptor: int, process: Forked | subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self._process = process
        self._read_to = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.screen = ""

    @property
    def process_id(self) -> int:
        """Of the command."""
        return self._process.pid

    def until(self, text: str) -> None:
        """Wait until this stands on the screen, below what was waited for before."""
        deadline = time.monotonic() + DEADLINE
        while text not in self.screen[self._read_to :]:
            assert self._more(deadline), f"{text!r} never came; on the screen: {self.screen!r}"
        self._read_to = self.screen.index(text, self._read_to) + len(text)

    def answer(self, question: str, typed: str) -> None:
        """Wait for a question, then type a line."""
        self.until(question)
        self.type(f"{typed}\n")

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, keys.encode())

    def end(self) -> int:
        """Wait for the command to end; its exit code."""
        deadline = time.monotonic() + DEADLINE
        while self._more(deadline):
            pass
        return self._process.wait(DEADLINE)

    def interrupt(self, keys: str = "\x03") -> int:
        """Press Ctrl-C, and once more where nothing comes of it, as a person does; the command's exit code.

        One that comes between Python's last look at signals and its wait for input does not end that wait.
        """
        deadline = time.monotonic() + DEADLINE
        self.type(keys)
        while True:
            if not select.select([self._descriptor], [], [], 1.0)[0]:
                assert time.monotonic() < deadline, f"it went on; on the screen: {self.screen!r}"
                self.type(keys)
            elif not self._more(deadline):
                return self._process.wait(DEADLINE)

    @property
    def lines(self) -> str:
        """The screen without colours."""
        return _CONTROL.sub("", self.screen).replace("\r\n", "\n")

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more came; on the screen: {self.screen!r}"
        try:
            received = os.read(self._descriptor, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.screen += self._decoder.decode(received)
        return bool(received)


def type_address(terminal: Terminal, address: Mapping[str, str]) -> None:
    """Answer every question of `addresses add` about an address."""
    for question, field in (
        ("Label, such as Home: ", "label"),
        ("First name: ", "first_name"),
        ("Last name: ", "last_name"),
        ("Company (may be empty): ", ""),
        ("Email: ", "email"),
        ("Phone: ", "phone"),
        ("Street and number: ", "address1"),
        ("Apartment, floor (may be empty): ", ""),
        ("City: ", "city"),
        ("Country (two letters): ", "country"),
        ("State or province: ", "state_or_province"),
        ("Postal code: ", "postal_code"),
    ):
        terminal.answer(question, address[field] if field else "")


@contextmanager
def at_a_terminal(*arguments: str, environment: dict[str, str]) -> Iterator[Terminal]:
    """Run `firmly-mcp ARGUMENTS` at a terminal of its own."""
    ours, theirs = pty.openpty()
    process = Forked(arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, in_terminal=True)
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(ours)


def in_a_script(
    *arguments: str, environment: dict[str, str], given: str | bytes = ""
) -> subprocess.CompletedProcess[str]:
    """Run `firmly-mcp ARGUMENTS` with pipes for its streams."""
    typed = given.encode() if isinstance(given, str) else given
    process = Forked(arguments, env=environment)
    told, errors = process.communicate(typed, DEADLINE)
    return subprocess.CompletedProcess(arguments, process.wait(DEADLINE), told.decode(), errors.decode())


def an_environment(bus: Bus | None, directory: Path, **more: str) -> dict[str, str]:
    """The variables of a shopper of this test's own."""
    root = Path(__file__).parents[2]
    if rules := more.get("FIRMLY_MCP_RULES"):
        Path(rules).touch()  # one that is named has to be there
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
        "HOME": str(directory),
        "TERM": "xterm-256color",
        "FIRMLY_MCP_DATA_DIR": str(directory / "data"),
        "FIRMLY_MCP_OPEN_PAGES": "false",
        "FIRMLY_MCP_SHOPPER": re.sub(r"[^A-Za-z0-9]", "-", directory.name)[-64:],
        "DBUS_SESSION_BUS_ADDRESS": bus.address if bus else "unix:path=/nonexistent/firmly-mcp-tests",
        **more,
    }


def everything_under(directory: Path) -> Sequence[str]:
    """The text of every file."""
    return [path.read_bytes().decode("latin-1") for path in directory.rglob("*") if path.is_file()]
