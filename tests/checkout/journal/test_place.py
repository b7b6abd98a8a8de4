"""A journal whose files go away under a running program: it places no order that it alone would know of."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.checkout.models import Attempt, Item, OrderIntent, State
from firmly_mcp.errors import NotAllowed
from firmly_mcp.settings import Owner
from tests.checkout.gate import ALLOW, BOTH, CODE, ITEMS, MUCH, Gate
from tests.checkout.journal.test_journal import DRAFT, PERMIT, Clock, Kept
from tests.proofs import BY_PERSON
from tests.shop import TEE

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name != "posix", reason="other systems let no file go that is open"),
]

FILES = ("", "-wal", "-shm")
FIRST = replace(ITEMS, items=(Item(TEE, 5),))


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def all_are_deleted(path: Path) -> None:
    for suffix in FILES:
        beside(path, suffix).unlink()


def the_file_is_deleted(path: Path) -> None:
    path.unlink()


def the_log_is_deleted(path: Path) -> None:
    beside(path, "-wal").unlink()


def the_index_is_deleted(path: Path) -> None:
    beside(path, "-shm").unlink()


def log_and_index_are_deleted(path: Path) -> None:
    beside(path, "-wal").unlink()
    beside(path, "-shm").unlink()


def a_whole_copy_takes_its_place(path: Path) -> None:
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(path)


def a_copy_with_its_log_takes_its_place(path: Path) -> None:
    for suffix in FILES:
        shutil.copyfile(beside(path, suffix), path.with_name("copy"))
        path.with_name("copy").replace(beside(path, suffix))


def the_copy_before_the_first_order_is_put_back(path: Path) -> None:
    for suffix in FILES:
        beside(path, suffix).unlink()
    shutil.copyfile(path.with_name("backup"), path)


def it_is_truncated(path: Path) -> None:
    os.truncate(path, 0)


def it_is_written_over_with_noise(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xa5" * size)


def it_and_its_log_are_truncated(path: Path) -> None:
    os.truncate(path, 0)
    os.truncate(beside(path, "-wal"), 0)


def the_directory_is_another(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.mkdir()


def the_directory_is_a_copy(path: Path) -> None:
    moved = path.parent.rename(path.parent.with_name("moved"))
    shutil.copytree(moved, path.parent, ignore=shutil.ignore_patterns("locks", "simulator"))


def a_link_leads_to_the_file_elsewhere(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def its_log_is_a_link_to_the_log_elsewhere(path: Path) -> None:
    elsewhere = beside(path, "-elsewhere")
    beside(path, "-wal").rename(elsewhere)
    beside(path, "-wal").symlink_to(elsewhere)


DAMAGES = [
    all_are_deleted,
    the_file_is_deleted,
    the_log_is_deleted,
    the_index_is_deleted,
    log_and_index_are_deleted,
    a_whole_copy_takes_its_place,
    a_copy_with_its_log_takes_its_place,
    the_copy_before_the_first_order_is_put_back,
    it_is_truncated,
    it_is_written_over_with_noise,
    it_and_its_log_are_truncated,
    the_directory_is_another,
    the_directory_is_a_copy,
    a_link_leads_to_the_file_elsewhere,
    its_log_is_a_link_to_the_log_elsewhere,
]


def journal_of(gate: Gate) -> Path:
    path = gate.settings.data_dir / "journal.sqlite3"
    assert all(beside(path, suffix).exists() for suffix in FILES)
    return path


async def placed(gate: Gate, wish: OrderIntent) -> None:
    placing = await gate.placement.place(wish, max_total=MUCH)
    assert isinstance(placing, Attempt)
    assert (await gate.ended(placing)).state is State.PLACED


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_journal_that_others_do_not_find_lets_no_order_go(gate: Gate, damage: Callable[[Path], None]) -> None:
    gate.rules(ALLOW)
    path = gate.settings.data_dir / "journal.sqlite3"
    async with gate.another() as before:
        assert not await before.attempts(limit=1)
    shutil.copyfile(path, path.with_name("backup"))
    await placed(gate, FIRST)
    damage(journal_of(gate))
    for _ in range(2):
        with pytest.raises(NotAllowed, match="journal") as caught:
            await gate.placement.place(ITEMS, max_total=MUCH)
        assert "restart" in caught.value.message.lower() or "cannot be used" in caught.value.message
    assert gate.orders_sent() == 1


@BOTH
@pytest.mark.parametrize("damage", [all_are_deleted, the_log_is_deleted, it_is_truncated])
async def test_an_approval_is_no_way_round_it(gate: Gate, wish: OrderIntent, damage: Callable[[Path], None]) -> None:
    review = await gate.reviewed(wish)
    damage(journal_of(gate))
    with pytest.raises(NotAllowed, match="journal"):
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert not gate.orders_sent()
    assert not gate.kept_devices()


@BOTH
async def test_no_person_is_asked_about_an_order_that_the_journal_cannot_hold(gate: Gate, wish: OrderIntent) -> None:
    await gate.asked(wish)
    all_are_deleted(journal_of(gate))
    with pytest.raises(NotAllowed, match="removed or replaced"):
        await gate.placement.place(wish)


async def test_files_that_come_back_are_the_journal_again(gate: Gate) -> None:
    gate.rules(ALLOW)
    await placed(gate, FIRST)
    path = journal_of(gate)
    away = path.parent.with_name("away")
    away.mkdir()
    for suffix in FILES:
        beside(path, suffix).rename(away / (path.name + suffix))
    with pytest.raises(NotAllowed, match="removed or replaced") as caught:
        await gate.placement.place(ITEMS, max_total=MUCH)
    assert caught.value.next == "firmly-mcp orders accept-journal"
    for suffix in FILES:
        (away / (path.name + suffix)).rename(beside(path, suffix))
    await placed(gate, ITEMS)
    assert gate.orders_sent() == 2


async def test_a_journal_that_a_person_accepted_elsewhere_counts_after_a_restart(gate: Gate) -> None:
    gate.rules(ALLOW)
    await placed(gate, FIRST)
    all_are_deleted(journal_of(gate))
    async with gate.another() as later:
        with pytest.raises(NotAllowed, match="missing, new or another's"):
            await later.place(ITEMS, max_total=MUCH)
        await later.accept_journal(BY_PERSON)
    with pytest.raises(NotAllowed, match="restart this program"):
        await gate.placement.place(ITEMS, max_total=MUCH)
    async with gate.another() as restarted:
        placing = await restarted.place(ITEMS, max_total=MUCH)
        assert isinstance(placing, Attempt)
        assert (await gate.ended(placing, restarted)).state is State.PLACED
    assert gate.orders_sent() == 2


async def test_a_journal_that_is_gone_is_not_accepted(gate: Gate) -> None:
    gate.rules(ALLOW)
    await placed(gate, FIRST)
    all_are_deleted(journal_of(gate))
    with pytest.raises(NotAllowed, match="removed or replaced"):
        await gate.placement.accept_journal(BY_PERSON)


@pytest.mark.parametrize("damage", [all_are_deleted, the_log_is_deleted, it_and_its_log_are_truncated])
async def test_an_outcome_that_the_journal_does_not_keep_is_answered_and_logged(
    gate: Gate, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    gate.rules(ALLOW)
    with gate.simulator.hold_events():
        placing = await gate.placement.place(ITEMS, max_total=MUCH)
        assert isinstance(placing, Attempt)
        damage(journal_of(gate))
        log = gate.placement.progress(placing)
    assert log is not None
    ended = await gate.ended(placing)
    assert log.steps[-1].name == "placed"
    assert (ended.state, ended.money_moved) == (State.PLACED, "yes")
    number = ended.outcome.order_number
    assert number in {charge.order_number for charge in gate.simulator.books.charges}
    assert f"{ended.id} is placed, order number '{number}'" in caplog.text or (
        f"{ended.id}: placed, order number '{number}'" in caplog.text
    )
    with pytest.raises(NotAllowed, match="journal"):
        await gate.placement.place(FIRST, max_total=MUCH)
    assert gate.orders_sent() == 1


async def test_an_outcome_that_the_journal_did_not_take_is_written_when_it_can_be(gate: Gate) -> None:
    gate.rules(ALLOW)
    with gate.simulator.hold_events():
        placing = await gate.placement.place(ITEMS, max_total=MUCH)
        assert isinstance(placing, Attempt)
        with closing(sqlite3.connect(journal_of(gate), isolation_level=None)) as other:
            other.execute("ALTER TABLE events RENAME TO lost")
    assert (await gate.ended(placing)).state is State.PLACED
    with closing(sqlite3.connect(journal_of(gate), isolation_level=None)) as other:
        other.execute("ALTER TABLE lost RENAME TO events")
    assert (await gate.ended(placing)).state is State.PLACED
    async with gate.another() as later:
        found = await later.attempt(placing.id)
        assert found is not None
        assert (found.state, found.outcome.order_number) == (
            State.PLACED,
            gate.simulator.books.charges[0].order_number,
        )


async def test_a_journal_behind_a_link_takes_orders(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "j").symlink_to(tmp_path / "real" / "journal")
    async with await opened(tmp_path / "j", Kept()) as journal:
        assert (await journal.begin(DRAFT, PERMIT)).is_new


async def test_a_number_that_the_keyring_counted_is_compared_at_every_attempt(tmp_path: Path) -> None:
    kept = Kept()
    async with await opened(tmp_path / "j", kept) as journal:
        begun = await journal.begin(DRAFT, PERMIT)
        assert not (await journal.begin(replace(DRAFT, id="att_2"), PERMIT)).is_new
        kept.text = str(kept.text).replace('"last": 1', '"last": 2')
        with pytest.raises(NotAllowed, match="ends at attempt 1, and there were 2"):
            await journal.begin(replace(DRAFT, id="att_3", purchase_key="another", cart_id=None), PERMIT)
        assert [attempt.id for attempt in await journal.attempts(limit=5)] == [begun.id]


@pytest.mark.parametrize("text", ["", "{}", '{"journal": "a"}', "[]", '{"journal": "a", "last": "many"}'])
async def test_what_the_keyring_has_instead_of_a_number_lets_no_order_go(tmp_path: Path, text: str) -> None:
    kept = Kept()
    kept.text = text
    async with await opened(tmp_path / "j", kept) as journal:
        with pytest.raises(NotAllowed, match="accept-journal"):
            await journal.begin(DRAFT, PERMIT)
        await journal.accept()
        assert (await journal.begin(DRAFT, PERMIT)).is_new


async def opened(path: Path, kept: Kept) -> Journal:
    journal = Journal(path, kept, owner=Owner("simulator", "local"), now=Clock())
    await journal._file.journal_id()
    return journal
