from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from firmly_mcp.api.session import TokensInMemory
from firmly_mcp.checkout.attempts import Draft
from firmly_mcp.checkout.journal import Journal
from firmly_mcp.money import Money

DRAFT = Draft(
    store="staging.luma.gift",
    tool="place_order",
    purchase_key="key",
    digest="digest",
    cart_id=None,
    total=Money.parse("53.40", "USD"),
    lines=("2 x Radiant Tee",),
    card_label="test-visa",
    card_brand="Visa",
    card_last_four="1111",
)


async def by_its_task(journal: Journal, passes: int) -> None:
    """Ask, and cancel the task that asks after so many passes of the loop."""
    asking = asyncio.create_task(journal.history(DRAFT))
    for _ in range(passes):
        await anyio.lowlevel.checkpoint()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def by_its_scope(journal: Journal, passes: int) -> None:
    """Ask, and cancel as the protocol's library cancels a call."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.history, DRAFT)
        for _ in range(passes):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("cancelled", [by_its_task, by_its_scope])
@pytest.mark.anyio
async def test_a_cancelled_call_does_not_leave_the_journal_locked(
    tmp_path: Path, cancelled: Callable[[Journal, int], Awaitable[None]]
) -> None:
    path = tmp_path / "journal.sqlite3"
    kept = TokensInMemory()
    opened = await Journal.open(path, kept, environment="simulator", shopper="ana", now=lambda: datetime.now(UTC))
    async with opened as journal:
        for passes in range(120):
            await cancelled(journal, passes % 40)
            with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")
                another.execute("ROLLBACK")
