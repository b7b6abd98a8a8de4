"""Where money would move, no tool gets past the person: none accepts a setting, sets a PIN, approves or orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from firmly_mcp.server.app import build_server
from firmly_mcp.settings import command_line
from tests.checkout.abroad import PIN, Abroad, open_abroad
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService
from tests.shop import ORDER_TOOLS, STORE, call, refused, text_of
from tests.wallet.test_card_command import printing

from .test_gate import shapes

pytestmark = pytest.mark.anyio

# What a model might try to have accepted, beside what a tool takes.
CONSENTS = (
    {"accept": True},
    {"accepted": True},
    {"pin": PIN.get_secret_value()},
    {"rules": '[USD]\nask_above = "1000"'},
    {"environment": "simulator"},
    {"cvv_command": ["echo", "123"]},
)


@pytest.fixture
async def abroad(tmp_path: Path, keyring_bus: SecretService) -> AsyncIterator[Abroad]:
    async with open_abroad(tmp_path) as opened:
        opened.rules('[USD]\nask_above = "1000"\nask_above_a_day = "5000"\n')
        yield opened


@pytest.mark.parametrize("has_pin", [False, True], ids=["no PIN", "a PIN"])
async def test_no_tool_accepts_a_setting_whatever_it_is_given(abroad: Abroad, *, has_pin: bool) -> None:
    async with abroad.rooms() as services:
        vault = await services.vault()
        if has_pin:
            await vault.pin.set(PIN, BY_PERSON)
        await abroad.fill_cart(services)
        files = {path: path.read_bytes() for path in abroad.settings.rules_file.parent.glob("*.toml")}
        async with Client(build_server(services)) as client:
            # The order tools first: others empty the cart.
            for tool in sorted((await client.list_tools()).tools, key=lambda tool: tool.name not in ORDER_TOOLS):
                for arguments in shapes(tool, "ap_0123456789abcdef"):
                    result = await client.call_tool(tool.name, arguments)
                    if tool.name in ORDER_TOOLS:
                        assert result.is_error
                        assert "money_moved: no" in text_of(result), arguments
                for consent in CONSENTS:
                    assert (await refused(client, tool.name, **consent))["code"] == "invalid_arguments"
        assert await vault.acceptance.load() is None
        assert await vault.pin.is_set() == has_pin
        assert not (abroad.settings.data_dir / "accepted").exists()
        assert files == {path: path.read_bytes() for path in abroad.settings.rules_file.parent.glob("*.toml")}
        placement = await services.placement()
        assert not await placement.open_approvals()
        assert not await placement.attempts(limit=50)
    assert abroad.nothing_was_paid()


async def test_a_card_of_the_persons_own_command_is_listed_and_pays_once_it_is_accepted(abroad: Abroad) -> None:
    card = {
        "label": "Vault", "number": "5555555555554444", "name": "Ana Lima", "month": "12", "year": "2040",
        "billing_address": "home",
    }  # fmt: skip
    async with abroad.rooms(card_command=tuple(printing(card))) as services, Client(build_server(services)) as client:
        await abroad.fill_cart(services)
        listed = await call(client, "list_payment_cards")
        assert [shown["label"] for shown in listed["cards"]] == ["test-visa"]
        assert "card_command" in (await call(client, "preview_order", store=STORE, card="Vault"))["missing"]
        await (await services.vault()).remove_card("test-visa")
        listed = await call(client, "list_payment_cards")
        assert (listed.get("cards", []), "card_command" in listed["next"]) == ([], True)
        await abroad.accept(services)
        listed = await call(client, "list_payment_cards")
        assert [(shown["label"], shown["brand"], shown["last_four"]) for shown in listed["cards"]] == [
            ("Vault", "mastercard", "4444"),
        ]
        order = await call(client, "complete_order", store=STORE, card="vault")
        assert (order["status"], order["card"]) == ("placed", "Vault, mastercard ending 4444")
    assert len(abroad.simulator.books.charges) == 1


async def test_an_order_that_waits_for_acceptance_tells_the_command_for_the_person(abroad: Abroad) -> None:
    async with abroad.rooms() as services, Client(build_server(services)) as client:
        await abroad.fill_cart(services)
        for pin_is_set, words in ((False, ["pin", "set"]), (True, ["rules", "accept"])):
            if pin_is_set:
                await (await services.vault()).pin.set(PIN, BY_PERSON)
            error = await refused(client, "complete_order", store=STORE, max_total="1000")
            assert (error["code"], error["money_moved"]) == ("not_allowed", "no")
            assert error["next"] == command_line(services.settings, *words)
            assert error["next"] in error["message"]
