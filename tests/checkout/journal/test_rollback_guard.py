"""A journal that is not the one that was used last: no order is sent from it until a person accepts it."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.journal.inspect import GuardEntry, keep, refuse_unless_continued
from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent, Outcome, State
from firmly_mcp.errors import NotAllowed, WalletError
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.backends import Backend
from firmly_mcp.wallet.entries import StoredValue
from firmly_mcp.wallet.keychain import Keychain
from tests.checkout.gate import ALLOW, BOTH, CODE, ITEMS, MUCH, Gate
from tests.checkout.journal.test_journal import DRAFT, PERMIT, Clock, Kept, opened
from tests.proofs import BY_PERSON
from tests.shop import TEE
from tests.wallet.test_broken_keyrings import Fake

KEPT = GuardEntry("a", 5)
NEXT = replace(ITEMS, items=(Item(TEE, 1),))


@pytest.mark.parametrize("found", [KEPT, GuardEntry("a", 6), GuardEntry("a", 500)])
def test_a_journal_that_goes_on_is_the_right_one(found: GuardEntry) -> None:
    refuse_unless_continued(KEPT, found)
    refuse_unless_continued(None, found)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (GuardEntry("a", 4), r"older than it was: it ends at attempt 4, and there were 5"),
        (GuardEntry("a", 0), "older"),
        (GuardEntry("b", 5), "not the one that was used last"),
        (GuardEntry("b", 900), "not the one that was used last"),
    ],
)
def test_another_journal_or_one_that_lost_attempts_is_refused_with_the_command_that_accepts_it(
    found: GuardEntry, problem: str
) -> None:
    with pytest.raises(NotAllowed, match=problem) as caught:
        refuse_unless_continued(KEPT, found)
    assert caught.value.next == "firmly-mcp orders accept-journal"
    assert "Nothing was sent" in caught.value.message


def test_a_mark_reads_back_as_it_was_kept() -> None:
    assert GuardEntry.from_text(KEPT.to_text()) == KEPT
    assert GuardEntry.from_text(None) is None


@pytest.mark.anyio
async def test_the_mark_follows_every_attempt(tmp_path: Path) -> None:
    kept = Kept()
    async with await journal_in(tmp_path / "j", kept) as journal:
        assert kept.text is None
        for number in (1, 2, 3):
            await journal.begin(replace(a_draft(number), id=f"att_{number}"), PERMIT)
            mark = GuardEntry.from_text(kept.text)
            assert mark is not None
            assert mark.number == number


@pytest.mark.anyio
async def test_shoppers_have_marks_of_their_own_in_one_journal(tmp_path: Path) -> None:
    anas, bens = Kept(), Kept()
    async with await journal_in(tmp_path / "j", anas) as ana:
        await ana.begin(replace(a_draft(1), id="att_1"), PERMIT)
    async with await journal_in(tmp_path / "j", bens, shopper="ben") as ben:
        await ben.begin(replace(a_draft(2), id="att_2"), PERMIT)
    async with await journal_in(tmp_path / "j", anas) as ana:
        assert (await ana.begin(replace(a_draft(3), id="att_3"), PERMIT)).is_new


class OrdersMeanwhile(Kept):
    """What is kept is looked at while another order is written and counted."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    async def load(self) -> str | None:
        outside = Kept()
        async with await journal_in(self.path, outside) as other:
            await other.begin(replace(a_draft(1), id="att_other"), PERMIT)
        self.text = outside.text
        return self.text


@pytest.mark.anyio
async def test_an_order_that_begins_between_the_two_looks_is_no_loss_of_attempts(tmp_path: Path) -> None:
    async with await journal_in(tmp_path / "j", OrdersMeanwhile(tmp_path / "j")) as journal:
        begun = await journal.begin(replace(a_draft(2), id="att_mine"), PERMIT)
    assert (begun.is_new, begun.number) == (True, 2)


class OverwrittenMeanwhile(Kept):
    """What is written first is overwritten by another process before it is read back."""

    def __init__(self, theirs: GuardEntry) -> None:
        super().__init__()
        self.theirs: GuardEntry | None = theirs

    async def save(self, text: str) -> None:
        theirs, self.theirs = self.theirs, None
        self.text = text if theirs is None else theirs.to_text()
        if theirs is not None:
            raise WalletError("did not keep")


@pytest.mark.parametrize(
    ("theirs", "then"),
    [(GuardEntry("a", 6), GuardEntry("a", 6)), (GuardEntry("a", 4), KEPT)],
    ids=["by a later number", "by an earlier number"],
)
@pytest.mark.anyio
async def test_two_processes_that_keep_their_marks_at_once_both_go_on(theirs: GuardEntry, then: GuardEntry) -> None:
    kept = OverwrittenMeanwhile(theirs)
    await keep(kept, KEPT)
    assert GuardEntry.from_text(kept.text) == then


