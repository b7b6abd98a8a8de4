"""How often a PIN can be guessed: five times in fifteen minutes, whatever clocks and processes do."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from anyio import lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from firmly_mcp.errors import PinRefused, WalletError
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.pin import LOCKED_FOR, TRIES, ApprovalPin
from firmly_mcp.wallet.wallet import Wallet
from tests.proofs import BY_PERSON, with_pin
from tests.secret_service import DEADLINE, SecretService

from .pins import NAME, PIN, WRONG, Clock, a_pin, tries_left
from .samples import now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.anyio
async def test_five_misses_lock_it_for_fifteen_minutes_in_every_process(tmp_path: Path, clock: Clock) -> None:
    secrets = MemoryKeychain()
    await a_pin(tmp_path, secrets, clock).set(PIN, BY_PERSON)
    assert [await tries_left(a_pin(tmp_path, secrets, clock)) for _ in range(6)] == [4, 3, 2, 1, 0, 0]
    clock.at += LOCKED_FOR - timedelta(seconds=1)
    with pytest.raises(PinRefused, match=r"locked after 5 wrong tries, until 12:15 UTC") as caught:
        await a_pin(tmp_path, secrets, clock).check(PIN)
    assert caught.value.tries_left == 0
    with pytest.raises(PinRefused, match="locked"):
        await a_pin(tmp_path, secrets, clock).set(SecretStr("7158"), with_pin(PIN))
    clock.at += timedelta(seconds=1)
    assert await tries_left(a_pin(tmp_path, secrets, clock)) == 4, "another five"
    await a_pin(tmp_path, secrets, clock).check(PIN)


@pytest.mark.anyio
async def test_a_right_pin_makes_earlier_misses_forgotten(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN, BY_PERSON)
    for _ in range(3):
        assert [await tries_left(pin) for _ in range(4)] == [4, 3, 2, 1]
        await pin.check(PIN)


@pytest.mark.anyio
@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(minutes=15), timedelta(days=400)])
async def test_a_clock_that_is_set_back_unlocks_nothing_early(back: timedelta, tmp_path: Path, clock: Clock) -> None:
    secrets = MemoryKeychain()
    await a_pin(tmp_path, secrets, clock).set(PIN, BY_PERSON)
    for _ in range(TRIES):
        await tries_left(a_pin(tmp_path, secrets, clock))
    clock.at -= back
    assert await tries_left(a_pin(tmp_path, secrets, clock), PIN) == 0
    clock.at += back + LOCKED_FOR
    await a_pin(tmp_path, secrets, clock).check(PIN)


@pytest.mark.anyio
async def test_a_miss_at_an_earlier_hour_locks_from_the_latest_one_on(tmp_path: Path, clock: Clock) -> None:
    pin = a_pin(tmp_path, MemoryKeychain(), clock)
    await pin.set(PIN, BY_PERSON)
    for _ in range(TRIES - 1):
        await tries_left(pin)
    clock.at -= timedelta(hours=1)
    await tries_left(pin)
    clock.at += timedelta(hours=1)
    assert await tries_left(pin, PIN) == 0


@pytest.mark.anyio
async def test_what_no_pin_can_be_is_a_slip_and_not_a_try(tmp_path: Path) -> None:
    pin = a_pin(tmp_path, MemoryKeychain())
    await pin.set(PIN, BY_PERSON)
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
    await a_pin(tmp_path, secrets).set(PIN, BY_PERSON)
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
    await a_pin(tmp_path, secrets).set(PIN, BY_PERSON)
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
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.wallet import Wallet
from tests.wallet.samples import now

async def main():
    pin = Wallet(Keychain(), Owner("simulator", "guessed-by-many"), Path(sys.argv[1]), now).pin
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
    await Wallet(Keychain(), Owner("simulator", "guessed-by-many"), tmp_path, now).pin.set(PIN, BY_PERSON)
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
        await a_pin(directory, secrets, clock).set(PIN, BY_PERSON)
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
    await a_pin(tmp_path, secrets).set(SecretStr("0417"), BY_PERSON)
    for guess in range(600):
        with pytest.raises(PinRefused) as caught:
            await a_pin(tmp_path, secrets).check(SecretStr(f"{guess:04}"))
        wrong += bool(caught.value.tries_left)
    assert wrong == TRIES - 1
