"""The journal as it lies there, read without a trace: nothing is made, brought up to date, locked or repaired."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

_PATIENCE_SECONDS: Final = 2.0


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
    has_log = path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'' if has_log else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS, check_same_thread=False)) as connection:
        yield connection
