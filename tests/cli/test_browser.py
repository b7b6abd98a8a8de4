"""A person at a terminal chooses to type a card or an address in their browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forms import filled
from tests.secret_service import DEADLINE, SecretService

from .person import an_environment, everything_under, in_a_script
from .test_cards import CARD, HOME, a_year

ADDRESS = {name: text for name, text in HOME.items() if name != "label"} | {"address_label": "Home"}
NEW_CARD = {"label": "Visa", "number": CARD["number"], "expiry": f"08/{a_year()}", "name": "Ana Lima", "billing": "new"}


@pytest.fixture
def shopper(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    return an_environment(keyring_bus.bus, tmp_path, FIRMLY_MCP_OPEN_PAGES="false")


@contextmanager
def running(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "firmly_mcp", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize(("kind", "fields"), [("cards", NEW_CARD | ADDRESS), ("addresses", ADDRESS)])
def test_the_command_waits_until_the_page_is_filled_in(
    kind: str, fields: dict[str, str], shopper: dict[str, str], tmp_path: Path
) -> None:
    with running(kind, "add", "--browser", environment=shopper) as command:
        assert command.stderr is not None
        said = command.stderr.readline()
        assert said.startswith("Open this in a browser on this machine: http://127.0.0.1:")
        assert "is saved" in filled(said.split()[-1], fields)
        assert command.stderr.read() == f"The {'card' if kind == 'cards' else 'address'} is saved.\n"
        assert command.wait(DEADLINE) == 0
    listed = json.loads(in_a_script(kind, "list", "--json", environment=shopper).stdout)
    assert [entry["label"] for entry in listed] == [fields.get("label", "Home")]
    assert [text for text in everything_under(tmp_path) if CARD["number"] in text] == []


def test_a_page_and_a_pipe_are_not_asked_at_once(shopper: dict[str, str]) -> None:
    done = in_a_script("cards", "add", "--browser", "--stdin", environment=shopper)
    assert done.returncode == 2
    assert "Choose one of --stdin and --browser." in done.stderr
