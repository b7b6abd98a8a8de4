"""The journal's file when calls are cancelled and when it cannot be used: nothing is sent, and nothing stays locked."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from sqlalchemy import Connection

from firmly_mcp.api.session import TokensInMemory
from firmly_mcp.checkout.journal.approvals import Approvals
from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.checkout.models import Approval, ApprovalStatus, OrderIntent, Outcome, State
from firmly_mcp.errors import NotAllowed
from firmly_mcp.settings import Owner
from tests.checkout.journal.test_journal import DOUBT, DRAFT, OTHER_CART, PERMIT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUESTION = Approval(
    id="ap_1",
    intent=OrderIntent("staging.luma.gift"),
    digest="digest",
    total=DRAFT.total,
    lines=(),
    rule="no_limit",
    reason="",
    status=ApprovalStatus.OPEN,
    asked_at=NOW,
    expires_at=NOW + timedelta(minutes=10),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def opened(path: Path) -> Journal:
    journal = Journal(path, TokensInMemory(), owner=Owner("simulator", "ana"), now=lambda: NOW)
    await journal._file.journal_id()
    return journal


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    """A journal with an order in doubt and an open question."""
    async with await opened(path) as journal:
        await journal.end(await journal.begin(DRAFT, PERMIT), DOUBT)
        await journal.approvals.ask(QUESTION, "key")
        yield journal


def another(path: Path) -> "closing[sqlite3.Connection]":
    """What another program has of the file."""
    return closing(sqlite3.connect(path, timeout=1.0, isolation_level=None))


async def by_its_task(call: Callable[[], Awaitable[None]], begun: asyncio.Event, release: Callable[[], None]) -> None:
    """Cancel the task of a call in the middle of its transaction; only later may the transaction go on."""
    calling = asyncio.ensure_future(call())
    await begun.wait()
    calling.cancel()
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    assert not calling.done()
    release()
    assert isinstance((await asyncio.gather(calling, return_exceptions=True))[0], asyncio.CancelledError)


async def by_its_scope(call: Callable[[], Awaitable[None]], begun: asyncio.Event, release: Callable[[], None]) -> None:
    """The same, cancelled as the protocol's library cancels a call."""
    ended = False

    async def calling() -> None:
        nonlocal ended
        try:
            await call()
        finally:
            ended = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calling)
        await begun.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert not ended
            release()


