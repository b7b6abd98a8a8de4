"""A person sets the approval PIN at a real terminal; no program can, and it is never on the screen."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.errors import PinRefused
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.wallet import Wallet
from tests.secret_service import SecretService
from tests.wallet.samples import now

from .person import an_environment, at_a_terminal, everything_under, in_a_script
from .test_cards import CARD, a_given_card, a_year

NEW = "New approval PIN, 4 to 64 characters (not shown): "
AGAIN = "The same once more (not shown): "
OLD = "Approval PIN that is set now (not shown): "
PIN = "8305-7"


@pytest.fixture
def shopper(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    return an_environment(keyring_bus.bus, tmp_path)


def fits(shopper: dict[str, str], typed: str, *, environment: str = "simulator") -> bool:
    """Whether this is the PIN, asked of the keyring by another process of the shopper."""
    owner = Owner(environment, shopper["FIRMLY_MCP_SHOPPER"])
    vault = Wallet(Keychain(), owner, Path(shopper["FIRMLY_MCP_DATA_DIR"]), now)
    try:
        anyio.run(vault.pin.check, SecretStr(typed))
    except PinRefused:
        return False
    return True


def test_a_person_sets_a_pin_and_changes_it_with_the_old_one(shopper: dict[str, str], tmp_path: Path) -> None:
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.answer(NEW, "1234")
        terminal.until("one of the first that anybody would try")
        terminal.answer(NEW, PIN)
        terminal.answer(AGAIN, "8305-8")
        terminal.until("The two are not the same.")
        terminal.answer(NEW, PIN)
        terminal.answer(AGAIN, PIN)
        terminal.until("The approval PIN of the simulator environment is set.")
        assert terminal.end() == 0
    assert "8305" not in terminal.screen
    assert fits(shopper, PIN)
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.answer(OLD, "9416")
        terminal.until("The approval PIN is wrong. 4 tries are left before it is locked for 15 minutes.")
        terminal.answer(OLD, PIN)
        terminal.answer(NEW, "a longer phrase")
        terminal.answer(AGAIN, "a longer phrase")
        terminal.until("The approval PIN of the simulator environment is changed.")
        assert terminal.end() == 0
    assert fits(shopper, "a longer phrase")
    assert [text for text in [terminal.screen, *everything_under(tmp_path)] if PIN in text or "longer" in text] == []


def test_guesses_of_the_old_pin_lock_it_and_change_nothing(shopper: dict[str, str]) -> None:
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.answer(NEW, PIN)
        terminal.answer(AGAIN, PIN)
        assert terminal.end() == 0
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        for guess in range(5):
            terminal.answer(OLD, f"614{guess}")
        terminal.until("The approval PIN is locked after 5 wrong tries")
        assert terminal.end() == 1
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.answer(OLD, PIN)
        terminal.until("The approval PIN is locked after 5 wrong tries")
        assert terminal.end() == 1
    assert NEW not in terminal.screen


def test_what_is_piped_in_sets_no_pin_where_there_is_no_terminal(shopper: dict[str, str]) -> None:
    done = in_a_script("pin", "set", environment=shopper, given=f"{PIN}\n{PIN}\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "firmly-mcp: Setting the approval PIN needs a terminal, and this program has none. Nothing was sent or "
        "changed.\n"
    )
    assert not fits(shopper, PIN)


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_an_interrupted_question_changes_nothing(keys: str, shopper: dict[str, str]) -> None:
    with at_a_terminal("pin", "set", environment=shopper) as terminal:
        terminal.until(NEW)
        assert terminal.interrupt(keys) != 0
    assert "Traceback" not in terminal.screen
    assert AGAIN not in terminal.screen


def test_the_first_card_asks_for_a_pin_which_the_simulator_s_may_go_without(shopper: dict[str, str]) -> None:
    question = "New approval PIN, 4 to 64 characters; empty for none (not shown): "
    for label, typed in (("One", ""), ("Two", None)):
        with at_a_terminal("cards", "add", environment=shopper) as terminal:
            terminal.answer("Label, such as Visa: ", label)
            terminal.answer("Card number (not shown): ", CARD["number"])
            terminal.answer("Name on the card: ", "Ana Lima")
            terminal.answer("Expires (MM/YYYY): ", f"8/{a_year()}")
            if typed is not None:
                terminal.answer(question, typed)
            terminal.until(f"Added {label} (visa, ends in 5556)")
            assert terminal.end() == 0
        assert ("No approval PIN is set yet. Set one with `firmly-mcp pin set`." in terminal.lines) == (label == "One")
    assert not fits(shopper, PIN)


def test_a_card_that_can_pay_asks_for_a_pin_until_there_is_one(shopper: dict[str, str]) -> None:
    shopper |= {"FIRMLY_MCP_ENVIRONMENT": "sandbox", "FIRMLY_APP_ID": "an-app"}
    script = in_a_script("cards", "add", "--stdin", environment=shopper, given=a_given_card(label="Script"))
    assert script.stderr.splitlines() == [
        "Added Script (visa, ends in 5556) to Secret Service.",
        "No approval PIN is set yet. Set one with `firmly-mcp pin set`.",
    ]
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Visa: ", "Visa")
        terminal.answer("Card number (not shown): ", CARD["number"])
        terminal.answer("Name on the card: ", "Ana Lima")
        terminal.answer("Expires (MM/YYYY): ", f"8/{a_year()}")
        terminal.answer(NEW, "")
        terminal.until("4 to 64 characters: digits, or a phrase.")
        terminal.answer(NEW, PIN)
        terminal.answer(AGAIN, PIN)
        terminal.until("Added Visa")
        terminal.until("The approval PIN is set: an order asks for it beside the card's security code.")
        assert terminal.end() == 0
    assert PIN not in terminal.screen
    assert fits(shopper, PIN, environment="sandbox")
    assert not fits(shopper, PIN)
