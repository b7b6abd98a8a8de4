"""keyring's Secret Service, on one connection and in one session for as long as they last.

keyring opens both for each call, and the key agreement of a session takes longer than all the rest. A connection that
broke, with a daemon that crashed or was replaced, is opened anew, once for each call.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class SecretService:
    """What `keyring` offers, of its Secret Service class. Every call blocks; one at a time."""

    def __init__(self, keyring_class: Any, changes: Mapping[str, Any]) -> None:
        self._open: _Open | None = None
        # The keyring must not keep this alive: the connection is closed when this is not needed any more.
        me = weakref.ref(self)
        changed = {**changes, "get_preferred_collection": lambda _: _collection_of(me)}
        self._keyring = type(keyring_class.__name__, (keyring_class,), changed)()

    def get_password(self, service: str, username: str, /) -> str | None:
        """The secret of this name."""
        found: str | None = self._lasting(lambda: self._keyring.get_password(service, username))
        return found

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a secret."""
        self._lasting(lambda: self._keyring.set_password(service, username, password))

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget a secret."""
        self._lasting(lambda: self._keyring.delete_password(service, username))

    def is_locked(self) -> bool:
        """Whether the collection is locked; asks nobody to open it."""
        return bool(self._lasting(lambda: self.collection().is_locked()))

    def unlocked(self, seconds: float) -> bool:
        """Whether the collection is open; the person is asked where it is not."""
        if not self.is_locked():
            return True
        try:
            self.collection().unlock(timeout=seconds)
            return not self.collection().is_locked()
        except BaseException:
            # What was asked there may be answered later; nobody listens then.
            self._close()
            raise

    def collection(self) -> Any:
        """The default collection, with a session for its secrets."""
        if self._open is None:
            self._open = _Open()
            weakref.finalize(self, self._open.close)
        return self._open.collection

    def _lasting(self, act: Callable[[], T]) -> T:
        was_open = self._open is not None
        try:
            return act()
        except Exception:
            self._close()
            if not was_open:
                raise
        return act()

    def _close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()


class _Open:
    """A connection that stays open when keyring closes it, and the default collection on it."""

    def __init__(self) -> None:
        import secretstorage
        from secretstorage.util import open_session

        bus = secretstorage.dbus_init()
        self._close = bus.close
        bus.close = lambda: None
        try:
            self.collection: Any = secretstorage.get_default_collection(bus)
            self.collection.session = open_session(bus)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with suppress(OSError):
            self._close()


def _collection_of(service: weakref.ref[SecretService]) -> Any:
    found = service()
    assert found is not None, "a keyring is used only through its service"
    return found.collection()