@pytest.mark.parametrize("cancelled", [by_its_task, by_its_scope])
@pytest.mark.anyio
async def test_a_cancelled_call_ends_only_when_its_transaction_has(
    path: Path,
    journal: Journal,
    cancelled: Callable[[Callable[[], Awaitable[None]], asyncio.Event, Callable[[], None]], Awaitable[None]],
) -> None:
    loop, begun, released = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def transaction(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE attempts SET reason = 'written'")
        loop.call_soon_threadsafe(begun.set)
        assert released.wait(30)

    await cancelled(lambda: journal._file.write(transaction), begun, released.set)
    with another(path) as file:
        file.execute("BEGIN IMMEDIATE")
        assert file.execute("SELECT reason FROM attempts").fetchall() == [("written",)]


ATTEMPT = replace(DRAFT, number=1, outcome=Outcome(State.UNKNOWN), begun_at=NOW)
# Every way into the file, and what is then known of the money.
CALLS: dict[str, tuple[Callable[[Journal], Awaitable[object]], str]] = {
    "begin": (lambda journal: journal.begin(replace(OTHER_CART, id="att_2"), PERMIT), "no"),
    "find": (lambda journal: journal.find(DRAFT), "unknown"),
    "lookup": (lambda journal: journal.lookup(DRAFT, timedelta(minutes=10), repeat=False), "no"),
    "history": (lambda journal: journal.history(DRAFT), "no"),
    "unlock_card": (lambda journal: journal.unlock_card("visa"), "no"),
    "accept": (lambda journal: journal.accept(), "no"),
    "bought": (lambda journal: journal.bought(DRAFT, within=timedelta(days=1)), "unknown"),
    "on_cart": (lambda journal: journal.on_cart(DRAFT.store, DRAFT.cart_id), "unknown"),
    "earlier_at": (lambda journal: journal.earlier_at(DRAFT.store, within=timedelta(days=1)), "unknown"),
    "read_further": (lambda journal: journal.read_further(DRAFT.store), "unknown"),
    "no_longer_read": (lambda journal: journal.no_longer_read(), "unknown"),
    "note": (lambda journal: journal.note(ATTEMPT, None, ""), "yes"),
    "unwatch": (lambda journal: journal.unwatch(ATTEMPT), "unknown"),
    "require_last": (lambda journal: journal.require_last(), "unknown"),
    "alarms": (lambda journal: journal.alarms(within=timedelta(days=1)), "unknown"),
    "attempt": (lambda journal: journal.attempt("att_1"), "unknown"),
    "attempts": (lambda journal: journal.attempts(limit=5), "unknown"),
    "of_approval": (lambda journal: journal.of_approval("ap_1"), "unknown"),
    "sending": (lambda journal: journal.sending(DRAFT.store), "unknown"),
    "in_doubt": (lambda journal: journal.in_doubt(), "unknown"),
    "approvals.ask": (lambda journal: journal.approvals.ask(QUESTION, "key"), "no"),
    "approvals.get": (lambda journal: journal.approvals.get("ap_1"), "no"),
    "approvals.open": (lambda journal: journal.approvals.open(), "no"),
    "approvals.asked_since": (lambda journal: journal.approvals.asked_since(NOW), "no"),
    "approvals.declined": (lambda journal: journal.approvals.declined("digest"), "no"),
    "approvals.decline": (lambda journal: journal.approvals.decline("ap_1", "test"), "no"),
}
WRITES = ("begin", "unlock_card", "approvals.ask", "approvals.decline")


async def refused(journal: Journal, name: str) -> None:
    """The call ends in our own words, and says what is known of the money."""
    call, money_moved = CALLS[name]
    with pytest.raises(NotAllowed, match="journal cannot be used") as caught:
        await call(journal)
    assert caught.value.money_moved == money_moved


def test_every_way_into_the_file_is_tried() -> None:
    not_the_files = {"exists", "close", "last_kept"}
    own = {name for name in vars(Journal) if not name.startswith("_")} - not_the_files - {"end", "explain"}
    questions = {f"approvals.{name}" for name in vars(Approvals) if not name.startswith("_")}
    assert own | questions - {"approvals.use"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.anyio
async def test_a_missing_table_is_told_in_our_own_words(journal: Journal, path: Path, name: str) -> None:
    with another(path) as file:
        for table in ("attempts", "approvals", "unlocks"):
            file.execute(f"ALTER TABLE {table} RENAME TO lost_{table}")
    await refused(journal, name)


@pytest.mark.parametrize("name", ["begin", "find", "lookup", "attempt", "in_doubt", "approvals.ask", "approvals.open"])
@pytest.mark.anyio
async def test_a_row_that_nobody_here_wrote_is_told_in_our_own_words(journal: Journal, path: Path, name: str) -> None:
    with another(path) as file:
        file.execute("UPDATE attempts SET total_amount = 'lots', begun_at = 'soon'")
        file.execute("UPDATE approvals SET intent = '{]'")
    await refused(journal, name)


@pytest.mark.parametrize("amount", ["lots", "", "NaN", "-Infinity"])
@pytest.mark.parametrize("name", ["begin", "lookup", "history"])
@pytest.mark.anyio
async def test_an_amount_that_cannot_be_counted_is_no_zero(
    journal: Journal, path: Path, name: str, amount: str
) -> None:
    with another(path) as file:
        file.execute("UPDATE attempts SET total_amount = ?, state = 'placed', purchase_key = 'of another'", [amount])
    await refused(journal, name)


@pytest.mark.parametrize("name", ["attempts", "approvals.open"])
@pytest.mark.anyio
async def test_damage_that_comes_while_the_journal_is_open_is_told_in_our_own_words(path: Path, name: str) -> None:
    async with await opened(path) as journal:
        await journal.begin(DRAFT, PERMIT)
        await journal.approvals.ask(QUESTION, "key")
    async with await opened(path) as journal:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        await refused(journal, name)


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.anyio
async def test_a_file_that_another_program_keeps_locked_is_told_in_our_own_words(
    journal: Journal, path: Path, name: str
) -> None:
    await journal._file.read(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 50"))
    with another(path) as file:
        file.execute("BEGIN IMMEDIATE")
        await refused(journal, name)
    await CALLS[name][0](journal)


@pytest.mark.anyio
async def test_reading_waits_for_no_writer(journal: Journal, path: Path) -> None:
    await journal._file.read(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 0"))
    with another(path) as file:
        file.execute("BEGIN IMMEDIATE")
        assert [attempt.id for attempt in await journal.in_doubt()] == ["att_1"]
        assert (await journal.history(DRAFT)).doubts == 1


@pytest.mark.anyio
async def test_on_a_full_disk_no_order_begins_and_an_outcome_is_not_called_a_failure(journal: Journal) -> None:
    def leave_no_room(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await journal._file.read(leave_no_room)
    with pytest.raises(NotAllowed, match="journal cannot be used") as caught:
        await journal.explain((await journal.in_doubt())[0], "because " * 4000)
    assert caught.value.money_moved == "unknown"
    draft = replace(OTHER_CART, purchase_key="key-2", lines=("1 x long", "x" * 20_000))
    with pytest.raises(NotAllowed, match="journal cannot be used") as caught:
        await journal.begin(replace(draft, id="att_2"), PERMIT)
    assert caught.value.money_moved == "no"
    assert [attempt.id for attempt in await journal.attempts(limit=5)] == ["att_1"]


@pytest.mark.anyio
async def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    async with await opened(path):
        pass
    with another(path) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(NotAllowed, match="newer version"):
        await opened(path)
