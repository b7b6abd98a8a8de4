"""What outlives the process. A change is on disk before its answer is sent.

Each part of the simulator keeps its objects in memory and puts a row when one changes; `commit` writes all changed rows
in one transaction, so that a charge, its order, the submitted cart and the stock are kept together or not at all.
Without a directory nothing is written.
"""

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = 1
FILE = "state.sqlite3"


class Row(NamedTuple):
    """One kept object: its id within its kind, and its JSON body."""

    id: str
    body: Any


class State:
    """The rows of one simulator."""

    def __init__(self, data_dir: Path | None) -> None:
        self._changed: dict[tuple[str, str], Any] = {}
        self._rows: dict[str, list[Row]] = {}
        self._database = None if data_dir is None else _open(data_dir / FILE)
        if self._database is not None:
            for kind, id_, body in self._database.execute("SELECT kind, id, body FROM kept ORDER BY rowid"):
                self._rows.setdefault(kind, []).append(Row(id_, json.loads(body)))
        self._values: dict[str, Any] = {row.id: row.body["value"] for row in self.rows("value")}

    def rows(self, kind: str) -> list[Row]:
        """Return the rows of a kind as they were at the start, oldest first."""
        return self._rows.get(kind, [])

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a single kept value; it is made and kept on first use."""
        if name not in self._values:
            self.set_value(name, make())
        return self._values[name]

    def set_value(self, name: str, value: Any) -> None:
        """Change a single kept value."""
        self._values[name] = value
        self.put("value", name, {"value": value})

    def put(self, kind: str, id_: str, body: Any) -> None:
        """Note a change for the next commit. A dataclass is written as it is at the commit."""
        self._changed[kind, id_] = body

    def commit(self) -> None:
        """Write all changes in one transaction."""
        changed, self._changed = self._changed, {}
        if self._database is not None and changed:
            with self._database:
                self._database.executemany(
                    "INSERT INTO kept (kind, id, body) VALUES (?, ?, ?) "
                    "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                    [(kind, id_, json.dumps(body, default=_fields)) for (kind, id_), body in changed.items()],
                )

    def close(self) -> None:
        """Write what is left and close the file."""
        self.commit()
        if self._database is not None:
            self._database.close()


def _fields(thing: Any) -> dict[str, Any]:
    return {field.name: getattr(thing, field.name) for field in fields(thing)}


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # survives a killed process, which is what the simulator promises
    if database.execute("PRAGMA user_version").fetchone()[0] not in {0, SCHEMA}:
        raise RuntimeError(f"{path} was written by another version of the simulator; delete it to start again")
    database.execute(
        "CREATE TABLE IF NOT EXISTS kept "
        "(kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id))"
    )
    database.execute(f"PRAGMA user_version = {SCHEMA}")
    database.commit()
    return database
