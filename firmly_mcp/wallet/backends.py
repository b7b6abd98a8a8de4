"""Which keyring keeps our secrets: one of four that encrypt, built by name, in a fixed order.

keyring's own choice is not asked: its configuration file, PYTHON_KEYRING_BACKEND, KEYRING_PROPERTY_* and the backends
that other packages register could each put a card into a plain file.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from firmly_mcp.errors import KeyringUnavailable, WalletError

_BUS: Final = "DBUS_SESSION_BUS_ADDRESS"

# gnome-keyring takes its password from standard input to the end, a line's end included; `read` leaves that out.
_ASKED_UNSEEN: Final = '(IFS= read -rs -p "Password of the keyring: " p && printf %s "$p")'

_START: Final = f"{_ASKED_UNSEEN} | gnome-keyring-daemon --unlock --components=secrets"

_START_A_BUS: Final = (
    "Log in to a desktop session; or, on a machine without one, open a shell with `dbus-run-session -- bash`, run "
    f"`{_START}` there, and start firmly-mcp from the same shell."
)

_START_A_DAEMON: Final = (
    f"Install gnome-keyring (or KeePassXC with its Secret Service switched on), then run, in bash, `{_START}`."
)

_UNLOCK: Final = (
    "Unlock the keyring: log in to the desktop, or run, in bash, "
    f"`{_ASKED_UNSEEN} | gnome-keyring-daemon --replace --unlock --components=secrets`."
)


class KeyringLike(Protocol):
    """What is used of keyring's backends. Every call may block."""

    def get_password(self, service: str, username: str, /) -> str | None: ...
    def set_password(self, service: str, username: str, password: str, /) -> None: ...
    def delete_password(self, service: str, username: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a keyring cannot be used, and what to do."""

    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Backend:
    """A keyring that was found. `unlock(seconds)` asks the person where it is locked, and returns what is still wrong.

    `is_running` and `is_locked` prompt for nothing; a state that is not known counts as open. `is_running` exists only
    where a daemon can end and be started again.
    """

    name: str
    keyring: KeyringLike
    unlock: Callable[[float], Trouble | None] = lambda _: None
    fix: str = "Unlock the keyring."
    entry_bytes: int | None = None  # the longest entry, in UTF-16, where there is a limit
    is_running: Callable[[], bool] | None = None
    is_locked: Callable[[], bool] = lambda: False

    def asking_nobody(self) -> Backend:
        """The same keyring, which is refused where the person would have to open it first."""
        locked = Trouble("the keyring is locked", self.fix)
        return replace(self, unlock=lambda _: locked if self.is_locked() else None)


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    dotted: str
    platform: str
    fix: str
    entry_bytes: int | None = None


_SECRET_SERVICE: Final = _Kind("Secret Service", "keyring.backends.SecretService.Keyring", "linux", _UNLOCK)

# The order is fixed: which desktop is running would be a better guide, but programs that start this server drop the
# variables that tell, and a card added in a terminal must be found by the server.
_ALLOWED: Final = (
    _SECRET_SERVICE,
    _Kind("KWallet", "keyring.backends.kwallet.DBusKeyring", "linux", "Open KWalletManager and unlock the wallet."),
    _Kind(
        "macOS Keychain",
        "keyring.backends.macOS.Keyring",
        "darwin",
        "Open Keychain Access, unlock the login keychain, and allow this Python to use the firmly-mcp entries.",
    ),
    _Kind(
        "Windows Credential Manager",
        "keyring.backends.Windows.WinVaultKeyring",
        "win32",
        "Sign in to Windows as the user that added the cards, not as a service.",
        entry_bytes=2560,
    ),
)


def find_backend(named: str | None = None) -> Backend:
    """The first usable keyring of this platform, or the allowed one that `named` is the class of. Blocks.

    Raises:
        WalletError: the named one is not allowed, or none is usable; it names those that were tried and what to do.
    """
    if sys.platform == "linux":
        _use_the_users_own_bus()
    kinds = [kind for kind in _ALLOWED if (kind.platform == sys.platform if named is None else kind.dotted == named)]
    if not kinds:
        raise WalletError(_refusal(named))
    troubles = {kind.name: found for kind in kinds if isinstance(found := _open(kind), Trouble)}
    for kind in kinds:
        if kind.name not in troubles:
            return _built(kind)
    raise _none_usable(troubles)


def _open(kind: _Kind) -> Trouble | None:
    """Why a kind of keyring cannot be used on this machine."""
    if kind is _SECRET_SERVICE:
        return _secret_service_trouble()
    try:
        _ = _class_of(kind).priority
    except Exception as error:  # noqa: BLE001 - keyring's backends raise whatever their platform's bindings raise
        return Trouble(f"{error}".rstrip(".") if isinstance(error, RuntimeError) else type(error).__name__, kind.fix)
    return None


def _class_of(kind: _Kind) -> Any:
    module, _, name = kind.dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _built(kind: _Kind) -> Backend:
    if kind is _SECRET_SERVICE:
        service = SecretService()
        unlock = partial(_unlocked, service)
        return Backend(kind.name, service, unlock, kind.fix, is_running=_is_running, is_locked=service.is_locked)
    found = _class_of(kind)
    # KEYRING_PROPERTY_* variables would replace attributes of the backend, its methods among them.
    changes = {"set_properties_from_env": lambda _: None}
    keyring: KeyringLike = type(found.__name__, (found,), changes)()
    return Backend(kind.name, keyring, _unlocked_by_reading(keyring), kind.fix, kind.entry_bytes)


def _is_running() -> bool:
    return _secret_service_trouble() is None


def _use_the_users_own_bus() -> None:
    """Programs that start this server may drop the bus's address; systemd puts the user's bus at a fixed place."""
    path = _own_bus()
    if not os.environ.get(_BUS) and path.exists():
        found = path.stat()
        if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid():
            os.environ[_BUS] = f"unix:path={path}"


def _own_bus() -> Path:
    return Path(f"/run/user/{os.getuid()}/bus")


def _secret_service_trouble() -> Trouble | None:
    import secretstorage

    if not os.environ.get(_BUS):
        return Trouble(f"there is no D-Bus session bus ({_BUS} is not set, {_own_bus()} is not there)", _START_A_BUS)
    try:
        with closing(secretstorage.dbus_init()) as bus:
            if not secretstorage.check_service_availability(bus):
                return Trouble("no Secret Service daemon is running on the D-Bus session bus", _START_A_DAEMON)
    except Exception as error:  # noqa: BLE001 - a stale or odd address raises OSError, StopIteration, RuntimeError, ...
        return Trouble(f"the D-Bus session bus in {_BUS} does not answer ({_kind_of(error)})", _START_A_BUS)
    return None


def _unlocked(service: SecretService, seconds: float) -> Trouble | None:
    try:
        return None if service.unlocked(seconds) else Trouble("the keyring is locked", _UNLOCK)
    except TimeoutError:
        return Trouble("the keyring is locked", _UNLOCK)
    except Exception as error:  # noqa: BLE001 - the daemon may be gone by now, or the person dismissed the prompt
        return _secret_service_trouble() or Trouble(f"no default keyring can be opened ({_kind_of(error)})", _UNLOCK)


def _unlocked_by_reading(keyring: KeyringLike) -> Callable[[float], Trouble | None]:
    """The other keyrings ask the person at the first read; better then than in the middle of a write."""

    def unlock(_: float) -> None:
        keyring.get_password("firmly-mcp", "unlock")

    return unlock


def _kind_of(error: Exception) -> str:
    return type(error).__name__


def _refusal(named: str | None) -> str:
    allowed = ", ".join(kind.dotted for kind in _ALLOWED)
    if named is None:
        return f"No keyring is supported on the platform {sys.platform}; the supported ones are {allowed}."
    return f"The keyring {_shown(named)} is refused: only those that encrypt are used, which are {allowed}."


def _none_usable(troubles: dict[str, Trouble]) -> KeyringUnavailable:
    looked_at = "; ".join(f"{name}: {trouble.problem}" for name, trouble in troubles.items())
    fix = next(iter(troubles.values())).fix
    problem = f"No usable keyring was found, so nothing was read or stored. {looked_at}."
    return KeyringUnavailable(problem, fix, _not_used())


def _not_used() -> str:
    """A word on the backend that a person chose for keyring, and may wonder about."""
    named = os.environ.get("PYTHON_KEYRING_BACKEND")
    return f" PYTHON_KEYRING_BACKEND ({_shown(named)}) is not used: cards go only into these." if named else ""


def _shown(named: str) -> str:
    return named if re.fullmatch(r"[A-Za-z_][\w.]{0,99}", named) else "of that name"


# The Secret Service over one connection: keyring's own class opens a connection and a session for every call, which
# takes five times as long. Entries have the attributes and the label that keyring gives them.

T = TypeVar("T")

_APPLICATION: Final = "Python keyring library"


class SecretService:
    """The default collection of the Secret Service, over a connection that lasts. Every call blocks; one at a time."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._collection: Any = None

    def get_password(self, service: str, username: str, /) -> str | None:
        """The secret of this name."""
        return self._lasting(lambda: self._read(service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a secret."""
        attributes = {"service": service, "username": username, "application": _APPLICATION}
        label, secret = f"Password for '{username}' on '{service}'", password.encode()
        self._lasting(lambda: self.collection().create_item(label, attributes, secret, replace=True))

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget a secret."""
        self._lasting(lambda: [item.delete() for item in self._items(service, username)])

    def is_locked(self) -> bool:
        """Whether the collection is locked; the person is not asked to open it."""
        return bool(self._lasting(lambda: self.collection().is_locked()))

    def unlocked(self, seconds: float) -> bool:
        """Whether the collection is open; the person is asked where it is not."""
        if not self.is_locked():
            return True
        try:
            self.collection().unlock(timeout=seconds)
            return not self.collection().is_locked()
        except BaseException:
            # The prompt may be answered later, when this program no longer listens.
            self._close()
            raise

    def collection(self) -> Any:
        """The default collection, with a session for its secrets."""
        if self._connection is None:
            import secretstorage
            from secretstorage.util import open_session

            self._connection = secretstorage.dbus_init()
            try:
                self._collection = secretstorage.get_default_collection(self._connection)
                self._collection.session = open_session(self._connection)
            except BaseException:
                self._close()
                raise
        return self._collection

    def _items(self, service: str, username: str) -> list[Any]:
        return list(self.collection().search_items({"service": service, "username": username}))[:1]

    def _read(self, service: str, username: str) -> str | None:
        for item in self._items(service, username):
            item.unlock()
            return bytes(item.get_secret()).decode()
        return None

    def _lasting(self, act: Callable[[], T]) -> T:
        """Act, and once more over a new connection where an old one failed: the daemon may have been restarted."""
        was_open = self._connection is not None
        try:
            return act()
        except Exception:
            self._close()
            if not was_open:
                raise
        return act()

    def _close(self) -> None:
        connection, self._connection, self._collection = self._connection, None, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def __del__(self) -> None:
        self._close()
