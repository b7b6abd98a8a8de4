from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from anyio import lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from firmly_mcp.errors import NotAllowed, PinRefused, WalletError
from firmly_mcp.wallet.demo import demo_vault
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.pin import LOCKED_FOR, TRIES, ApprovalPin, Cost, pin_problem
from firmly_mcp.wallet.vault import Vault
from tests.secret_service import DEADLINE, SecretService

from .samples import NOW, TEST_VISA, a_card, a_real_vault, a_vault, now

NAME = "simulator/local/pin"
PIN = SecretStr("8305 7")
WRONG = SecretStr("9416")
CHEAP = Cost(n=2, r=1, p=1)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_pin(directory: Path, secrets: MemoryKeychain, clock: Clock | None = None) -> ApprovalPin:
    """The PIN as one more process would open it."""
    return ApprovalPin(secrets, NAME, directory / "pin.lock", clock or now, CHEAP)


async def tries_left(pin: ApprovalPin, typed: SecretStr = WRONG) -> int | None:
    """What a refused try says."""
    with pytest.raises(PinRefused) as caught:
        await pin.check(typed)
    return caught.value.tries_left


@pytest.mark.anyio
async def test_a_pin_is_kept_in_the_real_keyring_as_a_salted_hash_with_its_cost(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    vault, other = a_real_vault(tmp_path), a_real_vault(tmp_path)
    for one in (vault, other):
        assert not await one.pin.is_set()
        await one.pin.set(PIN)
        assert await one.pin.is_set()
        await one.pin.check(PIN)
    entry, another = [await Keychain().get(f"simulator/{one.shopper}/pin") for one in (vault, other)]
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
    await simulator.pin.set(PIN)
    assert simulator.pin.name == f"simulator/{simulator.shopper}/pin"
    assert a_vault(tmp_path, environment="production").pin.name.startswith("production/")


@pytest.mark.anyio
async def test_a_pin_that_was_set_at_another_cost_is_still_right(tmp_path: Path) -> None:
    secrets = MemoryKeychain()
    await ApprovalPin(secrets, NAME, tmp_path / "pin.lock", now, Cost(n=4, r=2, p=2)).set(PIN)
    await a_pin(tmp_path, secrets).check(PIN)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("chosen", "typed"), [("Grüße 7", "Gru\u0308ße 7"), ("\uff14\uff18\uff12\uff17", "4827"), (" 4827\n", "4827")]
)
async def test_one_pin_is_one_pin_however_a_keyboard_spells_it(chosen: str, typed: str, tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(SecretStr(chosen))
    await pin.check(SecretStr(typed))


@pytest.mark.anyio
async def test_changing_it_takes_the_old_one_and_a_wrong_one_is_a_try(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN)
    with pytest.raises(PinRefused, match="changing it takes the old one"):
        await pin.set(SecretStr("7158"))
    with pytest.raises(PinRefused, match="4 tries are left") as caught:
        await pin.set(SecretStr("7158"), WRONG)
    assert caught.value.tries_left == 4
    assert isinstance(caught.value, NotAllowed)
    assert caught.value.money_moved == "no"
    await pin.set(SecretStr("7158"), PIN)
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
        await pin.set(SecretStr(typed))
    assert caught.value.tries_left is None
    assert not await pin.is_set()


@pytest.mark.parametrize("typed", ["8305", "4827", "1357x", "correct horse", "2580 and more", "ключ от дома"])
def test_other_digits_and_phrases_are_taken(typed: str) -> None:
    assert pin_problem(SecretStr(typed)) is None


@pytest.mark.anyio
async def test_five_misses_lock_it_for_fifteen_minutes_in_every_process(tmp_path: Path, clock: Clock) -> None:
    secrets = MemoryKeychain()
    await a_pin(tmp_path, secrets, clock).set(PIN)
    assert [await tries_left(a_pin(tmp_path, secrets, clock)) for _ in range(6)] == [4, 3, 2, 1, 0, 0]
    clock.at += LOCKED_FOR - timedelta(seconds=1)
    with pytest.raises(PinRefused, match=r"locked after 5 wrong tries, until 12:15 UTC") as caught:
        await a_pin(tmp_path, secrets, clock).check(PIN)
    assert caught.value.tries_left == 0
    with pytest.raises(PinRefused, match="locked"):
        await a_pin(tmp_path, secrets, clock).set(SecretStr("7158"), PIN)
    clock.at += timedelta(seconds=1)
    assert await tries_left(a_pin(tmp_path, secrets, clock)) == 4, "another five"
    await a_pin(tmp_path, secrets, clock).check(PIN)


@pytest.mark.anyio
async def test_a_right_pin_makes_earlier_misses_forgotten(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN)
    for _ in range(3):
        assert [await tries_left(pin) for _ in range(4)] == [4, 3, 2, 1]
        await pin.check(PIN)


@pytest.mark.anyio
@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(minutes=15), timedelta(days=400)])
async def test_a_clock_that_is_set_back_unlocks_nothing_early(back: timedelta, tmp_path: Path, clock: Clock) -> None:
    secrets = MemoryKeychain()
    await a_pin(tmp_path, secrets, clock).set(PIN)
    for _ in range(TRIES):
        await tries_left(a_pin(tmp_path, secrets, clock))
    clock.at -= back
    assert await tries_left(a_pin(tmp_path, secrets, clock), PIN) == 0
    clock.at += back + LOCKED_FOR
    await a_pin(tmp_path, secrets, clock).check(PIN)