class Slow(Kept):
    """A keyring that two programs share. The first save of this one takes until another program's order is counted."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.is_first = True

    async def save(self, text: str) -> None:
        if self.is_first:
            self.is_first = False
            theirs = Kept()
            async with await journal_in(self.path, theirs) as other:
                await other.begin(replace(a_draft(2), id="att_other"), PERMIT)
            assert GuardEntry.from_text(theirs.text) == GuardEntry(other._file._journal_id, 2)
        self.text = text


@pytest.mark.anyio
async def test_a_slow_keyring_does_not_put_an_earlier_number_over_a_later_one(tmp_path: Path) -> None:
    kept = Slow(tmp_path / "j")
    async with await journal_in(tmp_path / "j", kept) as journal:
        begun = await journal.begin(replace(a_draft(1), id="att_mine"), PERMIT)
        assert (begun.is_new, begun.number) == (True, 1)
        assert GuardEntry.from_text(kept.text) == GuardEntry(journal._file._journal_id, 2)


@pytest.mark.anyio
async def test_a_mark_that_another_journal_overwrites_is_not_kept() -> None:
    with pytest.raises(WalletError, match="did not keep"):
        await keep(OverwrittenMeanwhile(GuardEntry("b", 6)), KEPT)


async def journal_in(path: Path, kept: Kept, shopper: str = "ana") -> Journal:
    return await opened(Journal(path, kept, owner=Owner("simulator", shopper), now=Clock()))


def a_draft(number: int) -> Attempt:
    return replace(DRAFT, purchase_key=f"k{number}", cart_id=None)


async def placed(gate: Gate, wish: OrderIntent, at: Checkout) -> State:
    """An order that the rules allow; how it ended."""
    placing = await at.place(wish, max_total=MUCH)
    assert isinstance(placing, Attempt)
    return (await gate.ended(placing, at)).state


async def is_missing(journal: Path) -> None:
    journal.unlink()


async def is_older(journal: Path) -> None:
    shutil.copyfile(journal.with_name("backup"), journal)


async def is_another(journal: Path) -> None:
    journal.unlink()
    async with await journal_in(journal, Kept(), shopper="local") as other:
        for number in range(9):
            begun = await other.begin(replace(a_draft(number), id=f"att_{number}"), PERMIT)
            await other.end(begun, Outcome(State.NOT_PLACED))


async def is_damaged(journal: Path) -> None:
    journal.write_bytes(b"what was a journal once " * 400)


@pytest.mark.parametrize("damage", [is_missing, is_older, is_another, is_damaged])
@pytest.mark.anyio
async def test_a_journal_that_is_not_the_last_one_lets_no_order_go_until_a_person_accepts_it(
    gate: Gate, damage: Callable[[Path], Awaitable[None]]
) -> None:
    gate.rules(ALLOW)
    journal = gate.settings.data_dir / "journal.sqlite3"
    for number in (2, 3):
        async with gate.another() as first:
            assert await placed(gate, replace(ITEMS, items=(Item(TEE, number),)), first) is State.PLACED
        assert not list(journal.parent.glob("*-wal"))
        if number == 2:
            shutil.copyfile(journal, journal.with_name("backup"))
    await damage(journal)
    for _ in range(2):
        async with gate.another() as refusing:
            with pytest.raises(NotAllowed, match="journal"):
                await refusing.place(NEXT, max_total=MUCH)
    assert gate.orders_sent() == 2
    if damage is is_damaged:
        async with gate.another() as refusing:
            with pytest.raises(NotAllowed, match="cannot be used"):
                await refusing.accept_journal(BY_PERSON)
        journal.unlink()
    async with gate.another() as accepting:
        await accepting.accept_journal(BY_PERSON)
    async with gate.another() as later:
        assert await placed(gate, NEXT, later) is State.PLACED
    async with gate.another() as later:
        assert await placed(gate, replace(ITEMS, items=(Item(TEE, 4),)), later) is State.PLACED
    assert gate.orders_sent() == 4


@BOTH
@pytest.mark.anyio
async def test_a_yes_is_no_way_round_a_journal_that_is_missing(gate: Gate, wish: OrderIntent) -> None:
    async with gate.another() as first:
        asked = await first.place(ITEMS)
        assert isinstance(asked, Approval)
        review = await first.review(asked.id)
        await gate.ended(await first.approve(review, CODE, BY_PERSON), first)
    (gate.settings.data_dir / "journal.sqlite3").unlink()
    async with gate.another() as later:
        again = await later.place(wish)
        assert isinstance(again, Approval)
        review = await later.review(again.id)
        with pytest.raises(NotAllowed, match="missing, new or another's"):
            await later.approve(review, CODE, BY_PERSON)
        assert not await later.attempts(limit=5)
        assert [one.id for one in await later.open_approvals()] == [again.id]
    assert gate.orders_sent() == 1


class ForgetsTheMark(Fake):
    """A keyring that keeps everything but the journal's mark, from when it is told to."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.forgets = username.endswith("/journal")
        super().set_password(service, username, password)


@BOTH
@pytest.mark.anyio
async def test_a_keyring_that_does_not_keep_the_mark_stops_the_order_before_it_is_sent(
    gate: Gate, wish: OrderIntent
) -> None:
    gate.rules(ALLOW)
    vault = await gate.services.vault()
    forgetful = Keychain(find=lambda _: Backend("a forgetful keyring", ForgetsTheMark()))
    gate.placement.journal._guard = StoredValue(forgetful, vault.journal_mark.name)
    with pytest.raises(WalletError, match="did not keep"):
        await gate.placement.place(wish, max_total=MUCH)
    attempts = await gate.placement.attempts(limit=5)
    assert [(attempt.state, attempt.outcome.error_name) for attempt in attempts] == [(State.NOT_PLACED, "wallet")]
    assert not gate.orders_sent()
    assert not gate.kept_devices()
    async with gate.another() as repaired:
        assert await placed(gate, wish, repaired) is State.PLACED
    assert gate.orders_sent() == 1
