from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import anyio
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from firmly_mcp.errors import (
    AddressNotFound,
    AddressRefused,
    CardNotFound,
    CardRefused,
    PinRefused,
    UnexpectedAnswer,
    WalletError,
)
from firmly_mcp.settings import Owner
from firmly_mcp.wallet import keychain as wallet_locks
from firmly_mcp.wallet.entries import entry_name
from firmly_mcp.wallet.jwe import thumbprint
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.wallet import Wallet
from tests.proofs import BY_PERSON, with_pin
from tests.secret_service import DEADLINE, SecretService

from .samples import (
    REAL_LOOKING,
    TEST_AMEX,
    a_card,
    a_key_pair,
    a_real_vault,
    a_vault,
    an_address,
    damage_in,
    now,
    sealed_by,
)


@pytest.mark.anyio
async def test_a_card_is_kept_in_the_real_keyring_until_it_is_removed(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    vault = a_real_vault(tmp_path)
    assert await vault.cards() == []
    await vault.add_own_address(an_address(), BY_PERSON)
    added = await vault.add_card(a_card(billing_address="Home"))
    again = Wallet(Keychain(), vault.owner, tmp_path, now)
    assert await again.cards() == [added]
    assert await again.card_summary("Visa") == added
    assert (await again.address()).as_firmly() == an_address().as_firmly()
    await again.remove_card("Visa")
    await again.remove_address("Home")
    assert await vault.cards() == []
    assert await vault.addresses() == []
    assert vault.description == "Secret Service"


@pytest.mark.anyio
async def test_each_card_is_one_entry_keyed_by_environment_and_shopper(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    keychain = Keychain()
    for environment, shopper in (("sandbox", "ana"), ("sandbox", "bob"), ("production", "ana")):
        vault = Wallet(keychain, Owner(environment, shopper), tmp_path, now)
        await vault.add_card(a_card(environment=environment, name=f"{shopper} of {environment}"))
        assert len(await vault.cards()) == 1
        entry = await keychain.get(f"{environment}/{shopper}/card/visa")
        assert entry is not None
        assert json.loads(entry.get_secret_value())["name"] == f"{shopper} of {environment}"
    assert await Wallet(keychain, Owner("sandbox", "ana/card"), tmp_path, now).cards() == []


@pytest.mark.anyio
async def test_labels_are_found_without_regard_to_case_and_shown_as_typed(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_card(a_card(label="Große Visa"))
    assert (await vault.card_summary("GROSSE  VISA")).label == "Große Visa"
    assert await vault.has_card("große visa")
    with pytest.raises(CardRefused, match="There is a card of the label grosse visa already"):
        await vault.add_card(a_card(label="grosse visa"))
    await vault.add_card(a_card(label="grosse Visa", number=SecretStr(TEST_AMEX)), replace=True)
    assert [(card.label, card.brand) for card in await vault.cards()] == [("grosse Visa", "amex")]


@pytest.mark.anyio
async def test_without_a_label_the_first_card_is_meant_until_a_person_says_otherwise(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    with pytest.raises(CardNotFound, match=r"There is no card yet\. Add one with `firmly-mcp cards add`") as caught:
        await vault.card_summary()
    assert caught.value.known == ()
    await vault.add_card(a_card(label="One"))
    assert (await vault.card_summary()).label == "One"
    for label in ("Two", "Three"):
        await vault.add_card(a_card(label=label))
        assert ((await vault.card_summary()).label, await vault.default_card()) == ("One", "One")
    await vault.set_default_card("two")
    assert (await vault.card_summary()).label == "Two"
    await vault.add_card(a_card(label="one", number=SecretStr(TEST_AMEX)), replace=True)
    assert (await vault.card_summary()).label == "Two"
    await vault.remove_card("Two")
    with pytest.raises(
        CardNotFound, match=r"more than one card and no default one\. Name one of: one, Three"
    ) as caught:
        await vault.card_summary(None)
    assert caught.value.known == ("one", "Three")
    await vault.remove_card("Three")
    await vault.add_card(a_card(label="Four"))
    assert (await vault.card_summary()).label == "one"
    await vault.add_card(a_card(label="Five"), default=True)
    assert (await vault.card_summary()).label == "Five"


@pytest.mark.anyio
async def test_the_first_address_is_meant_until_a_person_says_otherwise_whoever_adds_others(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_own_address(an_address(label="Home"), BY_PERSON)
    await vault.add_address(an_address(label="Gift", origin="tool"))
    await vault.add_own_address(an_address(label="Work"), BY_PERSON)
    assert ((await vault.address()).label, await vault.default_address()) == ("Home", "Home")
    await vault.set_default_address("Work")
    await vault.add_address(an_address(label="Other", origin="script"))
    assert (await vault.address()).label == "Work"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kept", "meant_before", "meant_after"),
    [
        ('{"labels": ["One"], "default": null}', "One", "One"),
        ('{"labels": ["One", "Two"], "default": null}', None, None),
        ('{"labels": ["One", "Two"], "default": "Two"}', "Two", "Two"),
    ],
    ids=["one card", "two cards and no default", "a default"],
)
async def test_what_version_0_1_0_kept_means_what_it_meant(
    tmp_path: Path, kept: str, meant_before: str | None, meant_after: str | None
) -> None:
    keychain = MemoryKeychain()
    vault = a_vault(tmp_path, keychain)
    for label in json.loads(kept)["labels"]:
        await vault.add_card(a_card(label=label))
    await keychain.set(f"simulator/{vault.owner.shopper}/cards", SecretStr(kept))
    assert await vault.default_card() == meant_before
    await vault.add_card(a_card(label="Three"))
    assert await vault.default_card() == meant_after


@pytest.mark.anyio
async def test_an_unknown_label_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_card(a_card(label="One"))
    await vault.add_own_address(an_address(label="Home"), BY_PERSON)
    for call in (vault.card_summary("4111"), vault.remove_card("4111"), vault.set_default_card("4111")):
        with pytest.raises(CardNotFound, match="There are: One") as card:
            await call
        assert card.value.known == ("One",)
        assert "4111" not in card.value.message
    for other in (vault.address("Work"), vault.remove_address("Work"), vault.set_default_address("Work")):
        with pytest.raises(AddressNotFound, match="There are: Home") as address:
            await other
        assert address.value.known == ("Home",)


@pytest.mark.anyio
async def test_a_card_of_another_environment_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CardRefused, match="made for the sandbox environment; this is simulator"):
        await a_vault(tmp_path).add_card(a_card(environment="sandbox"))


@pytest.mark.anyio
async def test_a_card_that_skipped_the_checks_is_stopped_at_the_door(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    with pytest.raises(CardRefused, match="published test numbers"):
        await vault.add_card(a_card().model_copy(update={"number": SecretStr(REAL_LOOKING)}))
    with pytest.raises(CardRefused, match="expired"):
        await vault.add_card(a_card().model_copy(update={"year": "2020"}))
    assert await vault.cards() == []


@pytest.mark.anyio
async def test_a_billing_address_is_in_the_book_and_stays_there_while_a_card_names_it(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    with pytest.raises(AddressNotFound, match="There is no address yet"):
        await vault.add_card(a_card(billing_address="Home"))
    assert await vault.cards() == []
    await vault.add_own_address(an_address(label="Home"), BY_PERSON)
    await vault.add_card(a_card(billing_address="HOME"))
    with pytest.raises(WalletError, match="Home is the billing address of the card Visa"):
        await vault.remove_address("home")
    await vault.remove_card("Visa")
    await vault.remove_address("home")


@pytest.mark.anyio
async def test_an_address_of_a_tool_or_a_script_replaces_nothing(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_own_address(an_address(), BY_PERSON)
    for origin in ("tool", "script"):
        with pytest.raises(AddressRefused, match="There is an address of the label Home"):
            await vault.add_address(an_address(origin=origin, city="Elsewhere"))
    assert (await vault.address()).city == "Seattle"
    await vault.add_own_address(an_address(city="Tacoma"), BY_PERSON, replace=True)
    assert (await vault.address()).city == "Tacoma"
    await vault.add_address(an_address(label="Gift", origin="tool"), default=True)
    assert (await vault.address()).origin == "tool"
    await vault.set_default_address("Home")
    assert (await vault.address()).origin == "person"


@given(st.lists(st.text(), min_size=1))
def test_no_two_entries_share_a_name(parts: list[str]) -> None:
    assert [unquote(part) for part in entry_name(*parts).split("/")] == parts


@pytest.mark.anyio
async def test_additions_of_several_processes_are_all_listed(keyring_bus: SecretService, tmp_path: Path) -> None:
    program = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from firmly_mcp.settings import Owner\n"
        "from firmly_mcp.wallet.keychain import Keychain\n"
        "from firmly_mcp.wallet.wallet import Wallet\n"
        "from tests.wallet.samples import a_card, now\n"
        "vault = Wallet(Keychain(), Owner('simulator', 'many-processes'), Path(sys.argv[1]), now)\n"
        "async def main():\n"
        "    for number in range(3):\n"
        "        await vault.add_card(a_card(label=f'{sys.argv[2]} {number}'))\n"
        "anyio.run(main)\n"
    )
    names = ("Ana", "Bob", "Cem", "Dia")
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as running:
            for name in names:
                running.start_soon(anyio.run_process, [sys.executable, "-c", program, str(tmp_path), name])
    vault = Wallet(Keychain(), Owner("simulator", "many-processes"), tmp_path, now)
    assert {card.label for card in await vault.cards()} == {f"{name} {number}" for name in names for number in range(3)}


@pytest.mark.anyio
async def test_a_wallet_that_another_process_holds_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallet_locks, "_LOCK_SECONDS", 0.1)
    vault = a_vault(tmp_path)
    await vault.add_card(a_card())
    (held,) = tmp_path.iterdir()
    assert held.stat().st_mode & 0o777 == 0o600
    with FileLock(held), pytest.raises(WalletError, match="Another firmly-mcp has been changing the wallet"):
        await vault.remove_card("Visa")
    assert len(await vault.cards()) == 1


@pytest.mark.anyio
async def test_an_addition_that_is_cancelled_half_way_leaves_the_wallet_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallet_locks, "_LOCK_SECONDS", 0.1)
    writing = anyio.Event()

    class Waiting(MemoryKeychain):
        async def set(self, name: str, secret: SecretStr) -> None:
            if name.endswith("/card/one"):
                writing.set()
                await anyio.sleep_forever()
            await super().set(name, secret)

    vault = a_vault(tmp_path, Waiting())
    async with anyio.create_task_group() as group:
        group.start_soon(vault.add_card, a_card(label="One"))
        await writing.wait()
        group.cancel_scope.cancel()
    await vault.add_card(a_card(label="Two"))
    assert [card.label for card in await vault.cards()] == ["Two"]
    assert "card/one of firmly-mcp is missing" in (await damage_in(vault))[0].message
    await vault.remove_card("One")
    assert await damage_in(vault) == []


@pytest.mark.anyio
async def test_device_tokens_are_kept_by_environment_and_shopper(keyring_bus: SecretService, tmp_path: Path) -> None:
    ours, others = a_real_vault(tmp_path), a_real_vault(tmp_path)
    assert await ours.device_tokens.load() is None
    await ours.device_tokens.save('{"token": "eyJ"}')
    assert await ours.device_tokens.load() == '{"token": "eyJ"}'
    assert await others.device_tokens.load() is None


@pytest.mark.anyio
async def test_sealing_refuses_an_expired_card_and_remembers_the_key(tmp_path: Path) -> None:
    clock = [datetime(2026, 11, 21, tzinfo=UTC)]
    vault = Wallet(MemoryKeychain(), Owner("simulator", "local"), tmp_path, lambda: clock[0])
    await vault.add_card(a_card())
    key = a_key_pair()
    assert (await sealed_by(vault, None, SecretStr("123"), key.public)).get_secret_value().count(".") == 4
    assert list(await vault.payment_keys()) == [f"{key.public.host} {key.public.kid}"]
    clock[0] = datetime(2031, 1, 1, tzinfo=UTC)
    with pytest.raises(CardRefused, match=r"The card has expired\. Nothing was sent\."):
        await sealed_by(vault, "Visa", SecretStr("123"), key.public)


@pytest.mark.anyio
async def test_one_key_id_never_stands_for_two_keys(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_card(a_card())
    first, impostor, rotated = a_key_pair(), a_key_pair(which=1), a_key_pair(kid="2026-02-key", which=1)
    await sealed_by(vault, None, SecretStr("123"), first.public)
    with pytest.raises(UnexpectedAnswer, match="another payment key under a key id that it has used before"):
        await sealed_by(vault, None, SecretStr("123"), impostor.public)
    await sealed_by(vault, None, SecretStr("123"), rotated.public)
    await sealed_by(vault, None, SecretStr("123"), first.public)
    assert len(await vault.payment_keys()) == 2


@pytest.mark.anyio
async def test_a_key_renewed_under_its_old_id_is_used_once_a_person_accepted_that_very_key(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.add_card(a_card())
    first, renewed, impostor = (a_key_pair(which=which) for which in range(3))
    await sealed_by(vault, None, SecretStr("123"), first.public)
    compared = await vault.compare_payment_key(renewed.public)
    before, now_ = thumbprint(first.public), thumbprint(renewed.public)
    assert (compared.kid, compared.before, compared.now, compared.is_refused) == (first.public.kid, before, now_, True)
    with pytest.raises(UnexpectedAnswer, match=f"whether {now_} is its key's thumbprint") as caught:
        await sealed_by(vault, None, SecretStr("123"), renewed.public)
    assert caught.value.next == "firmly-mcp orders accept-payment-key"
    await vault.accept_payment_key(renewed.public, BY_PERSON)
    await sealed_by(vault, None, SecretStr("123"), renewed.public)
    for other in (first, impostor):
        with pytest.raises(UnexpectedAnswer, match="another payment key"):
            await sealed_by(vault, None, SecretStr("123"), other.public)
    assert not (await vault.compare_payment_key(renewed.public)).is_refused


@pytest.mark.anyio
async def test_where_money_moves_a_payment_key_is_accepted_with_the_pin_alone(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    vault = a_vault(tmp_path, Keychain(), environment="production")
    first, renewed = (a_key_pair(which=which, host="cc.firmly.online") for which in range(2))
    await vault.add_card(a_card(environment="production"))
    await sealed_by(vault, None, SecretStr("123"), first.public)
    with pytest.raises(PinRefused, match="No approval PIN is set"):
        await vault.accept_payment_key(renewed.public, BY_PERSON)
    await vault.pin.set(SecretStr("tulip 47"), BY_PERSON)
    for proof in (BY_PERSON, with_pin("tulip 48")):
        with pytest.raises(PinRefused):
            await vault.accept_payment_key(renewed.public, proof)
    assert (await vault.compare_payment_key(renewed.public)).is_refused
    await vault.accept_payment_key(renewed.public, with_pin("tulip 47"))
    assert not (await vault.compare_payment_key(renewed.public)).is_refused


@pytest.mark.anyio
async def test_a_damaged_entry_of_payment_keys_is_renewed_by_accepting_a_key(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    vault = a_vault(tmp_path, keychain)
    await vault.add_card(a_card())
    await keychain.set(f"simulator/{vault.owner.shopper}/payment-keys", SecretStr("nonsense"))
    key = a_key_pair()
    with pytest.raises(WalletError, match="firmly-mcp orders accept-payment-key"):
        await sealed_by(vault, None, SecretStr("123"), key.public)
    compared = await vault.compare_payment_key(key.public)
    assert (compared.before, compared.is_damaged, compared.is_refused) == (None, True, True)
    await vault.accept_payment_key(key.public, BY_PERSON)
    await sealed_by(vault, None, SecretStr("123"), key.public)


@pytest.mark.anyio
async def test_the_oldest_of_many_keys_is_forgotten_and_the_entry_stays_small(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    vault = a_vault(tmp_path, keychain)
    await vault.add_card(a_card())
    for number in range(14):
        await sealed_by(vault, None, SecretStr("123"), a_key_pair(kid=f"{number:032}").public)
    kept = await vault.payment_keys()
    assert [name.split(" ")[1] for name in kept] == [f"{number:032}" for number in range(4, 14)]
    entry = await keychain.get(f"simulator/{vault.owner.shopper}/payment-keys")
    assert entry is not None
    assert len(entry.get_secret_value().encode("utf-16-le")) < 2560
