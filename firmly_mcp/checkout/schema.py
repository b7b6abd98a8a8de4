"""The journal's file and tables, and the numbered steps that bring an older file up to date.

A step is never edited once released; a change is a new step. `user_version` in the file says how many it has had.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

metadata = MetaData()

attempts = Table(
    "attempts",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("environment", String, nullable=False),
    Column("shopper", String, nullable=False),
    Column("store", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("purchase_key", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("cart_id", String),
    Column("total_amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("card_label", String, nullable=False),
    Column("card_brand", String, nullable=False),
    Column("card_last_four", String, nullable=False),
    Column("state", String, nullable=False),
    Column("order_number", String),
    Column("charged_amount", String),
    Column("charged_currency", String),
    Column("reference", String),
    Column("approval_id", String, ForeignKey("approvals.id")),
    Column("reason", String, nullable=False, server_default=""),
    Column("error_name", String, nullable=False, server_default=""),
    Column("begun_at", String, nullable=False),
    Column("ended_at", String),
    Index("attempts_by_wish", "environment", "shopper", "store", "purchase_key"),
    Index("attempts_by_cart", "cart_id"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("shopper", String, nullable=False),
    Column("store", String, nullable=False),
    Column("purchase_key", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("wish", String, nullable=False),
    Column("total_amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("channel", String),
    Column("asked_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("answered_at", String),
    Index("approvals_by_wish", "environment", "shopper", "store", "purchase_key"),
)

# One row: which journal this is, however often it is copied or restored.
identity = Table("identity", metadata, Column("id", String, primary_key=True))

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attempt_id", String, ForeignKey("attempts.id"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("step", String, nullable=False),
)


async def _make_tables(connection: AsyncConnection) -> None:
    await connection.run_sync(metadata.create_all)
    await connection.execute(insert(identity).values(id=secrets.token_hex(16)))


STEPS: Final[Sequence[Callable[[AsyncConnection], Awaitable[None]]]] = (_make_tables,)


def open_file(path: Path) -> AsyncEngine:
    """The journal's file; every commit is on the disk when it returns, every transaction begins as the only writer."""
    # One connection, taken in turn: two transactions on it at once would be one.
    url = f"sqlite+aiosqlite:///{path}"
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # SQLAlchemy's adapter has no public type
        # SQLAlchemy, not the driver, opens the transactions: the driver's own would begin as deferred.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        if sys.platform == "darwin":
            cursor.execute("PRAGMA fullfsync=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def migrate(connection: AsyncConnection) -> None:
    """Run the steps that this file has not had."""
    done = (await connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
    for number, step in enumerate(STEPS[done:], start=done + 1):
        await step(connection)
        await connection.exec_driver_sql(f"PRAGMA user_version = {number}")
