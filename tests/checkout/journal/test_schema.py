"""An older journal is brought up to date, with what is in it; every way there ends at the same tables."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from firmly_mcp.checkout.journal.schema import STEPS, metadata
from tests.checkout.journal.test_journal import DRAFT, PERMIT, Clock, Kept, open_journal

# As a file of the first step has it.
_ATTEMPT = {
    "id": "att_1",
    "number": 1,
    "environment": "simulator",
    "shopper": "local",
    "store": DRAFT.store,
    "tool": DRAFT.tool,
    "purchase_key": DRAFT.purchase_key,
    "digest": DRAFT.digest,
    "cart_id": DRAFT.cart_id,
    "total_amount": "53.40",
    "currency": "USD",
    "lines": DRAFT.lines[0],
    "card_label": DRAFT.card.label,
    "card_brand": DRAFT.card.brand,
    "card_last_four": DRAFT.card.last_four,
    "state": "unknown",
    "begun_at": "2026-11-21T11:00:00.000000+00:00",
}

Column = tuple[str, str, int, int]


def tables(file: sqlite3.Connection) -> dict[str, tuple[list[Column], set[str]]]:
    """Each table's columns (name, type, whether it may be null, place in the key) and indexes."""
    names = [row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: (_columns(file, name), _indexes(file, name)) for name in names}


def _columns(file: sqlite3.Connection, table: str) -> list[Column]:
    return [(name, kind, null, key) for _, name, kind, null, _, key in file.execute(f"PRAGMA table_info({table})")]


def _indexes(file: sqlite3.Connection, table: str) -> set[str]:
    found = file.execute(f"PRAGMA index_list({table})").fetchall()
    own = [name for _, name, _, origin, _ in found if origin == "c"]
    return {f"{name}: {[row[2] for row in file.execute(f'PRAGMA index_info({name})')]}" for name in own}


def after(path: Path, steps: Sequence[Sequence[str]]) -> None:
    """A file that has had these steps and no more."""
    with closing(sqlite3.connect(path)) as file:
        for statement in (statement for step in steps for statement in step):
            file.execute(statement, {"new_id": "journal-1"} if ":new_id" in statement else {})
        file.execute(f"PRAGMA user_version = {len(steps)}")
        file.commit()


def test_the_steps_lead_to_the_tables_that_the_statements_are_made_for(tmp_path: Path) -> None:
    after(tmp_path / "steps", STEPS)
    metadata.create_all(create_engine(f"sqlite:///{tmp_path / 'tables'}"))
    with closing(sqlite3.connect(tmp_path / "steps")) as one, closing(sqlite3.connect(tmp_path / "tables")) as other:
        assert tables(one) == tables(other)


@pytest.mark.anyio
async def test_an_attempt_of_the_first_version_is_read_counted_and_joined(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    after(path, STEPS[:1])
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"INSERT INTO attempts ({', '.join(_ATTEMPT)}) VALUES (:{', :'.join(_ATTEMPT)})", _ATTEMPT)
        file.commit()
    kept = Kept()
    kept.text = '{"journal": "journal-1", "last": 1}'
    async with await open_journal(path, Clock(), kept=kept) as journal:
        found = await journal.attempt("att_1")
        assert found is not None
        assert found == replace(DRAFT, number=1, outcome=found.outcome, begun_at=found.begun_at)
        history = await journal.history(DRAFT)
        assert (history.spent.day.plain, history.doubts) == ("53.40", 1)
        assert await journal.begin(replace(DRAFT, id="att_2"), PERMIT) == found


@pytest.mark.anyio
async def test_a_file_is_brought_up_to_date_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    for _ in range(2):
        async with await open_journal(path, Clock()):
            pass
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert len(file.execute("SELECT id FROM identity").fetchall()) == 1
