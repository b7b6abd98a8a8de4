"""The journal's tables, and the numbered steps that bring an older file up to date.

A step is never edited once released; a change is a new step. `user_version` in the file says how many it has had.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection

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
    Column("reason", String, nullable=False, server_default=""),
    Column("error_name", String, nullable=False, server_default=""),
    Column("begun_at", String, nullable=False),
    Column("ended_at", String),
    Index("attempts_by_wish", "environment", "shopper", "store", "purchase_key"),
    Index("attempts_by_cart", "cart_id"),
)

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


STEPS: Final[Sequence[Callable[[AsyncConnection], Awaitable[None]]]] = (_make_tables,)


async def migrate(connection: AsyncConnection) -> None:
    """Run the steps that this file has not had."""
    done = (await connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
    for number, step in enumerate(STEPS[done:], start=done + 1):
        await step(connection)
        await connection.exec_driver_sql(f"PRAGMA user_version = {number}")
