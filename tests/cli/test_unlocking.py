"""A card that two declined payments have locked: a person at a terminal unlocks it, no program does."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.app import Services, open_services
from firmly_mcp.checkout.models import CardRef
from firmly_mcp.checkout.policy.evaluate import OrderFacts
from firmly_mcp.money import Money
from firmly_mcp.settings import read_settings
from firmly_mcp.wallet.memory import CARD_LABEL, fill
from tests.checkout.journal.test_journal import DECLINED, DRAFT, PERMIT
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService

from .person import an_environment, at_a_terminal, in_a_script

WORD = "Type unlock to let it be used again, or no to leave it: "
PIN = "8305-7"


@pytest.fixture
def shopper(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    """A shopper whose card is locked."""
    shopper = an_environment(None, tmp_path, FIRMLY_MCP_RULES=str(tmp_path / "rules.toml"))
    shopper["DBUS_SESSION_BUS_ADDRESS"] = os.environ["DBUS_SESSION_BUS_ADDRESS"]

    async def lock_the_card(services: Services) -> None:
        await fill(await services.vault())
        journal = (await services.placement()).journal
        for number in (1, 2):
            draft = replace(DRAFT, purchase_key=f"k{number}", cart_id=None, card=CardRef(CARD_LABEL, "visa", "1111"))
            await journal.end(await journal.begin(replace(draft, id=f"att_{number}"), PERMIT), DECLINED)

    anyio.run(in_rooms, shopper, lock_the_card)
    return shopper


async def in_rooms(shopper: dict[str, str], act: object) -> object:
    async with open_services(read_settings(shopper)) as services:
        assert callable(act)
        return await act(services)


def is_locked(shopper: dict[str, str]) -> bool:
    async def locked(services: Services) -> bool:
        order = OrderFacts(store="luma.gift", total=Money.parse(1, "USD"), card_label=CARD_LABEL)
        return (await (await services.placement()).history(order)).card_locked

    return bool(anyio.run(in_rooms, shopper, locked))


def test_a_person_unlocks_a_card_with_a_word_and_another_word_is_asked_again(
    shopper: dict[str, str],
) -> None:
    with at_a_terminal("cards", "unlock", CARD_LABEL.upper(), environment=shopper) as terminal:
        terminal.until("ending 1111, environment simulator.")
        terminal.answer(WORD, "yes")
        terminal.until("That is neither unlock nor no.")
        terminal.answer(WORD, "no")
        terminal.until("The answer was no. Nothing was changed.")
        assert terminal.end() == 1
    assert is_locked(shopper)
    with at_a_terminal("cards", "unlock", CARD_LABEL, environment=shopper) as terminal:
        terminal.answer(WORD, "unlock")
        terminal.until(f"{CARD_LABEL} is unlocked.")
        assert terminal.end() == 0
    assert not is_locked(shopper)
    with at_a_terminal("cards", "unlock", CARD_LABEL, environment=shopper) as terminal:
        terminal.answer(WORD, "unlock")
        terminal.until(f"{CARD_LABEL} was not locked.")
        assert terminal.end() == 0


def test_where_a_pin_is_set_it_is_what_unlocks_a_card(shopper: dict[str, str]) -> None:
    async def set_a_pin(services: Services) -> None:
        await (await services.vault()).pin.set(SecretStr(PIN), BY_PERSON)

    anyio.run(in_rooms, shopper, set_a_pin)
    with at_a_terminal("cards", "unlock", CARD_LABEL, environment=shopper) as terminal:
        terminal.answer("Approval PIN (not shown): ", "9416")
        terminal.until("The approval PIN is wrong.")
        terminal.answer("Approval PIN (not shown): ", PIN)
        terminal.until(f"{CARD_LABEL} is unlocked.")
        assert terminal.end() == 0
    assert not is_locked(shopper)


def test_a_program_without_a_terminal_unlocks_nothing(shopper: dict[str, str]) -> None:
    done = in_a_script("cards", "unlock", CARD_LABEL, environment=shopper, given="unlock\n")
    assert done.returncode == 1
    assert "Unlocking a card needs a terminal" in done.stderr
    assert is_locked(shopper)


def test_a_card_that_is_not_there_is_told_so(shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "unlock", "other", environment=shopper) as terminal:
        terminal.until(f"There is no card of this label. There are: {CARD_LABEL}.")
        assert terminal.end() == 1
