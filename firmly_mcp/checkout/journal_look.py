"""What `doctor` says of the journal, which it only looks at."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from firmly_mcp.errors import NotAllowed

from .attempts import Attempt
from .history import declined_payments, journal_time, lock_a_card
from .mark import Mark
from .migrations import STEPS
from .rows import UnreadableRow, attempt_of
from .schema import IS_IN_DOUBT, approvals, attempts, identity, owned
from .untouched import untouched

NEWEST: Final = len(STEPS)


@dataclass(frozen=True, slots=True)
class Contents:
    """What the journal has of one shopper in one environment; `time` is the clock's, or its newest attempt's."""

    mark: Mark
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
    try:
        with untouched(path) as file:
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
    try:
        with untouched(path) as file:
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
    engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
    with engine.connect() as connection:
        mine = owned(attempts, owner)
        last = connection.execute(select(func.max(attempts.c.number), func.max(attempts.c.begun_at)).where(mine)).one()
        doubts = connection.execute(select(attempts).where(mine, IS_IN_DOUBT).order_by(attempts.c.number))
        return Contents(
            mark=Mark(str(connection.execute(select(identity.c.id)).scalar_one()), last[0] or 0),
            time=journal_time(now, last[1]),
            in_doubt=[attempt_of(row) for row in doubts],
            locked_cards=_locked(connection, owner),
        )


def _locked(connection: Connection, owner: dict[str, str]) -> Sequence[str]:
    labels = select(attempts.c.card_label).where(owned(attempts, owner)).distinct()
    return [
        label
        for label in sorted(connection.execute(labels).scalars())
        if lock_a_card(declined_payments(connection, owner, label))
    ]


def _damaged(why: str) -> NotAllowed:
    return NotAllowed(f"The journal of orders is damaged or cannot be read ({why}), and no order is sent without it.")
