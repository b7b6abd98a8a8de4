"""Who sends an attempt holds its lock, from before its row is written until its outcome is.

A locked attempt is being sent, here or in another process, and nobody else may judge it. One that says `sending` and is
not locked was left by a process that ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


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
