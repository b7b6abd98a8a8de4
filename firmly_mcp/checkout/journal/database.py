"""The database engine of the journal: SQLite on one thread, full sync, exact sums, the schema brought up to date."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from firmly_mcp.errors import MoneyMoved, NotAllowed

from . import schema
from .inspect import open_read_only, real_path
from .schema import UnreadableRow, migrate

# `exact_sum` for SQLite: amounts are decimal text, and SQLite's own sum would make floats of them.

NAME: Final = "exact_sum"

# The columns that one row brings: what was approved, what was charged; NULL where an amount does not count.
AMOUNTS: Final = 2

# Far more digits than any sum has. A sum that needs more is refused: a rounded one could be too low.
_EXACT: Final = Context(prec=1000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])


def add(one: Decimal, other: Decimal) -> Decimal:
    """Both together, to the last digit.

    Raises:
        ArithmeticError: the sum has more digits than can be kept, or an amount is not a number.
    """
    return _EXACT.add(one, other)


class ExactSum:
    """An aggregate function, as `sqlite3.Connection.create_aggregate` takes it. What is no amount fails the query."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, *amounts: str | None) -> None:
        """Add one row: the largest of its amounts, or nothing where none is above nothing."""
        known = [_finite(amount) for amount in amounts if amount is not None]
        self._sum = add(self._sum, max(known, default=Decimal(0)).max(Decimal(0)))

    def finalize(self) -> str:
        """The sum, as text."""
        return f"{self._sum:f}"


def _finite(amount: str) -> Decimal:
    number = Decimal(amount)
    if not number.is_finite():
        raise ValueError("not a finite amount")
    return number


# Whether an open journal is still the file that another program finds at its path.

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
        with open_read_only(path) as file:
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


# The journal's file, worked on in one thread of its own.

T = TypeVar("T")

_READS: Final = "firmly_mcp_reads"


class Database:
    """One SQLite file and the thread that works on it, opened by its first transaction. Every commit is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: FileIds = ()
        self._journal_id = ""
        engine = self._engine = _engine(path)
        self._reading = engine.execution_options(**{_READS: True})
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="firmly-mcp-journal")

    @property
    def is_open(self) -> bool:
        """Whether a transaction has opened the file."""
        return bool(self._opened)

    async def journal_id(self) -> str:
        """Return which journal the file holds.

        Raises:
            NotAllowed: as for `write`.
        """
        await self._run(lambda: None, "no")
        return self._journal_id

    async def close(self) -> None:
        """Close the file, and end its thread."""
        if self.is_open:
            self._thread.submit(self._engine.dispose)
        self._thread.shutdown(wait=True)

    async def write(self, transaction: Callable[[Connection], T], *, money_moved: MoneyMoved = "no") -> T:
        """Run a transaction as the only writer of all processes (BEGIN IMMEDIATE).

        Raises:
            NotAllowed: the journal cannot be used; `money_moved` is what is then known of the money.
        """
        return await self._run(lambda: _transact(self._engine, transaction), money_moved)

    async def read(self, transaction: Callable[[Connection], T], *, money_moved: MoneyMoved = "no") -> T:
        """Run a transaction that only reads: it waits for no writer, and sees one moment.

        Raises:
            NotAllowed: as for `write`.
        """
        return await self._run(lambda: _transact(self._reading, transaction), money_moved)

    async def look(self, question: Callable[[Path], T], *, money_moved: MoneyMoved = "no") -> T:
        """Ask something of the path, in the journal's thread and outside of its connection."""
        return await self._run(lambda: question(self.path), money_moved)

    @property
    def is_in_place(self) -> bool:
        """Whether what is open here is what another program would find at the path."""
        return file_ids(self.path) == self._opened

    def refuse_unless_in_place(self) -> None:
        """Stop an order that only this program would know of.

        Raises:
            NotAllowed: the journal, or SQLite's log of it, was removed or replaced since it was opened.
        """
        if not self.is_in_place:
            raise NotAllowed(
                f"The files of the order journal ({self.path}) were removed or replaced while this program was "
                "running, so an order would not be recorded. Nothing was sent. Put the right files back, restart this "
                "program, and order again. If they are lost, run `firmly-mcp orders accept-journal` before you order.",
                next="firmly-mcp orders accept-journal",
            )

    def _open(self) -> None:
        """Open the file, or make it (0600), and bring its tables up to date.

        Raises:
            NotAllowed: it was replaced meanwhile, or a newer version wrote it.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600, exist_ok=True)
        before = file_ids(self.path)
        with self._engine.begin() as connection:
            migrate(connection)
            self._journal_id = str(connection.execute(select(schema.identity.c.id)).scalar_one())
        # SQLite makes its log at the first transaction, and keeps it for as long as a program has the journal open.
        opened = file_ids(self.path)
        if opened[0] is None or opened[0] != before[0]:
            raise NotAllowed("The order journal was replaced while it was being opened. Nothing was sent; try again.")
        self._opened = opened

    def _require_open(self) -> None:
        if self.is_open:
            return
        try:
            self._open()
        except (SQLAlchemyError, UnreadableRow, OSError) as error:
            self._engine.dispose()
            raise _unusable(error, "no") from None
        except NotAllowed:
            self._engine.dispose()
            raise

    async def _run(self, work: Callable[[], T], money_moved: MoneyMoved) -> T:
        def in_thread() -> T:
            self._require_open()
            return work()

        done = asyncio.get_running_loop().run_in_executor(self._thread, in_thread)
        with anyio.CancelScope(shield=True):
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError:
                await asyncio.wait([done])
                # Nobody is left to be told how it ended.
                done.cancelled() or done.exception()
                raise
        try:
            return done.result()
        except (SQLAlchemyError, UnreadableRow, OSError) as error:
            raise _unusable(error, money_moved) from None


def _transact(engine: Engine, transaction: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return transaction(connection)


def _engine(path: Path) -> Engine:
    # One thread, one connection: two transactions on it at once would be one.
    engine = create_engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # the driver's own, which SQLAlchemy leaves untyped
        # SQLAlchemy, not the driver, opens the transactions: the driver's own would begin as deferred.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")
        if sys.platform == "darwin":
            connection.execute("PRAGMA fullfsync=ON")
        connection.create_aggregate(NAME, AMOUNTS, ExactSum)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get(_READS)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _unusable(error: Exception, money_moved: MoneyMoved) -> NotAllowed:
    return NotAllowed(
        f"The journal cannot be used ({type(error).__name__}), and no order is sent without it. "
        "Check the data directory's disk and permissions, then try again.",
        money_moved=money_moved,
    )
