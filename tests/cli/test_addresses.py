from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secret_service import DEADLINE, SecretService

from .person import an_environment, at_a_terminal, in_a_script, type_address
from .test_cards import HOME, a_given_card


@pytest.fixture
def shopper(keyring_daemon: SecretService, tmp_path: Path) -> dict[str, str]:
    return an_environment(keyring_daemon.bus, tmp_path)


def test_an_address_is_asked_field_by_field_and_wrong_answers_are_explained(shopper: dict[str, str]) -> None:
    with at_a_terminal("addresses", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Home: ", "Home")
        terminal.answer("First name: ", "Ana")
        terminal.answer("Last name: ", "")
        terminal.until("last_name is missing")
        terminal.answer("Last name: ", "Lima")
        terminal.answer("Company (may be empty): ", "")
        terminal.answer("Email: ", "ana")
        terminal.until("not an email address")
        terminal.answer("Email: ", "ana@example.com")
        terminal.answer("Phone: ", "+1 206 555 0100")
        terminal.answer("Street and number: ", "4111 1111 1111 1111")
        terminal.until("could be a card number")
        terminal.answer("Street and number: ", "1 Test Street")
        terminal.answer("Apartment, floor (may be empty): ", "Floor 2")
        terminal.answer("City: ", "Ottawa")
        terminal.answer("Country (two letters): ", "ca")
        terminal.answer("State or province: ", "ON")
        terminal.answer("Postal code: ", "98101")
        terminal.until("postal_code does not fit CA: a code such as K1A 0B1")
        terminal.answer("Postal code: ", "k1a 0b1")
        terminal.until("Added Home to Secret Service.")
        assert terminal.end() == 0
    listed = in_a_script("addresses", "list", "--json", environment=shopper)
    assert json.loads(listed.stdout) == [
        HOME
        | {
            "address2": "Floor 2",
            "city": "Ottawa",
            "country": "CA",
            "state_or_province": "ON",
            "postal_code": "K1A 0B1",
            "origin": "person",
            "default": True,
        }
    ]


def test_a_script_gives_an_address_that_is_marked_so_and_replaces_nothing(shopper: dict[str, str]) -> None:
    given = in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME))
    said = "Added Home to Secret Service. A script gave it, so an order to it asks you first.\n"
    assert (given.returncode, given.stderr) == (0, said)
    again = in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME | {"city": "Tacoma"}))
    assert again.returncode == 1
    assert "There is an address of the label Home already, and it was not replaced" in again.stderr
    listed = in_a_script("addresses", "list", environment=shopper)
    assert listed.stdout == "Home\tAna Lima\t1 Test Street\tSeattle\t98101\tUS\tscript\tyes\n"
    with at_a_terminal("addresses", "list", environment=shopper | {"COLUMNS": "120"}) as terminal:
        assert terminal.end() == 0
    assert "Postal code" in terminal.lines
    assert in_a_script("addresses", "remove", "home", environment=shopper).returncode == 0
    empty = in_a_script("addresses", "list", environment=shopper)
    assert (empty.stdout, empty.stderr) == ("", "There is no address yet. Add one with `firmly-mcp addresses add`.\n")


def test_of_several_addresses_a_person_chooses_the_one_that_is_meant(shopper: dict[str, str]) -> None:
    for label in ("Home", "Work"):
        given = json.dumps(HOME | {"label": label})
        assert in_a_script("addresses", "add", "--stdin", environment=shopper, given=given).returncode == 0
    before = in_a_script("addresses", "list", environment=shopper).stdout.splitlines()
    assert [line.rpartition("\t")[2] for line in before] == ["yes", ""], "the first stays the default"
    chosen = in_a_script("addresses", "default", "work", "--json", environment=shopper)
    assert (chosen.returncode, json.loads(chosen.stdout)) == (0, {"default": "Work"})
    listed = in_a_script("addresses", "list", environment=shopper).stdout.splitlines()
    assert [line.rpartition("\t")[2] for line in listed] == ["", "yes"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"origin": "tool"}, "has a field other than label, first_name"),
        ({"email": None}, "lacks email"),
        ({"country": "UK"}, "country is GB for the United Kingdom"),
        ({"postal_code": "9810"}, "postal_code does not fit US"),
        ({"first_name": "Ana\u202e"}, "first_name holds a control or invisible character"),
        ({"address1": "4111111111111111"}, "could be a card number"),
    ],
)
def test_a_malformed_address_is_refused_by_field(
    changes: dict[str, str | None], says: str, shopper: dict[str, str]
) -> None:
    done = in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME | changes))
    assert done.returncode == 1
    assert says in done.stderr
    assert in_a_script("addresses", "list", "--json", environment=shopper).stdout == "[]\n"


def test_without_a_terminal_the_question_names_the_command_for_scripts(shopper: dict[str, str]) -> None:
    done = in_a_script("addresses", "add", environment=shopper)
    assert done.returncode == 1
    assert "`firmly-mcp addresses add --stdin` with one JSON object on standard input: label, first_name" in done.stderr


def test_a_person_may_replace_an_address_and_is_asked_first(shopper: dict[str, str]) -> None:
    assert in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME)).returncode == 0
    with at_a_terminal("addresses", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Home: ", "home")
        terminal.answer("There is an address home. Replace it? [y/N]: ", "n")
        assert terminal.end() == 1
    assert "not replaced" in terminal.screen


def test_a_billing_address_is_not_removed_from_under_its_card(shopper: dict[str, str]) -> None:
    assert in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME)).returncode == 0
    given = a_given_card(billing_address="Home")
    assert in_a_script("cards", "add", "--stdin", environment=shopper, given=given).returncode == 0
    done = in_a_script("addresses", "remove", "Home", environment=shopper)
    assert done.returncode == 1
    assert "Home is the billing address of the card Visa" in done.stderr


TYPE_PIN = "Approval PIN (not shown): "
PIN = "8305-7"


def origins(shopper: dict[str, str]) -> list[str]:
    return [row["origin"] for row in json.loads(in_a_script("addresses", "list", "--json", environment=shopper).stdout)]


def test_where_a_pin_is_set_a_person_s_own_address_takes_it(shopper: dict[str, str]) -> None:
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.answer("New approval PIN, 4 to 64 characters (not shown): ", PIN)
        terminal.answer("The same once more (not shown): ", PIN)
        assert terminal.end() == 0
    with at_a_terminal("addresses", "add", environment=shopper) as terminal:
        type_address(terminal, HOME)
        terminal.answer(TYPE_PIN, "9416")
        terminal.until("The approval PIN is wrong.")
        assert origins(shopper) == []
        terminal.answer(TYPE_PIN, PIN)
        terminal.until("Added Home to Secret Service.")
        assert terminal.end() == 0
    assert origins(shopper) == ["person"]
    assert "A script gave it" not in terminal.lines


def test_a_pseudo_terminal_on_standard_input_alone_adds_no_address_of_a_person(shopper: dict[str, str]) -> None:
    """The questions are read from standard input; whose they are, the controlling terminal says."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "firmly_mcp", "addresses", "add", "--json"],
            stdin=theirs, capture_output=True, env=shopper, start_new_session=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 1
    assert "`firmly-mcp addresses add` needs a terminal" in json.loads(done.stderr)["error"]["message"]
    assert origins(shopper) == []
