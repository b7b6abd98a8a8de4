"""A journal that is missing, older or another one is noticed: its id and last number are also kept in the keyring.

Whoever puts an old journal in place of the new one, on purpose or by restoring a backup, would make limits forget what
was spent and orders forget that they were placed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from firmly_mcp.errors import NotAllowed, WalletError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from firmly_mcp.checkout.models import Attempt, StoredText

_PATIENCE_SECONDS: Final = 2.0
_OPEN: Final = {
    "attempts": "state IN ('sending', 'unknown') ORDER BY number DESC",
    "approvals": "status = 'open' AND expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now') ORDER BY asked_at DESC",
}


def real_path(path: Path) -> Path:
    """Return the path as SQLite uses it: its log is next to the file that a symbolic link leads to."""
    return Path(os.path.realpath(path)) if os.name == "posix" else path.absolute()


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal's file for reading, without a trace: nothing is made, migrated, locked or repaired.

    Raises:
        FileNotFoundError: there is no journal.
        sqlite3.Error: it cannot be opened.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    # A file that no program has open has no log next to it; reading it like any other would leave one behind.
    real = real_path(path)
    has_log = real.with_name(f"{real.name}-wal").exists()
    address = f"file:{quote(str(real))}?mode=ro{'' if has_log else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS, check_same_thread=False)) as connection:
        yield connection


def open_ids(path: Path, table: str, environment: str, shopper: str) -> list[tuple[str, str]]:
    """Return id and summary of each attempt in doubt or open approval, the newest first. Blocks; loads no SQLAlchemy.

    `table` is `attempts` or `approvals`.

    Raises:
        OSError, sqlite3.Error: the journal cannot be read.
    """
    summary = "total_amount || ' ' || currency || ' at ' || store"
    query = f"SELECT id, {summary} FROM {table} WHERE environment = ? AND shopper = ? AND {_OPEN[table]}"  # noqa: S608
    with open_read_only(path) as journal:
        return [(str(name), str(words)) for name, words in journal.execute(query, (environment, shopper))]


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """Which journal it is, and the number of its last attempt."""

    journal_id: str
    number: int

    def to_text(self) -> str:
        """As it is kept."""
        return json.dumps({"journal": self.journal_id, "last": self.number})

    @classmethod
    def from_text(cls, text: str | None) -> GuardEntry | None:
        """From that form; None for what is none."""
        try:
            kept = json.loads(text or "null")
            return cls(str(kept["journal"]), int(kept["last"]))
        except (ValueError, TypeError, KeyError):
            return None


def kept_mark(text: str | None) -> GuardEntry | None:
    """Return the mark that the keyring has; None where it has none.

    Raises:
        NotAllowed: it has something else, with which no journal can be compared.
    """
    mark = GuardEntry.from_text(text)
    if text is not None and mark is None:
        raise NotAllowed(
            "The keyring's entry with the order journal's last number cannot be read, so the journal cannot be "
            "checked. Nothing was sent. Look through your orders with `firmly-mcp orders list`, then run `firmly-mcp "
            "orders accept-journal`.",
            next="firmly-mcp orders accept-journal",
        )
    return mark


def refuse_unless_continued(kept: GuardEntry | None, found: GuardEntry) -> None:
    """Compare the journal that is there with the one that was there last.

    Raises:
        NotAllowed: it is another one, or has lost attempts.
    """
    if kept is None:
        return
    if kept.journal_id != found.journal_id:
        problem = "is not the one that was used last: it is missing, new or another's"
    elif found.number < kept.number:
        problem = f"is older than it was: it ends at attempt {found.number}, and there were {kept.number}"
    else:
        return
    raise NotAllowed(
        f"The journal of orders {problem}, so limits and earlier orders cannot be trusted. Nothing was sent. Put the "
        "right file back, or run `firmly-mcp orders accept-journal` if you know why.",
        next="firmly-mcp orders accept-journal",
    )


async def keep(kept: StoredText, mark: GuardEntry) -> None:
    """Save a mark where another process may be saving its own at the same moment.

    Raises:
        WalletError: neither this mark nor a later one of the same journal is kept.
    """
    try:
        await kept.save(mark.to_text())
    except WalletError:
        # What was read back may be the number of an order that another process began meanwhile.
        there = GuardEntry.from_text(await kept.load())
        if there is None or there.journal_id != mark.journal_id:
            raise
        if there.number < mark.number:
            await kept.save(mark.to_text())


# What `doctor` says of the journal, which it only looks at.


@dataclass(frozen=True, slots=True)
class Contents:
    """What the journal has of one shopper in one environment; `time` is the clock's, or its newest attempt's."""

    mark: GuardEntry
    time: datetime
    in_doubt: Sequence[Attempt]
    locked_cards: Sequence[str]


@dataclass(frozen=True, slots=True)
class Look:
    """The version of a journal's tables; `contents` is None where this program has others."""

    version: int
    contents: Contents | None


