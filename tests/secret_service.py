"""A real Secret Service for the tests: gnome-keyring on a private bus, in a directory of its own.

Nobody's own keyring is ever touched: while tests run, the session bus is one that does not exist, unless a test asks
for `keyring_bus`. A private bus starts no programs, so no prompt ever appears on a developer's screen.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import secretstorage
from jeepney import DBusErrorResponse, MatchRule
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import (
    DBusConnection,
    Proxy,
    open_dbus_connection,
)

DEADLINE = 20.0
_STARTS = 20
_SECRETS = "org.freedesktop.secrets"

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass(frozen=True)
class Bus:
    """A private session bus; `environment` is what its programs run with, and holds nothing of the developer's."""

    address: str
    environment: dict[str, str]


@dataclass(frozen=True)
class SecretService:
    """A keyring daemon on a private bus."""

    bus: Bus
    pid: int
    password: str


@contextmanager
def private_bus() -> Iterator[Bus]:
    """A session bus on which nothing runs yet."""
    _need("dbus-daemon", package="dbus")
    # Not pytest's directory: a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="fmcp-", ignore_cleanup_errors=True) as directory:
        configuration = Path(directory) / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(directory=directory), "utf-8")
        environment = _environment_in(Path(directory))
        command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address=1"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
        ) as daemon:
            try:
                assert daemon.stdout is not None
                address = daemon.stdout.readline().strip()
                assert address, "dbus-daemon did not start"
                yield Bus(address, environment | {"DBUS_SESSION_BUS_ADDRESS": address})
            finally:
                daemon.terminate()


@contextmanager
def secret_service(bus: Bus, *, lasting: bool = False) -> Iterator[SecretService]:
    """A keyring daemon with an unlocked default collection.

    A `lasting` one is started again whenever it ends, as systemd does on a desktop: gnome-keyring aborts now and then
    when a client vanishes while it answers, and hundreds of tests would then be without a keyring.
    """
    _need("gnome-keyring-daemon", package="gnome-keyring")
    password = secrets.token_hex(8)
    over = threading.Event()
    with ExitStack() as stack:
        daemon = _start(bus, password)
        keeper = threading.Thread(target=_keep_running, args=(daemon, bus, password, over), daemon=True)
        if lasting:
            keeper.start()
            stack.callback(keeper.join, DEADLINE)
        try:
            yield SecretService(bus, wait_for_secrets(bus), password)
        finally:
            over.set()
            with closing(open_dbus_connection(bus.address)) as connection:
                for pid in {daemon.pid, _owner(connection)} - {None}:
                    assert pid is not None
                    _end(pid)
            if not lasting:
                daemon.wait(DEADLINE)


def _start(bus: Bus, password: str) -> subprocess.Popen[bytes]:
    command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    nowhere = subprocess.DEVNULL
    daemon = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, env=bus.environment)
    assert daemon.stdin is not None
    daemon.stdin.write(password.encode())
    daemon.stdin.close()
    return daemon


def _keep_running(daemon: subprocess.Popen[bytes], bus: Bus, password: str, over: threading.Event) -> None:
    for _ in range(_STARTS):
        ended = daemon.wait()
        if over.is_set():
            return
        print(f"gnome-keyring-daemon ended with {ended} and is started again", file=sys.__stderr__)
        daemon = _start(bus, password)
    daemon.wait()


def lock(bus: Bus) -> None:
    """Lock the default collection, as a screen lock or a log-out would."""
    with closing(open_dbus_connection(bus.address)) as connection:
        secretstorage.get_default_collection(connection).lock()


def wait_for_secrets(bus: Bus, *, other_than: int | None = None) -> int:
    """Wait until a process is the Secret Service of the bus, another one than this; its process id."""
    changes = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")
    changes.add_arg_condition(0, _SECRETS)
    with closing(open_dbus_connection(bus.address)) as connection:
        Proxy(message_bus, connection).AddMatch(changes)
        with connection.filter(changes, bufsize=16) as seen:
            while (owner := _owner(connection)) in {None, other_than}:
                connection.recv_until_filtered(seen, timeout=DEADLINE)
    assert owner is not None
    return owner


@pytest.fixture(scope="session", autouse=True)
def no_keyring_of_your_own() -> Iterator[None]:
    """Point this process at a bus that does not exist, and clear what would choose another keyring."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/firmly-mcp-tests")
        patch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        yield


@pytest.fixture(scope="session")
def keyring_daemon() -> Iterator[SecretService]:
    """One daemon for all tests."""
    with private_bus() as bus, secret_service(bus, lasting=True) as service:
        yield service


@pytest.fixture
def keyring_bus(keyring_daemon: SecretService, monkeypatch: pytest.MonkeyPatch) -> SecretService:
    """The daemon, on this process's session bus for one test. Entries of other tests may be there."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring_daemon.bus.address)
    return replace(keyring_daemon, pid=wait_for_secrets(keyring_daemon.bus))


def _environment_in(directory: Path) -> dict[str, str]:
    (directory / "run").mkdir(mode=0o700)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory / "run")}
    return environment | {f"XDG_{kind}_HOME": str(directory / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE")}


def _need(program: str, *, package: str) -> None:
    if shutil.which(program) is None:
        reason = f"{program} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def _owner(connection: DBusConnection) -> int | None:
    try:
        return int(Proxy(message_bus, connection).GetConnectionUnixProcessID(_SECRETS)[0])
    except DBusErrorResponse:
        return None


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
