"""One change of the wallet at a time, across processes: what is read, changed and written goes as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from filelock import AsyncFileLock, FileLock, Timeout

from firmly_mcp.errors import WalletError

_LOCK_SECONDS: Final = 20.0


@asynccontextmanager
async def exclusive(path: Path) -> AsyncIterator[None]:
    """Hold the lock file of this path; every program that changes the same things names the same file.

    Raises:
        WalletError: another one has held it for a while.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = AsyncFileLock(path, timeout=_LOCK_SECONDS, mode=0o600, run_in_executor=False)
    try:
        await lock.acquire()
    except Timeout:
        lock_free = False
    else:
        lock_free = True
    if not lock_free:
        raise WalletError("Another firmly-mcp has been changing the wallet for a while: is it waiting for the keyring?")
    try:
        yield
    finally:
        await lock.release()


# Who sends an attempt holds its lock, from before its row is written until its outcome is.


class SenderLocks:
    """The operating system's locks on attempts, one file each, gone when the attempt has its outcome."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def held(self, attempt_id: str) -> Iterator[None]:
        """Send: hold the attempt's lock. Its id is new, so nobody else has it."""
        try:
            with self._lock(attempt_id):
                yield
        finally:
            self._path(attempt_id).unlink(missing_ok=True)

    @contextmanager
    def judged(self, attempt_id: str) -> Iterator[bool]:
        """Judge an attempt that says `sending`: True if its sender is gone, and then nobody else judges meanwhile."""
        try:
            with self._lock(attempt_id):
                yield True
        except Timeout:
            yield False

    def _path(self, attempt_id: str) -> Path:
        return self._directory / f"{attempt_id}.lock"

    def _lock(self, attempt_id: str) -> FileLock:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self._path(attempt_id), timeout=0, mode=0o600)
