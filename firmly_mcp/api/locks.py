"""Cart and payment calls run one at a time per (device, store), across processes; some calls take the whole device.

Lock files decide (`system/files`). Order of acquisition, so that no circle of waiting can arise: the device's gate, a
store, the token. A store is only *tried* while a call for that store holds the gate, and the token's lock is innermost.
Waiting is polling, so a cancelled wait leaves nothing behind.

Files are named by digests of the device and of the store. They are empty, and stay.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from firmly_mcp.errors import NotAllowed, OrderInProgress, SettingsError, Unreachable
from firmly_mcp.system.files import try_lock

from .encoding import StoreName

_POLL_SECONDS: Final = 0.02
# With a call's own 30 s this stays below what a tool call may take.
WAIT_SECONDS: Final = 10.0


@dataclass
class CartLock:
    """A store's lock, held for an order. Calls at that store that are given it take no lock of their own."""

    store: StoreName
    is_held: bool = True


class Locks:
    """The locks of one device. `device` names it: the same text in two processes is the same device."""

    def __init__(self, directory: Path, device: str, *, wait: float = WAIT_SECONDS) -> None:
        self._directory = directory
        self._name = _digest(device)
        self._wait = wait

    @asynccontextmanager
    async def shared(self, store: StoreName, hold: CartLock | None = None) -> AsyncIterator[None]:
        """Take a store's lock, or use one that is held for an order there.

        Raises:
            OrderInProgress: an order is being placed there.
            Unreachable: other calls to the store did not end in time; nothing was sent.
            NotAllowed: the hold is of another store, or over.
        """
        if hold is not None:
            if hold.store != store or not hold.is_held:
                raise NotAllowed("This hold is of another store, or it is over. Nothing was sent.")
            yield
            return
        lock = await self._entered(store)
        try:
            yield
        finally:
            os.close(lock)

    @asynccontextmanager
    async def exclusive(self, store: StoreName) -> AsyncIterator[CartLock]:
        """Keep a store for an order; other cart calls get OrderInProgress at once. Raises as `shared`."""
        with ExitStack() as locks:
            locks.callback(os.close, await self._entered(store))
            # Only now: a call that waits for the store looks here for the reason.
            locks.callback(os.close, await self._acquired(lambda: _try(self._path(store, "order"))))
            hold = CartLock(store)
            try:
                yield hold
            finally:
                hold.is_held = False

    @asynccontextmanager
    async def all_stores(self) -> AsyncIterator[None]:
        """Take every store's lock: no new call begins, and those in flight are waited for. Raises as `shared`."""
        with ExitStack() as locks:
            locks.callback(os.close, await self._acquired(lambda: _try(self._path("", "gate"))))
            for path in sorted(self._directory.glob(f"{self._name}-*.store")):
                locks.callback(os.close, await self._drained(path))
            yield

    @asynccontextmanager
    async def token(self) -> AsyncIterator[None]:
        """Renew alone. Raises Unreachable where another renewal does not end."""
        lock = await self._acquired(lambda: _try(self._path("", "token")))
        try:
            yield
        finally:
            os.close(lock)

    async def _entered(self, store: StoreName) -> int:
        return await self._acquired(lambda: self._try_store(store), lambda: _taken(self._path(store, "order")))

    async def _drained(self, path: Path) -> int:
        return await self._acquired(lambda: _try(path), lambda: _taken(path.with_suffix(".order")))

    def _try_store(self, store: StoreName) -> int | None:
        gate = _try(self._path("", "gate"))
        if gate is None:
            return None
        try:
            return _try(self._path(store, "store"))
        finally:
            os.close(gate)

    def _path(self, store: str, kind: str) -> Path:
        return self._directory / (f"{self._name}-{_digest(store)}.{kind}" if store else f"{self._name}.{kind}")

    async def _acquired(self, attempt: Callable[[], int | None], paid: Callable[[], bool] = lambda: False) -> int:
        deadline = anyio.current_time() + self._wait
        while (lock := attempt()) is None:
            if paid():
                raise OrderInProgress(
                    "An order is being placed at this store. Its cart cannot be read or changed until then."
                )
            if anyio.current_time() >= deadline:
                raise Unreachable("Other calls have not ended in time. Nothing was sent; try again in a moment.")
            await anyio.sleep(_POLL_SECONDS)
        return lock


def _try(path: Path) -> int | None:
    try:
        return try_lock(path)
    except OSError as error:
        raise SettingsError(f"The data directory cannot be written to ({error.strerror}).") from None


def _taken(path: Path) -> bool:
    lock = _try(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
