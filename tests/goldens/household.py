"""A person's machine for a golden: a home of its own, a real keyring, the command, and the simulator's control path."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from mcp.client.stdio import StdioServerParameters

from tests.cli.person import Terminal, at_a_terminal, in_a_script
from tests.secret_service import private_bus, secret_service

from .scrub import ROOT, Scrub

STORE: Final = "staging.luma.gift"
TEE: Final = "WS12-XS-Orange"
HOODIE: Final = "MH07-XS-Gray"
PIN: Final = "8305-7"
CODE: Final = "739"
CARD: Final = {"label": "Visa", "number": "4111111111111111", "name": "Ana Lima", "month": "08", "year": "2035"}
HOME: Final = {
    "label": "Home",
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "+1 206 555 0100",
    "address1": "1 Test Street",
    "city": "Seattle",
    "country": "US",
    "state_or_province": "WA",
    "postal_code": "98101",
}


@dataclass
class Household:
    """A home, its environment, and what was recorded in it."""

    home: Path
    environment: dict[str, str]
    scrub: Scrub
    recorded: list[str] = field(default_factory=list)
    _written: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Where settings and rules are."""
        return self.home / ".config" / "firmly-mcp"

    @property
    def data(self) -> Path:
        """Where the journal is."""
        return self.home / ".local" / "share" / "firmly-mcp"

    def write(self, name: str, text: str) -> None:
        """Write a file beside the settings."""
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / name).write_text(text, "utf-8")

    def note(self, text: str) -> None:
        """Record a text as it is, apart from what is scrubbed."""
        self.recorded.append(self.scrub(text.rstrip("\n")) + "\n")

    def once(self, kind: str, text: str) -> str:
        """The text with a name where it is new, and its name alone after that."""
        if text in self._written:
            return self._written[text]
        name = self._written[text] = f"({kind} {len(self._written) + 1})"
        return f"{name}\n{text}"

    def run(self, *arguments: str, given: Any = "", **variables: str) -> str:
        """Run the command with pipes, and record what came; its standard output."""
        typed = given if isinstance(given, str) else json.dumps(given)
        done = in_a_script(*arguments, environment={**self.environment, **variables}, given=typed)
        shown = [f"$ {_line(arguments, variables)}", *(f"< {line}" for line in _without_number(typed).splitlines())]
        shown += [f"exit {done.returncode}"]
        shown += [_indented("out", done.stdout), _indented("err", done.stderr)]
        self.note("\n".join(filter(None, shown)) + "\n")
        return str(done.stdout)

    @contextmanager
    def terminal(self, *arguments: str, **variables: str) -> Iterator[Terminal]:
        """Run the command at a terminal, and record the screen; the block answers, and has to end it."""
        with at_a_terminal(*arguments, environment={**self.environment, **variables}) as terminal:
            yield terminal
            code = terminal.end()
        screen = terminal.screen.replace("\r\n", "\n").replace("\x1b", "␛")
        if arguments[0] == "approve":
            screen = _without_steps(screen)
        self.note(f"$ {_line(arguments, variables)}   (at a terminal)\nexit {code}\n{_indented('screen', screen)}\n")

    def control(self, path: str, body: Mapping[str, Any] | None = None, method: str | None = None) -> Any:
        """Ask the simulator that a process of this home runs."""
        (place,) = self.data.rglob("simulator.json")
        where = json.loads(place.read_text("utf-8"))
        raw = None if body is None else json.dumps(body).encode()
        request = Request(f"{where['api_url']}/__control__/{path}", raw, method=method)
        request.add_header("x-simulator-secret", where["control_secret"])
        with urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def fault(self, action: str, match: str, *, n: int = 1, times: int | None = 1, **options: Any) -> None:
        """Let a fault strike a request."""
        self.control("faults", {"action": action, "match": match, "n": n, "times": times, "options": options})

    def next_monday(self) -> None:
        """Let it be Monday noon for the stores: which days they deliver on goes by the day of the week."""
        from datetime import datetime, timedelta

        now = datetime.fromisoformat(self.control("ping")["now"])
        noon = (now + timedelta(days=7 - now.weekday())).replace(hour=12, minute=0, second=0, microsecond=0)
        self.control("clock", {"advance_seconds": (noon - now).total_seconds()})

    def served(self, *arguments: str) -> StdioServerParameters:
        """The server as a host starts it."""
        command = ["-m", "firmly_mcp", "serve", *arguments]
        return StdioServerParameters(command=sys.executable, args=command, env=self.environment, cwd=ROOT)

    def furnish(self) -> None:
        """A person's address typed at a terminal and a card from a script, recorded nowhere."""
        before = len(self.recorded)
        with self.terminal("addresses", "add") as terminal:
            type_home(terminal)
        self.run("cards", "add", "--stdin", given=CARD | {"billing_address": "Home"})
        del self.recorded[before:]

    def set_pin(self) -> None:
        """The person sets their PIN, recorded nowhere."""
        before = len(self.recorded)
        with self.terminal("pin", "set") as terminal:
            for _ in range(2):
                terminal.answer("(not shown): ", PIN)
        del self.recorded[before:]


def type_home(terminal: Terminal, **changes: str) -> None:
    """Answer every question about an address."""
    address = HOME | changes
    for question, name in (
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
        terminal.answer(question, address.get(name, ""))


@contextmanager
def household(**variables: str) -> Iterator[Household]:
    """A home with a keyring; everything of it is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="golden-", dir="/tmp"))
    try:
        with private_bus() as bus, secret_service(bus, lasting=True):
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "TZ": "UTC",
                "COLUMNS": "180",
                "LINES": "40",
                "FIRMLY_MCP_OPEN_PAGES": "false",
                "DBUS_SESSION_BUS_ADDRESS": bus.address,
                **variables,
            }
            made = Household(home, environment, Scrub({str(home): "<home>", bus.address: "<bus>"}))
            try:
                yield made
            except BaseException:
                sys.stderr.write("\n".join(["The last of the record:", *made.recorded[-6:]]))
                raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _line(arguments: tuple[str, ...], variables: Mapping[str, str]) -> str:
    words = [f"{name}={value}" for name, value in variables.items()] + ["firmly-mcp", *arguments]
    return " ".join(
        word if re.fullmatch(r"[\w./=:-]+", word) else json.dumps(word, ensure_ascii=False) for word in words
    )


def _indented(kind: str, text: str) -> str:
    if not text:
        return ""
    end = "" if text.endswith("\n") else "\n  ⏎ missing"
    return (
        f"{kind}:\n" + "\n".join(f"  {line}".rstrip() if line else "" for line in text.rstrip("\n").split("\n")) + end
    )


def _without_steps(screen: str) -> str:
    """The screen without an order's steps, of which as many are shown as the machine is slow."""
    before, asked, after = screen.rpartition("(not shown): ")
    return before + asked + re.sub(r"^  .*\n", "", after, flags=re.MULTILINE) if asked else screen


def _without_number(typed: str) -> str:
    return re.sub(r"\d{12,19}", "<number>", typed)
