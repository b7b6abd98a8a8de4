from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import CardRefused
from firmly_mcp.wallet.cards import entry_of
from firmly_mcp.wallet.memory import ADDRESS_LABEL, MemoryKeychain, demo_wallet

from .samples import REAL_LOOKING, a_card, a_key_pair, a_vault, now, sealed_by


@pytest.mark.anyio
async def test_it_keeps_what_the_demo_needs_and_says_what_it_is() -> None:
    keychain = MemoryKeychain()
    await keychain.set("simulator/local/device", SecretStr("a token"))
    assert await keychain.get("simulator/local/device") == SecretStr("a token")
    await keychain.delete("simulator/local/device")
    await keychain.delete("simulator/local/device")
    assert await keychain.get("simulator/local/device") is None
    assert "memory" in keychain.description
    assert "published test cards" in keychain.description


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", ["sandbox/local/device", "production/local/card/visa", "simulator-2/local/device", "x"]
)
async def test_nothing_of_another_environment_gets_in(name: str) -> None:
    with pytest.raises(CardRefused, match="Only the simulator's entries"):
        await MemoryKeychain().set(name, SecretStr("anything"))


@pytest.mark.anyio
async def test_a_card_that_is_not_published_for_tests_stops_at_the_door() -> None:
    keychain = MemoryKeychain()
    real = entry_of(a_card(number=SecretStr(REAL_LOOKING), environment="sandbox"))
    with pytest.raises(CardRefused, match="Only published test cards") as caught:
        await keychain.set("simulator/local/card/visa", real)
    assert REAL_LOOKING not in caught.value.message
    assert await keychain.get("simulator/local/card/visa") is None


@pytest.mark.anyio
async def test_the_demo_has_one_card_and_one_address_and_can_pay(tmp_path: Path) -> None:
    vault = await demo_wallet("local", tmp_path, now)
    (card,) = await vault.cards()
    assert (card.brand, card.last_four, card.billing_address) == ("visa", "1111", ADDRESS_LABEL)
    assert (await vault.address(card.billing_address)).city == "Seattle"
    assert (await sealed_by(vault, None, SecretStr("123"), a_key_pair().public)).get_secret_value().count(".") == 4


@pytest.mark.anyio
async def test_a_vault_in_memory_of_another_environment_keeps_nothing(tmp_path: Path) -> None:
    vault = a_vault(tmp_path, MemoryKeychain(), environment="sandbox")
    with pytest.raises(CardRefused, match="Only the simulator's entries"):
        await vault.add_card(a_card(environment="sandbox"))
