"""What a PIN is, where it is kept, and what it takes to change it."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import NotAllowed, PinRefused, WalletError
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain, demo_wallet
from firmly_mcp.wallet.pin import ApprovalPin, Cost, pin_problem
from tests.proofs import BY_PERSON, with_pin
from tests.secret_service import SecretService

from .pins import NAME, PIN, WRONG, a_pin, tries_left
from .samples import TEST_VISA, a_card, a_real_vault, a_vault, now


@pytest.mark.anyio
async def test_a_pin_is_kept_in_the_real_keyring_as_a_salted_hash_with_its_cost(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    vault, other = a_real_vault(tmp_path), a_real_vault(tmp_path)
    for one in (vault, other):
        assert not await one.pin.is_set()
        await one.pin.set(PIN, BY_PERSON)
        assert await one.pin.is_set()
        await one.pin.check(PIN)
    entry, another = [await Keychain().get(f"simulator/{one.owner.shopper}/pin") for one in (vault, other)]
    assert entry is not None
    assert another is not None
    kept, of_another = json.loads(entry.get_secret_value()), json.loads(another.get_secret_value())
    assert kept["salt"] != of_another["salt"]
    assert kept["hash"] != of_another["hash"]
    assert (kept["n"], kept["r"], kept["p"]) >= (2**15, 8, 1)
    assert "8305" not in entry.get_secret_value().replace(kept["hash"], "").replace(kept["salt"], "")


@pytest.mark.anyio
async def test_each_environment_has_a_pin_of_its_own(tmp_path: Path) -> None:
    simulator = a_vault(tmp_path)
    await simulator.pin.set(PIN, BY_PERSON)
    assert simulator.pin.name == f"simulator/{simulator.owner.shopper}/pin"
    assert a_vault(tmp_path, environment="production").pin.name.startswith("production/")


@pytest.mark.anyio
async def test_a_pin_that_was_set_at_another_cost_is_still_right(tmp_path: Path) -> None:
    secrets = MemoryKeychain()
    await ApprovalPin(secrets, NAME, tmp_path / "pin.lock", now, Cost(n=4, r=2, p=2)).set(PIN, BY_PERSON)
    await a_pin(tmp_path, secrets).check(PIN)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("chosen", "typed"), [("Grüße 7", "Gru\u0308ße 7"), ("\uff14\uff18\uff12\uff17", "4827"), (" 4827\n", "4827")]
)
async def test_one_pin_is_one_pin_however_a_keyboard_spells_it(chosen: str, typed: str, tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(SecretStr(chosen), BY_PERSON)
    await pin.check(SecretStr(typed))


@pytest.mark.anyio
async def test_changing_it_takes_the_old_one_and_a_wrong_one_is_a_try(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN, BY_PERSON)
    with pytest.raises(PinRefused, match="changing it takes the old one"):
        await pin.set(SecretStr("7158"), BY_PERSON)
    with pytest.raises(PinRefused, match="4 tries are left") as caught:
        await pin.set(SecretStr("7158"), with_pin(WRONG))
    assert caught.value.tries_left == 4
    assert isinstance(caught.value, NotAllowed)
    assert caught.value.money_moved == "no"
    await pin.set(SecretStr("7158"), with_pin(PIN))
    assert await tries_left(pin, PIN) == 4
    await pin.check(SecretStr("7158"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        *((typed, "one of the first that anybody would try") for typed in (
            "0000", "1234", "4321", "7890", "2468", "1212", "1122", "123123", "1998", "2031", "abcd", "2580",
            "Password", "aaaaaaaa", "abababab", "\uff11\uff12\uff13\uff14",
        )),
        ("", "4 to 64 characters"),
        ("827", "4 to 64 characters"),
        ("   827   ", "4 to 64 characters"),
        ("a phrase " * 8, "4 to 64 characters"),
        ("82\u200b73", "printable"),
        (TEST_VISA, "could be a card number"),
        ("my card 4111 1111-1111 1111", "could be a card number"),
    ],
)  # fmt: skip
async def test_a_pin_that_would_be_guessed_or_mistyped_is_not_taken(typed: str, says: str, tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    problem = pin_problem(SecretStr(typed))
    assert problem is not None
    assert says in problem
    with pytest.raises(PinRefused, match=says) as caught:
        await pin.set(SecretStr(typed), BY_PERSON)
    assert caught.value.tries_left is None
    assert not await pin.is_set()


@pytest.mark.parametrize("typed", ["8305", "4827", "1357x", "correct horse", "2580 and more", "ключ от дома"])
def test_other_digits_and_phrases_are_taken(typed: str) -> None:
    assert pin_problem(SecretStr(typed)) is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        {"hash": "00"}, {"salt": "zz"}, {"n": 2**18}, {"n": 3}, {"n": 1}, {"r": 4096}, {"p": 0}, {"misses": -9},
        {"last_try": "yesterday"}, {"last_try": "2026-01-01T00:00:00"}, {"misses": None},
    ],
)  # fmt: skip
async def test_a_damaged_entry_checks_nothing_and_is_not_replaced(change: dict[str, Any], tmp_path: Path) -> None:
    secrets = MemoryKeychain()
    pin = a_pin(tmp_path, secrets)
    await pin.set(PIN, BY_PERSON)
    entry = await secrets.get(NAME)
    assert entry is not None
    await secrets.set(NAME, SecretStr(json.dumps(json.loads(entry.get_secret_value()) | change)))
    with pytest.raises(WalletError, match="simulator/local/pin of firmly-mcp is damaged"):
        await pin.check(PIN)
    with pytest.raises(WalletError, match="damaged"):
        await pin.is_set()
    with pytest.raises(WalletError, match="run `firmly-mcp pin set`"):
        await pin.set(SecretStr("7158"), with_pin(PIN))


@pytest.mark.anyio
async def test_a_pin_is_wanted_with_the_first_card_and_wherever_a_card_can_pay(tmp_path: Path) -> None:
    simulator, production = a_vault(tmp_path), a_vault(tmp_path, _Anything(), environment="production")
    for vault in (simulator, production):
        assert await vault.wants_pin()
        await vault.add_card(a_card(environment=vault.environment))
    assert not await simulator.wants_pin()
    assert await production.wants_pin()
    await production.pin.set(PIN, BY_PERSON)
    assert not await production.wants_pin()
    assert not await (await demo_wallet("local", tmp_path, now)).pin.is_set()


class _Anything(MemoryKeychain):
    async def set(self, name: str, secret: SecretStr) -> None:
        self._secrets[name] = secret


@pytest.mark.anyio
async def test_forgetting_everything_forgets_the_pin(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.pin.set(PIN, BY_PERSON)
    await vault.forget_everything()
    assert not await vault.pin.is_set()


@pytest.mark.anyio
async def test_a_canary_pin_is_seen_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary, seen = "correct canary 5293", list[str]()
    secrets = MemoryKeychain()
    pin = a_pin(tmp_path, secrets)
    typed = SecretStr(canary)

    async def refused(act: Any) -> None:
        with pytest.raises((PinRefused, WalletError)) as caught:
            await act
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in report.stack if frame.filename != __file__]
        seen.extend([*traceback.StackSummary.from_list(frames).format(), str(caught.value), repr(vars(caught.value))])
        assert caught.value.__context__ is None

    await refused(pin.check(typed))
    await pin.set(typed, BY_PERSON)
    await refused(pin.set(typed, BY_PERSON))
    await refused(pin.set(typed, with_pin(WRONG)))
    await refused(pin.set(SecretStr(canary * 5), with_pin(typed)))
    await refused(pin.check(SecretStr(f"{canary}x")))
    await pin.check(typed)
    kept = await pin._kept()
    assert kept is not None
    seen += [repr(vars(pin)), repr(kept), str(kept), repr(pin)]
    await secrets.set(NAME, SecretStr(json.dumps({"hash": canary})))
    await refused(pin.check(typed))
    entry = await secrets.get(NAME)
    seen += [*capfd.readouterr(), caplog.text, repr(entry)]
    seen += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(seen) > 20
    assert [text for text in seen if canary in text] == []
    assert [text for text in seen if kept.hash in text] == [], "few digits are soon found from their hash"
