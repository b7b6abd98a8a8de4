"""What version 0.1.0 left on a person's machine is read by this one: journal, simulator and keyring.

`tests/old_data` was written by that version: two placed orders, one refused, one in doubt whose order shows up two
minutes later, one whose server was killed while it sent; one declined and one open approval; a card, two addresses, a
PIN, the key of the addresses and a payment key; and, for the `custom` environment, accepted settings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from firmly_mcp.app import JOURNAL, Services, accepted_settings, open_services, simulator_dir
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent, State
from firmly_mcp.errors import PinRefused
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.keychain import Keychain
from tests.secret_service import SecretService, private_bus, secret_service
from tests.shop import STORE, TEE, announce

pytestmark = pytest.mark.anyio
OLD: Final = Path(__file__).parent / "old_data"
MADE_AT: Final = datetime(2026, 11, 28, 11, 7, 22, tzinfo=UTC)
PIN: Final = SecretStr("246813")


def now() -> datetime:
    """Five minutes later: questions are still open, and the hidden order shows."""
    return MADE_AT + timedelta(minutes=5)


@pytest.fixture(scope="module")
def old_keyring() -> Iterator[SecretService]:
    with private_bus() as bus, secret_service(bus, lasting=True) as service:
        yield service


@pytest.fixture
async def old_home(tmp_path: Path, old_keyring: SecretService, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The old files in a directory of the test's own, and the old entries in a keyring."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", old_keyring.bus.address)
    keychain = Keychain()
    for name, secret in json.loads((OLD / "keyring.json").read_text("utf-8")).items():
        await keychain.set(name, SecretStr(secret))
    data = tmp_path / "data"
    (data / "simulator").mkdir(mode=0o700, parents=True)
    (data / "accepted").mkdir(mode=0o700)
    shutil.copy(OLD / "journal.sqlite3", data / JOURNAL)
    shutil.copy(OLD / "simulator.sqlite3", data / "simulator" / "state.sqlite3")
    shutil.copy(OLD / "accepted.json", data / "accepted" / "custom%20local.json")
    shutil.copy(OLD / "rules.toml", tmp_path / "rules.toml")
    return tmp_path


@pytest.fixture
async def old_shopper(old_home: Path) -> AsyncIterator[Services]:
    settings = Settings(
        environment="simulator",
        data_dir=old_home / "data",
        rules_file=old_home / "rules.toml",
        cvv_command=("printf", "123"),
        open_pages=False,
    )
    async with Simulator(simulator_dir(settings), now=now) as simulator:
        announce(simulator_dir(settings), simulator)
        async with open_services(settings, now=now) as services:
            yield services


async def attempts_of(services: Services) -> list[Attempt]:
    return list(await (await services.placement()).attempts(limit=10))


async def test_every_old_attempt_keeps_its_number_its_amounts_and_its_state(old_shopper: Services) -> None:
    found = await attempts_of(old_shopper)
    assert [attempt.number for attempt in found] == [5, 4, 3, 2, 1]
    assert [attempt.state for attempt in found[2:]] == [State.NOT_PLACED, State.PLACED, State.PLACED]
    assert [attempt.total.plain for attempt in found] == ["126.00", "53.40", "53.40", "29.20", "77.60"]
    assert all(attempt.card.last_four == "1111" for attempt in found)


async def test_the_old_doubt_and_the_send_of_a_killed_server_end_as_the_store_says(old_shopper: Services) -> None:
    placement = await old_shopper.placement()
    assert list(await placement.settle_all()) == []
    found = await attempts_of(old_shopper)
    assert [attempt.state for attempt in found[:2]] == [State.PLACED, State.PLACED]
    assert all(attempt.outcome.order_number for attempt in found[:2])


async def test_an_old_order_is_found_by_the_same_call(old_shopper: Services) -> None:
    placement = await old_shopper.placement()
    answer = await placement.place(OrderIntent(STORE, (Item(TEE, 1),)), max_total=None)
    assert not isinstance(answer, Approval)
    assert (answer.number, answer.is_new) == (2, False)


async def test_old_approvals_keep_their_answers(old_shopper: Services) -> None:
    desk = await old_shopper.placement()
    waiting = await desk.open_approvals()
    assert [(approval.lines, str(approval.total)) for approval in waiting] == [
        (("8 x Radiant Tee (Color: Orange, Size: XS)",), "198.60 USD")
    ]
    declined = await desk.approval("ap_efc52a2e7adff52d")
    assert declined is not None
    assert declined.status == "declined"


async def test_the_old_wallet_opens(old_shopper: Services) -> None:
    vault = await old_shopper.vault()
    assert [(card.label, card.last_four) for card in await vault.cards()] == [("test-visa", "1111")]
    assert [(each.label, each.origin) for each in await vault.addresses()] == [("home", "person"), ("office", "tool")]
    assert (await vault.default_card(), await vault.default_address()) == ("test-visa", "home")
    assert len(await vault.payment_keys()) == 1
    await vault.pin.check(PIN)
    with pytest.raises(PinRefused):
        await vault.pin.check(SecretStr("000001"))


async def test_settings_that_were_accepted_stay_accepted(old_home: Path) -> None:
    settings = Settings(
        environment="custom",
        app_id="app-old",
        api_url="https://api.example.com",
        payment_url="https://pay.example.com",
        data_dir=old_home / "data",
        rules_file=old_home / "rules.toml",
        cvv_command=("printf", "123"),
    )
    async with open_services(settings, now=now) as services:
        accepted = accepted_settings(settings, await services.vault())
        assert (await accepted.standing()).unaccepted == ()
        await accepted.require_accepted_destination()