def look_at(path: Path, owner: dict[str, str], now: datetime) -> Look | None:
    """Read the journal's file through, and what is in it; None where there is no file. Blocks.

    Raises:
        NotAllowed: it cannot be read or is damaged.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from .schema import NEWEST, UnreadableRow

    try:
        with open_read_only(path) as file:
            if file.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise _damaged("its pages do not fit together")
            version = int(file.execute("PRAGMA user_version").fetchone()[0])
            return Look(version, _contents(file, owner, now) if version == NEWEST else None)
    except FileNotFoundError:
        return None
    except (sqlite3.Error, SQLAlchemyError, UnreadableRow, OSError) as error:
        raise _damaged(type(error).__name__) from None


def stores_in(path: Path, owner: dict[str, str]) -> frozenset[str]:
    """The stores that this shopper's questions and orders were about; none where there is no journal. Blocks.

    Raises:
        NotAllowed: it cannot be read, is damaged, or another version's.
    """
    from sqlalchemy import create_engine, select
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import StaticPool

    from .schema import NEWEST, approvals, attempts, owned

    try:
        with open_read_only(path) as file:
            if int(file.execute("PRAGMA user_version").fetchone()[0]) != NEWEST:
                raise _damaged("another version wrote it")
            engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
            with engine.connect() as connection:
                tables = (attempts, approvals)
                rows = [connection.execute(select(table.c.store).where(owned(table, owner))) for table in tables]
                return frozenset(store for found in rows for store in found.scalars())
    except FileNotFoundError:
        return frozenset()
    except (sqlite3.Error, SQLAlchemyError, OSError) as error:
        raise _damaged(type(error).__name__) from None


def _contents(file: sqlite3.Connection, owner: dict[str, str], now: datetime) -> Contents:
    from sqlalchemy import create_engine, func, select
    from sqlalchemy.pool import StaticPool

    from .history import journal_time
    from .schema import IS_IN_DOUBT, attempt_of, attempts, identity, owned

    engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
    with engine.connect() as connection:
        mine = owned(attempts, owner)
        last = connection.execute(select(func.max(attempts.c.number), func.max(attempts.c.begun_at)).where(mine)).one()
        doubts = connection.execute(select(attempts).where(mine, IS_IN_DOUBT).order_by(attempts.c.number))
        return Contents(
            mark=GuardEntry(str(connection.execute(select(identity.c.id)).scalar_one()), last[0] or 0),
            time=journal_time(now, last[1]),
            in_doubt=[attempt_of(row) for row in doubts],
            locked_cards=_locked(connection, owner),
        )


def _locked(connection: Connection, owner: dict[str, str]) -> Sequence[str]:
    from sqlalchemy import select

    from .history import declined_payments, lock_a_card
    from .schema import attempts, owned

    labels = select(attempts.c.card_label).where(owned(attempts, owner)).distinct()
    return [
        label
        for label in sorted(connection.execute(labels).scalars())
        if lock_a_card(declined_payments(connection, owner, label))
    ]


def _damaged(why: str) -> NotAllowed:
    return NotAllowed(f"The journal of orders is damaged or cannot be read ({why}), and no order is sent without it.")
