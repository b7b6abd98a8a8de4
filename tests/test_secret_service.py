"""The tests' own keyring daemon."""

from __future__ import annotations

import os
import signal

import pytest
from pydantic import SecretStr

from firmly_mcp.wallet.keychain import Keychain
from tests.secret_service import SecretService, private_bus, secret_service, wait_for_secrets


@pytest.mark.anyio
async def test_a_daemon_that_crashed_is_started_again_with_its_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as bus, secret_service(bus, lasting=True) as service:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        await Keychain().set("test/crash", SecretStr("kept"))
        os.kill(service.pid, signal.SIGABRT)
        assert wait_for_secrets(bus, other_than=service.pid) != service.pid
        kept = await Keychain().get("test/crash")
    assert kept is not None
    assert kept.get_secret_value() == "kept"


@pytest.mark.anyio
async def test_a_keyring_that_crashes_between_two_calls_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as bus, secret_service(bus, lasting=True) as service:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        keychain = Keychain()
        await keychain.set("test/crash", SecretStr("kept"))
        os.kill(service.pid, signal.SIGABRT)
        kept = await keychain.get("test/crash")
    assert kept is not None
    assert kept.get_secret_value() == "kept"


def test_every_test_has_a_daemon_that_runs(keyring_bus: SecretService) -> None:
    os.kill(keyring_bus.pid, 0)
