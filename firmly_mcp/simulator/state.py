"""What must outlive the process: a change is on disk before its answer goes out.

Each part of the simulator keeps its own things in memory and hands over a Row when one changes; `commit` writes
all rows since the last one in a single transaction, so that a charge, its order, the submitted cart and the
stock are kept together or not at all. Without a directory nothing is written.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = 1
FILE = "state.sqlite3"


class Row(NamedTuple):
    """One thing as it is kept: its kind, its id within the kind, and a JSON object.

    What changes may be handed over as the dataclass it is: it is written as it stands at the commit.
    """

    kind: str
    id: str
    body: Any


class State:
    """The rows of one simulator."""

    def __init__(self, data_dir: Path | None) -> None:
        self._changed: dict[tuple[str, str], Row] = {}
        self._rows: dict[str, list[Row]] = {}
        self._database = None if data_dir is None else _opened(data_dir / FILE)
        if self._database is not None:
            for kind, id_, body in self._database.execute("SELECT kind, id, body FROM kept ORDER BY rowid"):
                self._rows.setdefault(kind, []).append(Row(kind, id_, json.loads(body)))

    def loaded(self, kind: str) -> Iterator[Row]:
        """The rows of a kind as they were found at the start, oldest first."""
        yield from self._rows.get(kind, ())

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """A single kept value, made and kept on first use."""
        for row in self.loaded("value"):
            if row.id == name:
                return row.body["value"]
        made = make()
        self.set_value(name, made)
        return made

    def set_value(self, name: str, value: Any) -> None:
        """Change a single kept value."""
        row = Row("value", name, {"value": value})
        self._rows["value"] = [kept for kept in self._rows.get("value", []) if kept.id != name] + [row]
        self.keep(row)

    def keep(self, row: Row) -> None:
        """Note a change; it is on disk after the next commit."""
        self._changed[row.kind, row.id] = row

    def commit(self) -> None:
        """Write everything that changed, together."""
        changed, self._changed = self._changed, {}
        if self._database is not None and changed:
            with self._database:
                self._database.executemany(
                    "INSERT INTO kept (kind, id, body) VALUES (?, ?, ?) "
                    "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                    [(row.kind, row.id, json.dumps(row.body, default=_shallow)) for row in changed.values()],
                )

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self.commit()
        if self._database is not None:
            self._database.close()


def _shallow(thing: Any) -> dict[str, Any]:
    """A dataclass as an object of JSON; what is in it comes here by itself."""
    return {field.name: getattr(thing, field.name) for field in fields(thing)}


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # outlives a killed process, which is what the simulator promises
    if database.execute("PRAGMA user_version").fetchone()[0] not in {0, SCHEMA}:
        raise RuntimeError(f"{path} was written by another version of the simulator; delete it to start anew")
    database.execute(
        "CREATE TABLE IF NOT EXISTS kept "
        "(kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id))"
    )
    database.execute(f"PRAGMA user_version = {SCHEMA}")
    database.commit()
    return database
