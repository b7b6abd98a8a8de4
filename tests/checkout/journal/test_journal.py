import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.journal.journal import ATTENDED_WINDOW, Authorization, Journal
from firmly_mcp.checkout.models import BY_A_PERSON, LEGAL, Attempt, CardRef, Outcome, State
from firmly_mcp.checkout.policy.evaluate import SpendingHistory
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money
from firmly_mcp.redaction import OneUse
from firmly_mcp.settings import Owner
from tests.checkout.test_quote import quoted

DRAFT = Attempt(
    id="att_1",
    store="staging.luma.gift",
    tool="complete_order",
    purchase_key="key-1",
    digest="digest-1",
    cart_id="cart-1",
    total=Money.parse("53.40", "USD"),
    lines=("2 x Radiant Tee (XS / Orange)",),
    card=CardRef("visa", "visa", "1111"),
)
OTHER_CART = replace(DRAFT, cart_id="cart-2")
PLACED = Outcome(State.PLACED, order_number="SIM-1", charged=DRAFT.total)
DECLINED = Outcome(State.NOT_PLACED, reason="declined", error_name="ErrorPaymentDeclined")
DOUBT = Outcome(State.UNKNOWN, reason="cut")


def allowed(_: SpendingHistory) -> None:
    return None


def permit(recheck: Callable[[SpendingHistory], None] = allowed) -> Authorization:
    """What authorizes an attempt by rules, for a quote that no test of the journal looks at."""
    return Authorization(quote=quoted(), security_code=OneUse(SecretStr("123"), "a security code"), recheck=recheck)


PERMIT = permit()


class Kept:
    """Keeps the journal's mark, where a keyring would."""

    def __init__(self) -> None:
        self.text: str | None = None

    async def load(self) -> str | None:
        return self.text

    async def save(self, text: str) -> None:
        self.text = text


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path, clock: Clock) -> AsyncIterator[Journal]:
    async with await open_journal(path, clock) as opened:
        yield opened


async def open_journal(
    path: Path, clock: Clock, shopper: str = "local", environment: str = "simulator", kept: Kept | None = None
) -> Journal:
    return await opened(Journal(path, kept or Kept(), owner=Owner(environment, shopper), now=clock))


async def opened(journal: Journal) -> Journal:
    """The journal with its file open, as its first transaction leaves it."""
    await journal._file.journal_id()
    return journal


@pytest.mark.anyio
async def test_an_attempt_reads_back_as_it_was_written(journal: Journal) -> None:
    begun = await journal.begin(DRAFT, PERMIT)
    assert begun.is_new
    assert begun == replace(DRAFT, number=1, outcome=begun.outcome, begun_at=begun.begun_at)
    assert begun.state is State.SENDING
    assert begun.money_moved == "unknown"
    ended = await journal.end(begun, PLACED)
    assert ended.outcome == replace(PLACED, cart_id="cart-1")
    assert await journal.attempt("att_1") == ended


@pytest.mark.anyio
async def test_an_attempt_outlives_the_process_that_wrote_it(path: Path, clock: Clock) -> None:
    async with await open_journal(path, clock) as journal:
        await journal.begin(DRAFT, PERMIT)
    async with await open_journal(path, clock) as journal:
        assert [attempt.id for attempt in await journal.sending(DRAFT.store)] == ["att_1"]


@pytest.mark.anyio
async def test_the_row_is_on_disk_when_begin_returns(path: Path, journal: Journal) -> None:
    await journal.begin(DRAFT, PERMIT)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT id, state FROM attempts").fetchall() == [("att_1", "sending")]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.anyio
async def test_every_commit_is_synced(journal: Journal) -> None:
    synchronous = await journal._file.write(lambda file: file.exec_driver_sql("PRAGMA synchronous").scalar_one())
    assert synchronous == 2


@pytest.mark.anyio
@pytest.mark.parametrize("outcome", [None, DOUBT])
async def test_a_wish_in_doubt_is_joined_without_limit_of_time(
    journal: Journal, clock: Clock, outcome: Outcome | None
) -> None:
    first = await journal.begin(DRAFT, PERMIT)
    if outcome is not None:
        await journal.end(first, outcome)
    clock.time += timedelta(days=400)
    again = await journal.begin(replace(OTHER_CART, id="att_2"), PERMIT)
    assert not again.is_new
    assert again.id == "att_1"


@pytest.mark.anyio
async def test_a_placed_wish_is_joined_for_ten_minutes_and_new_after_that(journal: Journal, clock: Clock) -> None:
    await journal.end(await journal.begin(DRAFT, PERMIT), PLACED)
    clock.time += ATTENDED_WINDOW
    assert (await journal.begin(replace(OTHER_CART, id="att_2"), PERMIT)).id == "att_1"
    clock.time += timedelta(seconds=1)
    assert (await journal.begin(replace(OTHER_CART, id="att_3"), PERMIT)).is_new


