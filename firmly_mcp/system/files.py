"""Files of ours: a private directory, whole writes, and lock files between the tasks and processes of a machine.

A lock is the operating system's lock on an empty file (0600). Each attempt opens the file again, so two tasks of one
process exclude each other as two processes do, and a process that ends releases what it held.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import anyio

from firmly_mcp.errors import SettingsError

_POLL_SECONDS: Final = 0.02


def make_data_dir(path: Path) -> None:
    """Make the data directory where it is missing, and check that it can be written.

    Raises:
        SettingsError: it cannot; the message names it and the way to choose another.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            return
    except OSError as error:
        raise SettingsError(
            f"The data directory cannot be written ({type(error).__name__}): {path}. Nothing can be bought without it. "
            "Make it writable, or name another with FIRMLY_MCP_DATA_DIR."
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Replace a file by this text, whole or not at all, readable for this user alone; make its directory.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def try_lock(path: Path) -> int | None:
    """Take the lock of a file: a descriptor whose closing releases it, or None while another has it.

    Raises:
        OSError: the file cannot be opened.
    """
    # Its import costs more than all locks of a session, and searching needs none.
    from filelock import lock_descriptor

    descriptor = _opened(path)
    try:
        if lock_descriptor(descriptor, blocking=False):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


@contextmanager
def tried_lock(path: Path) -> Iterator[bool]:
    """Hold a lock for the block if it is free; True if it was."""
    descriptor = try_lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


@asynccontextmanager
async def held_lock(path: Path, *, seconds: float) -> AsyncIterator[None]:
    """Wait for a lock by polling, so that a cancelled wait leaves nothing behind, and hold it for the block.

    Raises:
        TimeoutError: another held it for all of these seconds.
    """
    deadline = anyio.current_time() + seconds
    while (descriptor := try_lock(path)) is None:
        if anyio.current_time() >= deadline:
            raise TimeoutError
        await anyio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


class SenderLocks:
    """A lock for each attempt that is being sent, held from before its row is written until its outcome is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def held(self, attempt_id: str) -> Iterator[None]:
        """Hold the lock of an attempt of ours. Its id is new, so no other process has it."""
        path = self._path(attempt_id)
        try:
            with tried_lock(path) as is_ours:
                assert is_ours, "two senders have one attempt id"
                yield
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def judged(self, attempt_id: str) -> Iterator[bool]:
        """True if the sender of an attempt is gone; no other process judges it during the block."""
        with tried_lock(self._path(attempt_id)) as sender_is_gone:
            yield sender_is_gone

    def _path(self, attempt_id: str) -> Path:
        return self._directory / f"{attempt_id}.lock"


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)
