from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from keyring.backends.SecretService import Keyring
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.keychain import SERVICE, Keychain
from tests.secret_service import DEADLINE, SecretService, lock, private_bus, secret_service, wait_for_secrets

SECRET = SecretStr("a secret that is no card")


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A keyring of its own with one entry, locked."""
    with private_bus() as bus, secret_service(bus) as service:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        anyio.run(Keychain().set, "kept", SECRET)
        lock(bus)
        yield service


@pytest.mark.anyio
async def test_a_secret_is_kept_read_and_forgotten_by_the_real_keyring(keyring_bus: SecretService) -> None:
    keychain = Keychain()
    assert keychain.description == "the operating system's keyring"
    assert await keychain.get("test/none") is None
    await keychain.set("test/one", SECRET)
    await keychain.set("test/two", SecretStr("ünïcode \U0001f511 'quotes' \"and\" {braces}"))
    assert await Keychain().get("test/one") == SECRET, "another process would see it too"
    assert await keychain.get("test/two") == SecretStr("ünïcode \U0001f511 'quotes' \"and\" {braces}")
    await keychain.delete("test/one")
    await keychain.delete("test/one")
    assert await keychain.get("test/one") is None
    assert keychain.description == "Secret Service"


@pytest.mark.anyio
async def test_setting_a_secret_again_replaces_it(keyring_bus: SecretService) -> None:
    keychain = Keychain()
    await keychain.set("test/again", SECRET)
    await keychain.set("test/again", SecretStr("another"))
    assert await keychain.get("test/again") == SecretStr("another")
    await keychain.delete("test/again")
    assert await keychain.get("test/again") is None


@pytest.mark.anyio
async def test_entries_that_another_program_wrote_with_keyring_are_read_replaced_and_forgotten(
    keyring_bus: SecretService,
) -> None:
    theirs: Any = Keyring()  # type: ignore[no-untyped-call]  # keyring types few of its functions
    ours = Keychain()
    theirs.set_password(SERVICE, "test/theirs", "written by keyring")
    assert await ours.get("test/theirs") == SecretStr("written by keyring")
    await ours.set("test/theirs", SECRET)
    assert theirs.get_password(SERVICE, "test/theirs") == SECRET.get_secret_value()
    await ours.delete("test/theirs")
    assert theirs.get_password(SERVICE, "test/theirs") is None


@pytest.mark.anyio
async def test_many_calls_at_once_are_answered(keyring_bus: SecretService) -> None:
    keychain = Keychain()
    await keychain.set("test/many", SECRET)
    found: list[SecretStr | None] = []

    async def read() -> None:
        found.append(await keychain.get("test/many"))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(read)
    assert found == [SECRET] * 12


@pytest.mark.anyio
@pytest.mark.parametrize(
    "chosen", ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"]
)
async def test_no_other_keyring_takes_over_though_it_is_installed_and_chosen(
    chosen: str, keyring_bus: SecretService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import keyrings.alt.file  # installed beside, or this test proves nothing

    configuration = tmp_path / "config" / "python_keyring" / "keyringrc.cfg"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"[backend]\ndefault-keyring={chosen}\n", "utf-8")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", chosen)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    keychain = Keychain()
    await keychain.set("test/beside", SECRET)
    assert keychain.description == "Secret Service"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [configuration]
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert await Keychain().get("test/beside") == SECRET
    assert keyrings.alt.file.PlaintextKeyring().get_password(SERVICE, "test/beside") is None


@pytest.mark.anyio
async def test_variables_of_keyring_change_no_attribute_of_the_backend(
    keyring_bus: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYRING_PROPERTY_GET_PASSWORD", "not a function")
    monkeypatch.setenv("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/org/freedesktop/secrets/collection/session")
    keychain = Keychain()
    await keychain.set("test/properties", SECRET)
    assert await keychain.get("test/properties") == SECRET


@pytest.mark.anyio
@pytest.mark.parametrize(
    "named",
    ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring", "keyring.backends.chainer.ChainerBackend"],
)
async def test_a_keyring_off_the_list_is_refused_by_name(named: str) -> None:
    with pytest.raises(WalletError, match=re.escape(f"{named} is refused")) as caught:
        await Keychain(backend=named).get("test/refused")
    assert "keyring.backends.SecretService.Keyring" in caught.value.message


@pytest.mark.anyio
async def test_a_keyring_of_the_list_can_be_named(keyring_bus: SecretService) -> None:
    keychain = Keychain(backend="keyring.backends.SecretService.Keyring")
    await keychain.set("test/named", SECRET)
    assert await keychain.get("test/named") == SECRET


@pytest.mark.anyio
async def test_a_keyring_of_another_platform_says_why_it_cannot_be_used() -> None:
    named = "keyring.backends.Windows.WinVaultKeyring" if sys.platform != "win32" else "keyring.backends.macOS.Keyring"
    with pytest.raises(WalletError, match="No usable keyring was found"):
        await Keychain(backend=named).get("test/elsewhere")


@pytest.mark.anyio
async def test_a_bus_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("unix:path=/nonexistent/bus", "nonsense", "autolaunch:"):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(WalletError, match=r"Secret Service: the D-Bus session bus .* does not answer") as caught:
            await Keychain().get("test/stale")
        assert "dbus-run-session -- bash" in caught.value.message


@pytest.mark.anyio
async def test_a_bus_without_a_keyring_daemon_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus() as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
        with pytest.raises(WalletError, match="Secret Service: no Secret Service daemon is running") as caught:
            await Keychain().set("test/absent", SECRET)
    assert "KWallet: " in caught.value.message
    assert "gnome-keyring-daemon --unlock --components=secrets" in caught.value.message
    assert "(keyrings.alt.file.PlaintextKeyring) is not used" in caught.value.message


@pytest.mark.anyio
async def test_a_daemon_that_starts_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    keychain = Keychain()
    with private_bus() as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        with pytest.raises(WalletError, match="no Secret Service daemon"):
            await keychain.get("test/late")
        with secret_service(bus):
            await keychain.set("test/late", SECRET)
            assert await keychain.get("test/late") == SECRET
        with pytest.raises(WalletError, match=r"no Secret Service daemon|no default keyring can be opened"):
            await keychain.get("test/late")


@pytest.mark.anyio
async def test_a_locked_keyring_says_so_and_the_command_that_it_names_unlocks_it(locked: SecretService) -> None:
    keychain = Keychain()
    with pytest.raises(WalletError, match="Secret Service: the keyring is locked, so nothing was read") as caught:
        await keychain.get("kept")
    command = caught.value.message.split("`")[1]
    assert "gnome-keyring-daemon --replace --unlock" in command
    with anyio.fail_after(DEADLINE):
        await anyio.run_process(
            ["bash", "-c", command], input=locked.password.encode() + b"\n", env=locked.bus.environment
        )
        await anyio.to_thread.run_sync(partial(wait_for_secrets, locked.bus, other_than=locked.pid))
    assert await keychain.get("kept") == SECRET


@pytest.mark.anyio
async def test_a_locked_keyring_takes_nothing(locked: SecretService) -> None:
    with pytest.raises(WalletError, match="locked"):
        await Keychain().set("test/locked", SECRET)
    with pytest.raises(WalletError, match="locked"):
        await Keychain().delete("kept")


def test_keyring_is_imported_only_when_it_is_asked() -> None:
    program = "import sys, firmly_mcp.wallet.wallet; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert not {"keyring", "jwcrypto", "secretstorage"} & {name.partition(".")[0] for name in done.stdout.split()}
