"""What `doctor` says of keyrings that are locked, absent, hung or forgetful, and of what is in a good one."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.doctor import shopper
from firmly_mcp.doctor.checks import CHECKS
from firmly_mcp.doctor.findings import Examined
from firmly_mcp.doctor.findings import _asking_nobody as examined_finder
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.backends import Backend, find_backend
from firmly_mcp.wallet.entries import entry_name
from firmly_mcp.wallet.keychain import Keychain
from tests.cli.person import an_environment
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService, lock, private_bus, secret_service
from tests.wallet.test_broken_keyrings import Fake

from .conftest import Person, fill_wallet

NEEDS_KEYRING = {check.name for check in CHECKS if check.needs == "keyring"}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def examined(settings: Settings) -> Examined:
    return Examined.of(settings, dict(os.environ), now)


def test_a_locked_keyring_is_named_with_the_command_and_nobody_is_asked_to_unlock_it(tmp_path: Path) -> None:
    with private_bus() as bus, secret_service(bus):
        lock(bus)
        answer = Person(tmp_path, an_environment(bus, tmp_path)).doctor()
    assert (answer.code, answer.failed) == (1, ["keyring"])
    assert answer["keyring"].says == "Secret Service: the keyring is locked, so nothing was read or stored."
    assert answer["keyring"].fix.startswith("Unlock the keyring: log in to the desktop, or run, in bash, `")
    assert {finding.check for finding in answer.findings if finding.state == "skipped"} == {*NEEDS_KEYRING, "host"}


@pytest.mark.parametrize(
    ("variables", "says", "fix"),
    [
        ({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}, "does not answer", "dbus-run-session -- bash"),
        ({"DBUS_SESSION_BUS_ADDRESS": "nonsense"}, "does not answer", "dbus-run-session -- bash"),
        ({"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}, "does not answer", "(keyring.backends.null"),
    ],
)
def test_without_a_bus_the_way_to_one_is_told(
    tmp_path: Path, variables: Mapping[str, str], says: str, fix: str
) -> None:
    answer = Person(tmp_path, an_environment(None, tmp_path, **variables)).doctor()
    assert (answer.code, answer.failed) == (1, ["keyring"])
    assert says in answer["keyring"].says
    assert "Log in to a desktop session" in answer["keyring"].fix or fix in answer["keyring"].fix


def test_a_bus_without_a_keyring_daemon_says_what_to_install(tmp_path: Path) -> None:
    with private_bus() as bus:
        answer = Person(tmp_path, an_environment(bus, tmp_path)).doctor()
    assert "no Secret Service daemon is running" in answer["keyring"].says
    assert answer["keyring"].fix.startswith("Install gnome-keyring")


@pytest.mark.parametrize("chosen", ["null.Keyring", "fail.Keyring", "chainer.ChainerBackend"])
def test_another_backend_that_was_chosen_is_not_used(person: Person, chosen: str) -> None:
    answer = person.with_variables(PYTHON_KEYRING_BACKEND=f"keyring.backends.{chosen}").doctor()
    assert answer["keyring"].says.startswith("Secret Service, on the bus ")
    assert answer["keyring choice"].state == "warning"
    assert answer["keyring choice"].fix == "unset PYTHON_KEYRING_BACKEND"
    assert answer.code == 0


def test_a_keyring_that_hangs_is_cut_off_and_said_so(
    person: Person, keyring_bus: SecretService, tmp_path: Path
) -> None:
    os.kill(keyring_bus.pid, signal.SIGSTOP)
    try:
        answer = person.doctor()
    finally:
        os.kill(keyring_bus.pid, signal.SIGCONT)
    assert answer.failed == ["keyring"]
    assert "did not answer within 6 seconds" in answer["keyring"].says


def test_a_keyring_that_is_asked_of_nobody_opens_no_prompt() -> None:
    asked: list[float] = []

    def unlock(seconds: float) -> None:
        asked.append(seconds)

    for is_locked in (True, False):
        found = Backend("a keyring", Fake(), unlock, fix="Open it.", is_locked=partial(bool, is_locked))
        trouble = found.asking_nobody().unlock(1.0)
        assert (trouble is not None) is is_locked
        assert trouble is None or trouble.fix == "Open it."
    assert asked == []


def test_a_real_keyring_tells_whether_it_is_locked_without_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus() as bus, secret_service(bus):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        backend = find_backend()
        assert not backend.is_locked()
        lock(bus)
        assert backend.is_locked()
        assert examined_finder(None).unlock(1.0) is not None


@pytest.mark.anyio
async def test_a_keyring_that_forgets_is_found_out(examined: Examined) -> None:
    forgetful = Keychain(find=lambda _: Backend("a forgetful keyring", Fake(forgets=True)))
    (finding,) = await shopper.keyring(replace(examined, keychain=forgetful))
    assert finding.state == "failed"
    assert finding.says.startswith("a forgetful keyring did not keep what it was given for doctor/")


@pytest.mark.anyio
async def test_the_users_own_bus_is_told_apart(examined: Examined) -> None:
    findings = await shopper.keyring(replace(examined, environ={}))
    assert "on this user's own bus (DBUS_SESSION_BUS_ADDRESS is not set)" in findings[0].says


@pytest.mark.anyio
async def test_an_expired_and_a_damaged_card_are_named_by_their_labels(examined: Examined) -> None:
    await fill_wallet(examined.settings)
    old = replace(examined, now=lambda: now() + timedelta(days=365 * 30))
    (finding,) = await shopper.cards(old)
    assert (finding.state, "Expired: test-visa." in finding.says) == ("warning", True)
    assert finding.fix.endswith(" cards remove test-visa")
    settings = examined.settings
    await Keychain().set(entry_name(settings.environment, settings.shopper, "card", "test-visa"), SecretStr("{}"))
    (finding,) = await shopper.cards(examined)
    assert finding.state == "failed"
    assert "test-visa" in finding.says


@pytest.mark.anyio
async def test_a_pin_is_asked_for_where_money_moves(examined: Examined) -> None:
    (finding,) = await shopper.pin(examined)
    assert finding.state == "warning"
    sandbox = Settings(**{**dict(examined.settings), "environment": "sandbox", "app_id": "app-123456"})
    (finding,) = await shopper.pin(Examined.of(sandbox, {}, now))
    assert finding.state == "failed"
    assert "FIRMLY_MCP_ENVIRONMENT=sandbox" in finding.fix
    assert finding.fix.endswith(" pin set")
    await examined.vault.pin.set(SecretStr("4711 and more"), BY_PERSON)
    (finding,) = await shopper.pin(examined)
    assert finding.state == "ok"


@pytest.mark.anyio
async def test_a_new_payment_key_of_a_host_is_shown(examined: Examined) -> None:
    (finding,) = await shopper.payment_keys(examined)
    assert finding.says.startswith("None was used yet")
    name = entry_name(examined.settings.environment, examined.settings.shopper, "payment-keys")
    kept = {"cc.firmly.work key-1": "AAA", "cc.other key-9": "CCC", "cc.firmly.work key-2": "BBB"}
    await Keychain().set(name, SecretStr(json.dumps(kept)))
    (finding,) = await shopper.payment_keys(examined)
    assert finding.says == (
        "cc.firmly.work showed 2 keys, the newest: key-2, thumbprint BBB; "
        "cc.other showed one key: key-9, thumbprint CCC."
    )
