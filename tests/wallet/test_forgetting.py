"""A secret is let go of as soon as it is used: nothing holds it on, not even a cycle that waits for the collector."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.errors import NotAllowed, PinRefused, WalletError
from firmly_mcp.pages.server import Pages
from firmly_mcp.system.process import run_for_output
from firmly_mcp.wallet.backends import Backend
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.pin import ApprovalPin, Cost
from firmly_mcp.wallet.wallet import Wallet
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService

from .remaining import Canary, nothing_collected
from .samples import PAYMENT_HOSTS, a_card, a_key_pair, a_vault, an_address, sealed_by

pytestmark = pytest.mark.anyio

HOST = PAYMENT_HOSTS["sandbox"]


class Breaking:
    """A keyring that keeps nothing."""

    def get_password(self, service: str, username: str) -> str | None:
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        if "/card/" in username or username == "pin":
            raise RuntimeError(f"cannot keep {password}")

    def delete_password(self, service: str, username: str) -> None:
        return None


async def test_a_card_is_held_no_longer_than_it_is_kept_or_sealed(keyring_bus: SecretService, tmp_path: Path) -> None:
    vault, canary = a_vault(tmp_path, Keychain(), environment="sandbox"), Canary.number()
    await vault.add_own_address(an_address(), BY_PERSON)
    key = a_key_pair(host=HOST).public
    with nothing_collected():
        await vault.add_card(a_card(number=canary.secret(), environment="sandbox", billing_address="Home"))
        assert await vault.cards()
        await sealed_by(vault, "visa", SecretStr("123"), key)
        assert canary.holders() == []
    await vault.remove_card("visa")


async def test_a_keyring_that_fails_leaves_nothing_of_the_card(tmp_path: Path) -> None:
    keychain, canary = Keychain(find=lambda _: Backend("a broken keyring", Breaking())), Canary.number()
    vault = a_vault(tmp_path, keychain, environment="sandbox")
    with nothing_collected():
        await _refused(vault, canary)
        assert canary.holders() == []


async def _refused(vault: Wallet, canary: Canary) -> None:
    with pytest.raises(WalletError):
        await vault.add_card(a_card(number=canary.secret(), environment="sandbox"))


async def test_a_pin_is_held_no_longer_than_it_is_checked(keyring_bus: SecretService, tmp_path: Path) -> None:
    pin = ApprovalPin(Keychain(), "test/forgetting", tmp_path / "lock", lambda: datetime.now(UTC), Cost(n=2, r=1, p=1))
    canary, wrong = Canary.pin(), Canary.pin()
    with nothing_collected():
        await pin.set(canary.secret(), BY_PERSON)
        await pin.check(canary.secret())
        await _wrong(pin, wrong)
        assert canary.holders() == []
        assert wrong.holders() == []
    await pin.forget()


async def _wrong(pin: ApprovalPin, canary: Canary) -> None:
    with pytest.raises(PinRefused):
        await pin.check(canary.secret())


async def test_what_an_operators_command_prints_is_not_held_on(tmp_path: Path) -> None:
    canary = Canary.number()
    given = tmp_path / "card"
    given.write_text(canary.secret().get_secret_value(), "utf-8")
    with nothing_collected():
        await _printed(given)
        await _printed_too_much(given)
        assert canary.holders() == []


async def _printed(given: Path) -> None:
    printed = await run_for_output(("cat", str(given)), setting="card_command", longest=100)
    assert printed is not None
    assert len(printed) == 16


async def _printed_too_much(given: Path) -> None:
    assert await run_for_output(("cat", str(given)), setting="card_command", longest=10) is None
    with pytest.raises(WalletError):
        await run_for_output(("sh", "-c", 'cat "$0"; exit 3', str(given)), setting="card_command", longest=100)


FILLING = """
import json, sys
from urllib.error import HTTPError
from tests.forms import filled
try:
    print(filled(sys.argv[1], json.load(sys.stdin)))
except HTTPError as error:
    print(error.read().decode())
"""


async def test_what_a_person_types_on_the_card_page_is_not_held_on(keyring_bus: SecretService, tmp_path: Path) -> None:
    vault = a_vault(tmp_path, Keychain(), environment="sandbox")
    await vault.add_own_address(an_address(), BY_PERSON)
    pages = Pages(placement=_nobody, vault=partial(_found, vault), environment="sandbox", now=vault.now)
    mistyped, pin = Canary("4539", "0", 15), Canary.pin()
    try:
        with nothing_collected():
            await _typed(pages, mistyped, pin, "check digit")
            assert mistyped.holders() == []
            assert pin.holders() == []
            canary = Canary.number()
            await _typed(pages, canary, pin, "is saved")
            assert canary.holders() == []
            assert pin.holders() == []
    finally:
        await pages.close()
    await vault.remove_card("Work")


async def _typed(pages: Pages, number: Canary, pin: Canary, words: str) -> None:
    form = await pages.card_form()
    fields = {"label": "Work", "number": number, "expiry": "08/31", "name": "Ana Lima", "billing": "book:Home"}
    fields |= {"pin": pin, "pin_again": pin}
    typed = {
        name: value.secret().get_secret_value() if isinstance(value, Canary) else value
        for name, value in fields.items()
    }
    browser = await anyio.run_process([sys.executable, "-c", FILLING, form.link], input=json.dumps(typed).encode())
    assert words in browser.stdout.decode()


async def _nobody() -> Checkout:
    raise NotAllowed("This page asks no shop.")


async def _found(vault: Wallet) -> Wallet:
    return vault
