"""Keyrings that hang, forget, or raise: nobody waits for long, and nothing is taken on trust."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.backends import Backend, Trouble
from firmly_mcp.wallet.keychain import SERVICE, Keychain
from tests.secret_service import DEADLINE, SecretService

SECRET = SecretStr("a secret that is no card")


class Fake:
    """A keyring that does as it is told, where the test is about a broken one."""

    def __init__(self, *, forgets: bool = False, raises: Exception | None = None) -> None:
        self.kept: dict[str, str] = {}
        self.forgets = forgets
        self.raises = raises

    def get_password(self, service: str, username: str) -> str | None:
        assert service == SERVICE
        if self.raises:
            raise self.raises
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        assert service == SERVICE
        if self.raises:
            raise self.raises
        if not self.forgets:
            self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        assert service == SERVICE
        if not self.forgets:
            del self.kept[username]


@pytest.mark.anyio
async def test_a_keyring_that_hangs_holds_nobody_up_and_writes_nothing_late(
    keyring_bus: SecretService,
) -> None:
    keychain = Keychain(limit=0.3)
    await keychain.delete("test/hangs")
    os.kill(keyring_bus.pid, signal.SIGSTOP)
    try:
        with pytest.raises(WalletError, match=r"Secret Service did not answer within 0\.3 seconds") as caught:
            await keychain.set("test/hangs", SECRET)
        assert "Unlock the keyring" in caught.value.message
        assert "Nothing was sent" in caught.value.message
    finally:
        os.kill(keyring_bus.pid, signal.SIGCONT)
    _join_keyring_threads()
    assert await Keychain().get("test/hangs") is None


def test_a_keyring_that_hangs_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import anyio, threading\n"
        "from firmly_mcp.errors import WalletError\n"
        "from firmly_mcp.wallet.keychain import Keychain\n"
        "async def main():\n"
        "    try:\n"
        "        await Keychain(limit=0.1, find=lambda _: threading.Event().wait()).get('name')\n"
        "    except WalletError as error:\n"
        "        print(error.message)\n"
        "anyio.run(main)\n",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=DEADLINE, cwd=Path.cwd(), check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the operating system's keyring did not answer within 0.1 seconds")


@pytest.mark.anyio
async def test_a_prompt_that_is_answered_too_late_changes_nothing() -> None:
    keyring, asked, answered = Fake(), threading.Event(), threading.Event()

    def unlock(_: float) -> Trouble | None:
        asked.set()
        assert answered.wait(DEADLINE)
        return None

    keychain = Keychain(limit=0.1, find=lambda _: Backend("a slow keyring", keyring, unlock))
    with pytest.raises(WalletError, match="a slow keyring did not answer"):
        await keychain.set("test/late", SECRET)
    assert asked.is_set()
    answered.set()
    _join_keyring_threads()
    assert keyring.kept == {}


@pytest.mark.anyio
async def test_calls_that_wait_behind_a_prompt_open_no_second_one() -> None:
    asked: list[float] = []
    answered = threading.Event()

    def unlock(limit: float) -> Trouble | None:
        asked.append(limit)
        answered.wait(DEADLINE)
        return None

    keychain = Keychain(limit=0.1, find=lambda _: Backend("a slow keyring", Fake(), unlock))
    for _ in range(3):
        with pytest.raises(WalletError, match="did not answer"):
            await keychain.get("test/behind")
    answered.set()
    _join_keyring_threads()
    assert asked == [0.1]


@pytest.mark.anyio
async def test_a_keyring_that_forgets_what_it_was_given_is_found_out() -> None:
    keychain = Keychain(find=lambda _: Backend("a forgetful keyring", Fake(forgets=True)))
    with pytest.raises(WalletError, match="a forgetful keyring did not keep what it was given for test/kept"):
        await keychain.set("test/kept", SECRET)


@pytest.mark.anyio
async def test_a_keyring_that_keeps_what_it_should_delete_is_found_out() -> None:
    keyring = Fake(forgets=True)
    keyring.kept["test/kept"] = "still there"
    with pytest.raises(WalletError, match="still has test/kept"):
        await Keychain(find=lambda _: Backend("a stubborn keyring", keyring)).delete("test/kept")


@pytest.mark.anyio
async def test_a_keyring_that_raises_is_told_by_the_kind_of_its_error_alone() -> None:
    keyring = Fake(raises=RuntimeError(f"cannot store {SECRET.get_secret_value()}"))
    keychain = Keychain(find=lambda _: Backend("a broken keyring", keyring))
    for call in (keychain.get("test/raises"), keychain.set("test/raises", SECRET), keychain.delete("test/raises")):
        with pytest.raises(WalletError, match=r"^a broken keyring failed \(RuntimeError\)\. ") as caught:
            await call
        assert SECRET.get_secret_value() not in caught.value.message
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


@pytest.mark.anyio
async def test_an_entry_that_is_too_long_for_windows_is_refused_before_it_is_written() -> None:
    keyring = Fake()
    keychain = Keychain(find=lambda _: Backend("Windows Credential Manager", keyring, entry_bytes=2560))
    await keychain.set("test/fits", SecretStr("x" * 1280))
    with pytest.raises(WalletError, match="too long for Windows Credential Manager: 2562 bytes"):
        await keychain.set("test/long", SecretStr("x" * 1281))
    assert list(keyring.kept) == ["test/fits"]


def _join_keyring_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "firmly-mcp keyring":
            thread.join(DEADLINE)
            assert not thread.is_alive()


def gone_once(*, locked: bool) -> tuple[Keychain, list[str]]:
    """A keyring whose daemon is gone at the second opening, and runs again when it is looked for; what was done."""
    done: list[str] = []

    def unlock(_: float) -> Trouble | None:
        done.append("opened")
        return Trouble("no daemon is running", "Start it.") if len(done) == 2 else None

    backend = Backend("a keyring", Fake(), unlock, is_running=lambda: True, is_locked=lambda: locked)
    return Keychain(find=lambda _: backend), done


@pytest.mark.anyio
async def test_a_daemon_that_runs_again_before_it_is_looked_for_is_asked_again() -> None:
    keychain, done = gone_once(locked=False)
    await keychain.set("test/kept", SECRET)
    assert await keychain.get("test/kept") == SECRET
    assert len(done) == 3


@pytest.mark.anyio
async def test_a_daemon_that_runs_again_and_is_locked_asks_the_person_once() -> None:
    keychain, done = gone_once(locked=True)
    await keychain.set("test/kept", SECRET)
    with pytest.raises(WalletError, match="no daemon is running"):
        await keychain.get("test/kept")
    assert len(done) == 2
