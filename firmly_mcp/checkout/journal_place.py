"""Whether an open journal is still the file that another program finds at its path.

A file that was removed, moved or replaced can still be written to by a program that has it open, and so can its log
(`-wal`): what is written then is lost for every other program, and for this one after its next start.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from .untouched import real_path, untouched

# The journal, SQLite's write-ahead log, and the index of the log, in which programs lock each other out.
_SUFFIXES: Final = ("", "-wal", "-shm")
_AS_OTHERS_SEE: Final = """
    SELECT (SELECT id FROM identity), (SELECT count(*) FROM attempts WHERE number <= :number),
           (SELECT state FROM attempts WHERE id = :id AND number = :number)
"""

FileIds = tuple[tuple[int, int] | None, ...]


def file_ids(path: Path) -> FileIds:
    """Return device and inode of each file of the journal, as an opening of `path` would find them; None for none."""
    name = str(real_path(path))
    return tuple(_file_id(name + suffix) for suffix in _SUFFIXES)


def as_others_see(path: Path, attempt_id: str, number: int) -> tuple[object, ...] | None:
    """Return what another program reads at `path`: the journal's id, its count of attempts up to `number`, that
    attempt's state. None where it can read nothing. Blocks.
    """
    try:
        with untouched(path) as file:
            row: tuple[object, ...] = file.execute(_AS_OTHERS_SEE, {"number": number, "id": attempt_id}).fetchone()
            return row
    except (OSError, sqlite3.Error):
        return None


def _file_id(name: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino
