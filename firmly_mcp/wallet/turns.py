"""One change of the wallet at a time, across processes: what is read, changed and written goes as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from filelock import AsyncFileLock, Timeout

from firmly_mcp.errors import WalletError

_LOCK_SECONDS: Final = 20.0


@asynccontextmanager
async def in_turn(path: Path) -> AsyncIterator[None]:
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
