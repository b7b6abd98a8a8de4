"""What a program gets of each act: one JSON object on standard output, and no words beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.person import Terminal, an_environment, at_a_terminal, in_a_script
from tests.cli.test_cards import HOME, a_given_card
from tests.secret_service import SecretService

PIN = "8305-7"
NUMBER = str(json.loads(a_given_card())["number"]).replace(" ", "").replace("-", "")


@pytest.fixture
def shopper(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    return an_environment(keyring_bus.bus, tmp_path)


def given(shopper: dict[str, str], *arguments: str, typed: str = "") -> Any:
    """The facts that a command gave, when it said nothing else."""
    done = in_a_script(*arguments, "--json", environment=shopper, given=typed)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def on_the_last_line(terminal: Terminal) -> Any:
    """The facts that a command gave below a conversation."""
    return json.loads(terminal.lines.splitlines()[-1])


def test_what_is_added_and_removed_is_given(shopper: dict[str, str]) -> None:
    added = given(shopper, "addresses", "add", "--stdin", typed=json.dumps(HOME))["added"]
    assert (added["label"], added["origin"]) == (HOME["label"], "script")
    card = given(shopper, "cards", "add", "--stdin", typed=a_given_card(label="Visa"))
    assert (card["added"]["last_four"], card["wants_pin"]) == (NUMBER[-4:], True)
    assert NUMBER[:12] not in json.dumps(card)
    assert given(shopper, "cards", "default", "visa") == {"default": "Visa"}
    assert given(shopper, "cards", "remove", "Visa") == {"removed": "Visa", "default": None}
    assert given(shopper, "addresses", "remove", HOME["label"]) == {"removed": HOME["label"], "default": None}
    assert given(shopper, "cards", "list") == given(shopper, "addresses", "list") == []


def test_a_pin_that_was_set_is_given(shopper: dict[str, str]) -> None:
    with at_a_terminal("pin", "set", "--json", environment=shopper) as terminal:
        for _ in range(2):
            terminal.answer("(not shown): ", PIN)
        assert terminal.end() == 0
    assert on_the_last_line(terminal) == {"pin": "set", "environment": "simulator"}
    assert PIN not in terminal.screen


def test_a_card_that_was_unlocked_is_given(shopper: dict[str, str]) -> None:
    given(shopper, "cards", "add", "--stdin", typed=a_given_card(label="Visa"))
    with at_a_terminal("cards", "unlock", "Visa", "--json", environment=shopper) as terminal:
        terminal.answer("Type unlock to let it be used again, or no to leave it: ", "unlock")
        assert terminal.end() == 0
    assert on_the_last_line(terminal) == {"unlocked": "Visa", "was_locked": False}


def test_rules_that_were_checked_and_accepted_are_given(shopper: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[USD]\nask_above = "50.00"\n', "utf-8")
    usable = {"file": str(file), "exists": True, "usable": True, "remarks": []}
    assert given(shopper, "rules", "check", str(file)) == usable
    assert given(shopper, "rules", "check")["exists"] is False
    assert given(shopper, "rules", "accept") == {"accepted": [], "needed": False}
    file.write_text("nonsense", "utf-8")
    wrong = in_a_script("rules", "check", str(file), "--json", environment=shopper)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert json.loads(wrong.stderr)["error"]["code"] == "settings"


def test_accepted_rules_are_given_by_name(shopper: dict[str, str]) -> None:
    sandbox = {**shopper, "FIRMLY_MCP_ENVIRONMENT": "sandbox", "FIRMLY_APP_ID": "id"}
    with at_a_terminal("pin", "set", environment=sandbox) as terminal:
        for _ in range(2):
            terminal.answer("(not shown): ", PIN)
        assert terminal.end() == 0
    with at_a_terminal("rules", "accept", "--json", environment=sandbox) as terminal:
        terminal.answer("or no to leave it: ", "accept")
        terminal.answer("Approval PIN (not shown): ", PIN)
        assert terminal.end() == 0
    assert set(on_the_last_line(terminal)["accepted"]) >= {"environment", "app_id"}
    assert given(sandbox, "rules", "accept") == {"accepted": [], "needed": True}


def test_what_became_of_orders_in_doubt_is_given(shopper: dict[str, str]) -> None:
    assert given(shopper, "orders", "settle") == given(shopper, "orders", "list") == []
    with at_a_terminal("orders", "accept-journal", "--json", environment=shopper) as terminal:
        terminal.answer("or no to leave it: ", "accept")
        assert terminal.end() == 0
    assert on_the_last_line(terminal) == {"accepted": "journal"}


def test_where_a_simulator_runs_is_given(shopper: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firmly_mcp", "simulator", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=shopper) as process:
        assert process.stdout
        where = json.loads(process.stdout.readline())
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=30)[1]
    assert where.keys() == {"api", "payment", "app_id", "control_secret"}
    assert where["api"].startswith("http://127.0.0.1:")
