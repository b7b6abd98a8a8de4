"""The journal as it lies there, read without a trace: nothing is made, brought up to date, locked or repaired."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

_PATIENCE_SECONDS: Final = 2.0


def real_path(path: Path) -> Path:
    """Return the path as SQLite uses it: its log is next to the file that a symbolic link leads to."""
    return Path(os.path.realpath(path)) if os.name == "posix" else path.absolute()


@contextmanager
def untouched(path: Path) -> Iterator[sqlite3.Connection]:
    """The journal's file, open for reading alone.

    Raises:
        FileNotFoundError: there is none.
        sqlite3.Error: it cannot be opened.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    # A file that no program has open has no log beside it; reading it like any other would leave one behind.
    real = real_path(path)
    has_log = real.with_name(f"{real.name}-wal").exists()
    address = f"file:{quote(str(real))}?mode=ro{'' if has_log else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS, check_same_thread=False)) as connection:
        yield connection
