"""Entries that are missing, broken or foreign, and keyrings that fail half-way."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService, lock, private_bus, secret_service

from .samples import TEST_VISA, a_card, a_key_pair, a_real_vault, a_vault, an_address, damage_in, sealed_by


class Failing(MemoryKeychain):
    """A keyring that breaks when an entry with this in its name is written."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self._when = when

    async def set(self, name: str, secret: SecretStr) -> None:
        if self._when in name:
            raise WalletError("broken")
        await super().set(name, secret)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (None, "is missing"),
        ("not json", "does not hold this card"),
        ('{"label":"Visa","number":"4111111111111112"}', "does not hold this card"),
    ],
)
async def test_a_damaged_entry_is_named_and_the_others_are_still_listed(
    entry: str | None, says: str, keyring_bus: SecretService, tmp_path: Path
) -> None:
    keychain = Keychain()
    vault = a_vault(tmp_path, keychain)
    for label in ("One", "Two's", "Three"):
        await vault.add_card(a_card(label=label))
        await vault.add_own_address(an_address(label=label), BY_PERSON)
    for kind in ("card", "address"):
        name = f"simulator/{vault.owner.shopper}/{kind}/two's"
        await (keychain.delete(name) if entry is None else keychain.set(name, SecretStr(entry)))
    assert [card.label for card in await vault.cards()] == ["One", "Three"]
    assert [address.label for address in await vault.addresses()] == ["One", "Three"]
    damaged_card, damaged_address = await damage_in(vault)
    assert f"simulator/{vault.owner.shopper}/card/two's of firmly-mcp {says}" in damaged_card.message
    assert """`firmly-mcp cards remove 'Two'"'"'s'`""" in damaged_card.message
    assert f"simulator/{vault.owner.shopper}/address/two's" in damaged_address.message
    with pytest.raises(WalletError, match="Remove it with"):
        await vault.card_summary("Two's")
    with pytest.raises(WalletError, match="Remove it with"):
        await sealed_by(vault, "Two's", SecretStr("123"), a_key_pair().public)
    await vault.remove_card("Two's")
    await vault.remove_address("Two's")
    assert await damage_in(vault) == []


@pytest.mark.anyio
async def test_an_entry_of_another_card_or_environment_is_foreign(keyring_bus: SecretService, tmp_path: Path) -> None:
    keychain = Keychain()
    ours, theirs = a_vault(tmp_path, keychain, environment="production"), a_vault(tmp_path, keychain)
    await ours.add_card(a_card(label="One", environment="production"))
    await ours.add_card(a_card(label="Two", environment="production"))
    await theirs.add_card(a_card(label="One"))
    for moved in (f"production/{ours.owner.shopper}/card/two", f"simulator/{theirs.owner.shopper}/card/one"):
        entry = await keychain.get(moved)
        assert entry is not None
        await keychain.set(f"production/{ours.owner.shopper}/card/one", entry)
        with pytest.raises(WalletError, match="does not hold this card"):
            await ours.card_summary("One")


@pytest.mark.anyio
async def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    vault = a_vault(tmp_path, keychain)
    for text in ("[", '{"labels": 3}', '{"labels": ["One"], "default": "Two"}'):
        await keychain.set(f"simulator/{vault.owner.shopper}/cards", SecretStr(text))
        with pytest.raises(WalletError, match=f"simulator/{vault.owner.shopper}/cards of firmly-mcp is damaged"):
            await vault.cards()


@pytest.mark.anyio
async def test_a_locked_keyring_is_no_damaged_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as bus, secret_service(bus):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        vault = a_real_vault(tmp_path)
        await vault.add_card(a_card())
        lock(bus)
        for call in (vault.cards(), damage_in(vault), vault.card_summary(), vault.device_tokens.load()):
            with pytest.raises(WalletError, match="the keyring is locked"):
                await call


@pytest.mark.anyio
async def test_a_keyring_that_fails_in_the_middle_of_a_list_is_no_damaged_entry_either(tmp_path: Path) -> None:
    class Closing(MemoryKeychain):
        async def get(self, name: str) -> SecretStr | None:
            if name.endswith("/card/two"):
                raise WalletError("locked meanwhile")
            return await super().get(name)

    vault = a_vault(tmp_path, Closing())
    await vault.add_card(a_card(label="One"))
    await vault.add_card(a_card(label="Two"))
    for call in (vault.cards(), damage_in(vault)):
        with pytest.raises(WalletError, match="locked meanwhile"):
            await call


@pytest.mark.anyio
async def test_a_card_that_could_not_be_written_is_not_listed(tmp_path: Path) -> None:
    vault = a_vault(tmp_path, Failing("/card/"))
    with pytest.raises(WalletError, match="broken"):
        await vault.add_card(a_card())
    assert await vault.cards() == []
    assert await damage_in(vault) == []


@pytest.mark.anyio
async def test_no_card_is_written_that_no_list_names(tmp_path: Path) -> None:
    keychain = Failing("/cards")
    vault = a_vault(tmp_path, keychain)
    with pytest.raises(WalletError, match="broken"):
        await vault.add_card(a_card())
    assert await keychain.get(f"simulator/{vault.owner.shopper}/card/visa") is None


@pytest.mark.anyio
async def test_a_damaged_entry_of_payment_keys_stops_the_sealing(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    vault = a_vault(tmp_path, keychain)
    await vault.add_card(a_card(number=SecretStr(TEST_VISA)))
    await keychain.set(f"simulator/{vault.owner.shopper}/payment-keys", SecretStr("[1]"))
    with pytest.raises(WalletError, match="payment-keys of firmly-mcp is damaged"):
        await sealed_by(vault, None, SecretStr("123"), a_key_pair().public)