@pytest.mark.anyio
async def test_a_miss_at_an_earlier_hour_locks_from_the_latest_one_on(tmp_path: Path, clock: Clock) -> None:
    pin = a_pin(tmp_path, MemoryKeychain(), clock)
    await pin.set(PIN)
    for _ in range(TRIES - 1):
        await tries_left(pin)
    clock.at -= timedelta(hours=1)
    await tries_left(pin)
    clock.at += timedelta(hours=1)
    assert await tries_left(pin, PIN) == 0


@pytest.mark.anyio
async def test_what_no_pin_can_be_is_a_slip_and_not_a_try(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN)
    for slip in ("", "  ", "739", "x" * 100_000):
        assert await tries_left(pin, SecretStr(slip)) == TRIES
    assert await tries_left(pin) == TRIES - 1


@pytest.mark.anyio
async def test_without_a_pin_nothing_fits(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    with pytest.raises(PinRefused, match="No approval PIN is set") as caught:
        await pin.check(PIN)
    assert caught.value.next == "firmly-mcp pin set"


class Recording(MemoryKeychain):
    """Remembers the misses of each entry that was written; `fails` makes every further write fail."""

    fails = False

    def __init__(self) -> None:
        super().__init__()
        self.misses: list[int] = []

    async def set(self, name: str, secret: SecretStr) -> None:
        if self.fails:
            raise WalletError("The keyring is locked.")
        self.misses.append(json.loads(secret.get_secret_value())["misses"])
        await super().set(name, secret)


@pytest.mark.anyio
async def test_a_try_is_counted_before_anything_is_told_of_it(tmp_path: Path) -> None:
    secrets = Recording()
    await a_pin(tmp_path, secrets).set(PIN)
    await a_pin(tmp_path, secrets).check(PIN)
    assert secrets.misses == [0, 1, 0]
    secrets.fails = True
    for typed in (PIN, WRONG):
        with pytest.raises(WalletError, match="The keyring is locked"):
            await a_pin(tmp_path, secrets).check(typed)


@pytest.mark.anyio
async def test_a_process_that_ends_in_the_middle_of_a_try_has_used_it_up(tmp_path: Path) -> None:
    counted = anyio.Event()

    class Ending(MemoryKeychain):
        async def set(self, name: str, secret: SecretStr) -> None:
            await super().set(name, secret)
            if json.loads(secret.get_secret_value())["misses"]:
                counted.set()
                await anyio.sleep_forever()

    secrets = Ending()
    await a_pin(tmp_path, secrets).set(PIN)
    async with anyio.create_task_group() as group:
        group.start_soon(a_pin(tmp_path, secrets).check, PIN)
        with anyio.fail_after(DEADLINE):
            await counted.wait()
        group.cancel_scope.cancel()
    entry = await secrets.get(NAME)
    assert entry is not None
    assert json.loads(entry.get_secret_value())["misses"] == 1


_GUESS = """
import anyio, sys
from pathlib import Path
from pydantic import SecretStr
from firmly_mcp.errors import PinRefused
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.vault import Vault
from tests.wallet.samples import now

async def main():
    pin = Vault(Keychain(), "simulator", "guessed-by-many", Path(sys.argv[1]), now).pin
    for guess in sys.argv[2:]:
        try:
            await pin.check(SecretStr(guess))
        except PinRefused as refused:
            print(refused.tries_left)
        else:
            print("right")

anyio.run(main)
"""


@pytest.mark.anyio
async def test_several_processes_that_guess_at_once_share_five_tries(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    await Vault(Keychain(), "simulator", "guessed-by-many", tmp_path, now).pin.set(PIN)
    told: list[str] = []

    async def guess(first: int) -> None:
        # The right one is the last of each, and comes too late.
        guesses = [str(first + more) for more in range(TRIES)] + [PIN.get_secret_value()]
        done = await anyio.run_process([sys.executable, "-c", _GUESS, str(tmp_path), *guesses])
        told.extend(done.stdout.decode().split())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as running:
            for first in (6140, 6150, 6160):
                running.start_soon(guess, first)
    assert sorted(told, reverse=True) == ["4", "3", "2", "1", *["0"] * 14]


class Interleaving(MemoryKeychain):
    """Lets others run before and after each call, and remembers when each try was counted."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[datetime] = []

    async def get(self, name: str) -> SecretStr | None:
        await lowlevel.checkpoint()
        found = await super().get(name)
        await lowlevel.checkpoint()
        return found

    async def set(self, name: str, secret: SecretStr) -> None:
        await lowlevel.checkpoint()
        await super().set(name, secret)
        entry = json.loads(secret.get_secret_value())
        if entry["misses"]:
            self.counted.append(datetime.fromisoformat(entry["last_try"]))
        await lowlevel.checkpoint()


_STEPS = st.lists(
    st.one_of(st.just(None), st.just(None), st.integers(-3600, 1200).map(lambda seconds: timedelta(seconds=seconds))),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(plans=st.lists(_STEPS, min_size=1, max_size=3))
def test_no_interleaving_of_guesses_and_no_clock_gets_more_than_five_tries_in_fifteen_minutes(
    plans: list[list[timedelta | None]],
) -> None:
    clock, secrets, told_wrong = Clock(), Interleaving(), []

    async def guess(pin: ApprovalPin, plan: list[timedelta | None]) -> None:
        for step in plan:
            if step is None:
                left = await tries_left(pin)
                told_wrong.extend([left] if left else [])
            else:
                clock.at += step

    async def run(directory: Path) -> None:
        await a_pin(directory, secrets, clock).set(PIN)
        async with anyio.create_task_group() as group:
            for plan in plans:
                group.start_soon(guess, a_pin(directory, secrets, clock), plan)

    with TemporaryDirectory() as directory:
        anyio.run(run, Path(directory))
    times = list(accumulate(secrets.counted, max))
    assert len(told_wrong) <= len(times), "no try is told of that was not counted"
    assert all(sum(first <= at < first + LOCKED_FOR for at in times) <= TRIES for first in times)


@pytest.mark.anyio
async def test_guessing_gets_nothing(tmp_path: Path) -> None:
    secrets, wrong = MemoryKeychain(), 0
    await a_pin(tmp_path, secrets).set(SecretStr("0417"))
    for guess in range(600):
        with pytest.raises(PinRefused) as caught:
            await a_pin(tmp_path, secrets).check(SecretStr(f"{guess:04}"))
        wrong += bool(caught.value.tries_left)
    assert wrong == TRIES - 1


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
    await pin.set(PIN)
    entry = await secrets.get(NAME)
    assert entry is not None
    await secrets.set(NAME, SecretStr(json.dumps(json.loads(entry.get_secret_value()) | change)))
    with pytest.raises(WalletError, match="simulator/local/pin of firmly-mcp is damaged"):
        await pin.check(PIN)
    with pytest.raises(WalletError, match="damaged"):
        await pin.is_set()
    with pytest.raises(WalletError, match="run `firmly-mcp pin set`"):
        await pin.set(SecretStr("7158"), PIN)


@pytest.mark.anyio
async def test_a_pin_is_wanted_with_the_first_card_and_wherever_a_card_can_pay(tmp_path: Path) -> None:
    simulator, production = a_vault(tmp_path), a_vault(tmp_path, _Anything(), environment="production")
    for vault in (simulator, production):
        assert await vault.wants_pin()
        await vault.add_card(a_card(environment=vault.environment))
    assert not await simulator.wants_pin()
    assert await production.wants_pin()
    await production.pin.set(PIN)
    assert not await production.wants_pin()
    assert not await (await demo_vault("local", tmp_path, now)).pin.is_set()


class _Anything(MemoryKeychain):
    async def set(self, name: str, secret: SecretStr) -> None:
        self._secrets[name] = secret


@pytest.mark.anyio
async def test_forgetting_everything_forgets_the_pin(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    await vault.pin.set(PIN)
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
    await pin.set(typed)
    await refused(pin.set(typed))
    await refused(pin.set(typed, WRONG))
    await refused(pin.set(SecretStr(canary * 5), typed))
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