@pytest.mark.anyio
@pytest.mark.parametrize("outcome", [None, DOUBT, PLACED])
async def test_a_cart_is_sent_once_ever_whatever_is_in_it(
    journal: Journal, clock: Clock, outcome: Outcome | None
) -> None:
    first = await journal.begin(DRAFT, PERMIT)
    if outcome is not None:
        await journal.end(first, outcome)
    clock.time += timedelta(days=30)
    again = await journal.begin(replace(DRAFT, id="att_2", purchase_key="key-2", total=Money.parse("1", "USD")), PERMIT)
    assert again.id == "att_1"


@pytest.mark.anyio
async def test_a_refusal_that_is_proven_frees_the_wish(journal: Journal) -> None:
    await journal.end(await journal.begin(DRAFT, PERMIT), DECLINED)
    assert (await journal.begin(replace(DRAFT, id="att_2"), PERMIT)).is_new


@pytest.mark.anyio
async def test_shoppers_and_environments_do_not_meet(path: Path, clock: Clock, journal: Journal) -> None:
    await journal.begin(DRAFT, PERMIT)
    async with await open_journal(path, clock, shopper="ben") as ben:
        assert (await ben.begin(replace(DRAFT, id="att_2"), PERMIT)).is_new
        assert await ben.attempt("att_1") is None
    async with await open_journal(path, clock, environment="sandbox") as sandbox:
        assert (await sandbox.begin(replace(DRAFT, id="att_3"), PERMIT)).is_new


@pytest.mark.anyio
@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", [State.PLACED, State.NOT_PLACED, State.UNKNOWN])
async def test_only_legal_moves_are_made(journal: Journal, before: State, after: State) -> None:
    attempt = await journal.begin(DRAFT, PERMIT)
    if before is not State.SENDING:
        attempt = await journal.end(attempt, Outcome(before))
    moved = await journal.end(attempt, Outcome(after))
    assert moved.state is (after if after in LEGAL[before] else before)


def test_an_order_that_turns_up_is_placed_whatever_was_thought_before() -> None:
    assert all(State.PLACED in LEGAL[state] for state in State if state is not State.PLACED)
    assert not LEGAL[State.PLACED]


@pytest.mark.anyio
async def test_an_answer_that_is_recorded_after_a_person_ended_its_attempt_raises_the_alarm(journal: Journal) -> None:
    begun = await journal.begin(DRAFT, PERMIT)
    await journal.end(await journal.end(begun, DOUBT), Outcome(State.NOT_PLACED, reason=BY_A_PERSON))
    found = await journal.end(begun, PLACED)
    assert found.state is State.PLACED
    assert found.alarm.startswith("You ended this order as not placed, but the store has it: order SIM-1, charged")


@pytest.mark.anyio
async def test_of_many_calls_at_once_one_begins_and_the_others_join(journal: Journal) -> None:
    begun = []

    async def begin(number: int) -> None:
        begun.append(await journal.begin(replace(DRAFT, id=f"att_{number}", cart_id=f"cart-{number}"), PERMIT))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(begin, number)
    assert sum(one.is_new for one in begun) == 1
    assert len({one.id for one in begun}) == 1


_BEGIN = """
import anyio, sys
from dataclasses import replace
from datetime import datetime, UTC
from pathlib import Path
from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.settings import Owner
from tests.checkout.journal.test_journal import DRAFT, PERMIT, Kept, opened

async def main():
    journal = Journal(Path(sys.argv[1]), Kept(), owner=Owner("simulator", "local"), now=lambda: datetime.now(UTC))
    async with await opened(journal):
        print("ready", flush=True)
        sys.stdin.readline()
        print((await journal.begin(replace(DRAFT, id="att_" + sys.argv[2]), PERMIT)).is_new, flush=True)

anyio.run(main)
"""


def test_of_two_processes_one_begins_and_the_other_joins(path: Path) -> None:
    command = [sys.executable, "-c", _BEGIN, str(path)]
    both = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for n in range(2)
    ]
    for process in both:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert answers == ["False", "True"]


@pytest.mark.anyio
async def test_a_damaged_journal_refuses_orders_and_is_left_as_it_is(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, and longer than the header of one" * 10)
    before = path.read_bytes()
    with pytest.raises(NotAllowed, match="journal"):
        await open_journal(path, clock)
    assert path.read_bytes() == before


@pytest.mark.anyio
async def test_the_journal_is_for_its_owner_alone(path: Path, journal: Journal) -> None:
    await journal.begin(DRAFT, PERMIT)
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir() if file == path} == {
        "journal.sqlite3": "0o600"
    }
