"""The journal's file, worked on in one thread of its own.

A transaction is a function that runs there from its BEGIN to its COMMIT, whoever stops waiting for it: a call that is
cancelled in the middle leaves no lock behind. Whatever goes wrong with the file is said in our own words, in one place.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import anyio
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from firmly_mcp.errors import MoneyMoved, NotAllowed

from . import exact_sum, schema
from .migrations import migrate
from .rows import UnreadableRow

T = TypeVar("T")

_READS: Final = "firmly_mcp_reads"


class JournalFile:
    """One SQLite file and the thread that works on it. Every commit is on the disk when it returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{_READS: True})
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="firmly-mcp-journal")

    @classmethod
    async def open(cls, path: Path) -> tuple[Self, str]:
        """Open the file, or make it (0600), and bring its tables up to date; the file, and its journal's id.

        Raises:
            NotAllowed: it cannot be written, is damaged, or is a newer version's.
        """
        file = cls(_engine(path))
        try:
            return file, await file._run(lambda: file._prepared(path), "no")
        except NotAllowed:
            await file.close()
            raise

    async def close(self) -> None:
        """Close the file, and end its thread."""
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

    def _prepared(self, path: Path) -> str:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        with self._engine.begin() as connection:
            migrate(connection)
            return str(connection.execute(select(schema.identity.c.id)).scalar_one())

    async def _run(self, work: Callable[[], T], money_moved: MoneyMoved) -> T:
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
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
        connection.create_aggregate(exact_sum.NAME, exact_sum.AMOUNTS, exact_sum.ExactSum)

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
