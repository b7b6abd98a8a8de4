"""Programs that start the server drop DBUS_SESSION_BUS_ADDRESS; then the user's own bus is used where it is."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.keychain import Keychain
from tests.secret_service import SecretService

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/run/user is Linux's")


@pytest.fixture
def run_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of the user's own bus, made for this test and gone after it."""
    directory = Path(f"/run/user/{os.getuid()}")
    if directory.exists():
        pytest.skip(f"{directory} exists: it is somebody's own, and no test touches that")
    try:
        directory.mkdir(parents=True, mode=0o700)
    except OSError:
        pytest.skip(f"{directory} cannot be made by this user")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "to be restored")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@pytest.mark.anyio
@pytest.mark.parametrize("variable", [None, ""])
async def test_without_an_address_the_users_own_bus_is_used(
    variable: str | None, keyring_daemon: SecretService, run_user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket_path = keyring_daemon.bus.address.removeprefix("unix:path=").partition(",")[0]
    (run_user / "bus").symlink_to(socket_path)
    if variable is not None:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", variable)
    keychain = Keychain()
    await keychain.set("test/own-bus", SecretStr("found"))
    assert await keychain.get("test/own-bus") == SecretStr("found")
    assert keychain.description == "Secret Service"


@pytest.mark.anyio
async def test_an_address_that_is_set_wins(keyring_bus: SecretService, run_user: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(run_user / "bus"))
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = keyring_bus.bus.address
        assert await Keychain().get("test/none") is None


@pytest.mark.anyio
async def test_what_is_no_socket_is_no_bus(run_user: Path) -> None:
    (run_user / "bus").write_text("")
    with pytest.raises(WalletError, match="there is no D-Bus session bus") as caught:
        await Keychain().get("test/none")
    assert "DBUS_SESSION_BUS_ADDRESS is not set" in caught.value.message


@pytest.mark.anyio
async def test_neither_address_nor_bus_says_what_was_looked_for(run_user: Path) -> None:
    with pytest.raises(WalletError, match="there is no D-Bus session bus") as caught:
        await Keychain().get("test/none")
    assert f"{run_user}/bus is not there" in caught.value.message
    assert "dbus-run-session -- bash" in caught.value.message
