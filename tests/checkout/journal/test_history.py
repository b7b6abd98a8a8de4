"""What the journal says beside a new order: what counts as spent, for how long, and what was used before."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.checkout.journal.database import ExactSum
from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.checkout.models import CardRef, Outcome, State
from firmly_mcp.checkout.policy.evaluate import WINDOWS, OrderFacts, SpendingHistory, Window, decide
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.errors import RuleDenied
from firmly_mcp.money import Money
from tests.checkout.histories import no_history
from tests.checkout.journal.test_journal import DECLINED, DOUBT, DRAFT, PERMIT, Clock, open_journal, permit

PLACED = Outcome(State.PLACED, order_number="1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path, clock: Clock) -> AsyncIterator[Journal]:
    async with await open_journal(path, clock) as opened:
        yield opened


async def tried(journal: Journal, number: int, outcome: Outcome | None, **terms: Any) -> None:
    """An attempt at a store of its own unless it says else, and how it ended."""
    own: dict[str, Any] = {"store": f"s{number}.example", "purchase_key": f"k{number}", "cart_id": None}
    begun = await journal.begin(replace(DRAFT, id=f"att_{number}", **(own | terms)), PERMIT)
    if outcome is not None:
        await journal.end(begun, outcome)


async def beside(journal: Journal, currency: str = "USD", **terms: Any) -> SpendingHistory:
    """The history of an order at a store where nothing was bought yet, unless it says else."""
    order = OrderFacts(store="new.example", total=Money.parse(1, currency), card_label="visa")
    return await journal.history(replace(order, **terms))


async def spent(journal: Journal, currency: str = "USD") -> str:
    return (await beside(journal, currency)).spent.day.plain


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (None, "53.40"),
        (DOUBT, "53.40"),
        (PLACED, "53.40"),
        (replace(PLACED, charged=Money.parse("60", "USD")), "60.00"),
        (replace(PLACED, charged=Money.parse("50", "USD")), "53.40"),
        (replace(PLACED, charged=Money.parse("0", "USD")), "53.40"),
        (replace(PLACED, charged=Money.parse("-100", "USD")), "53.40"),
        (Outcome(State.NOT_PLACED), "0.00"),
    ],
)
@pytest.mark.anyio
async def test_what_was_sent_counts_as_spent_unless_it_is_proven_that_it_was_not(
    journal: Journal, outcome: Outcome | None, counts: str
) -> None:
    await tried(journal, 1, outcome)
    assert await spent(journal) == counts
    assert await spent(journal, "GBP") == "0.00"


@pytest.mark.anyio
async def test_a_charge_in_another_currency_counts_in_both(journal: Journal) -> None:
    await tried(journal, 1, replace(PLACED, charged=Money.parse(70, "GBP")))
    assert await spent(journal) == "53.40"
    assert await spent(journal, "GBP") == "70.00"


@pytest.mark.anyio
async def test_a_negative_charge_in_another_currency_makes_room_in_neither(journal: Journal) -> None:
    await tried(journal, 1, replace(PLACED, charged=Money.parse(30, "GBP")))
    await tried(journal, 2, replace(PLACED, charged=Money.parse(-500, "GBP")))
    assert await spent(journal) == "106.80"
    assert await spent(journal, "GBP") == "30.00"


@pytest.mark.anyio
async def test_a_negative_amount_that_is_in_the_file_already_makes_no_room(journal: Journal, path: Path) -> None:
    for number in (1, 2, 3):
        await tried(journal, number, PLACED)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE attempts SET charged_amount = '-900', charged_currency = 'USD' WHERE number = 1")
        file.execute("UPDATE attempts SET total_amount = '-900' WHERE number = 2")
    assert await spent(journal) == "106.80"


# What a store may state that it charged: anything that can be written as an amount, in any currency.
STATED = st.none() | st.tuples(
    st.sampled_from(["USD", "GBP"]), st.decimals(-(10**12), 10**12, allow_nan=False, places=3)
).map(lambda stated: Money.parse(stated[1], stated[0]))
SPENDING = st.lists(st.tuples(st.integers(1, 10**6), STATED), max_size=6)


@settings(max_examples=40, deadline=None)
@given(SPENDING)
def test_whatever_stores_state_that_they_charged_a_sum_is_never_below_what_was_approved(
    spending: list[tuple[int, Money | None]],
) -> None:
    async def sums() -> tuple[SpendingHistory, SpendingHistory]:
        with tempfile.TemporaryDirectory() as folder:
            async with await open_journal(Path(folder) / "journal.sqlite3", Clock()) as journal:
                for number, (cents, charged) in enumerate(spending):
                    outcome = replace(PLACED, charged=charged)
                    terms = {"store": "a.example", "total": Money.from_minor(cents, "USD")}
                    await tried(journal, number, outcome, **terms)
                about = {"store": "a.example", "card_label": DRAFT.card.label}
                return await beside(journal, **about), await beside(journal, "GBP", **about)

    in_dollars, in_pounds = anyio.run(sums)
    approved = sum((Decimal(cents) / 100 for cents, _ in spending), Decimal(0))
    each = (in_dollars.spent, in_dollars.at_store, in_dollars.on_card)
    assert all(spent.within(window).amount >= approved for spent in each for window in WINDOWS)
    pounds = [c.amount for _, c in spending if c is not None and c.currency == "GBP" and c.amount > 0]
    assert in_pounds.spent.day.amount == in_pounds.on_card.month.amount == sum(pounds, Decimal(0))


@pytest.mark.parametrize("amounts", [["1e500", "1e-600"], ["1", "1e-1000"], ["9e999", "9e999999"]])
def test_a_sum_that_cannot_be_exact_is_no_sum(amounts: list[str]) -> None:
    one, other = amounts
    summed = ExactSum()
    summed.step(one, None)
    with pytest.raises(ArithmeticError):
        summed.step(other, None)


@pytest.mark.anyio
async def test_a_store_that_answers_with_another_carts_id_does_not_free_the_cart_that_was_sent(
    journal: Journal, clock: Clock
) -> None:
    begun = await journal.begin(DRAFT, PERMIT)
    ended = await journal.end(begun, replace(PLACED, cart_id="cart-of-another"))
    assert ended.cart_id == DRAFT.cart_id
    clock.time += timedelta(days=9)
    assert await journal.find(replace(DRAFT, purchase_key="of another")) == ended


@pytest.mark.anyio
async def test_amounts_are_summed_exactly_however_many_there_are(journal: Journal) -> None:
    amounts = ["0.10"] * 3 + ["0.70", "999999999999.01"]
    for number, amount in enumerate(amounts):
        await tried(journal, number, PLACED, total=Money.parse(amount, "USD"))
    assert await spent(journal) == "1000000000000.01"


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.anyio
async def test_what_was_spent_counts_for_a_window_in_all_at_its_store_and_on_its_card(
    journal: Journal, clock: Clock, window: Window
) -> None:
    await tried(journal, 1, PLACED, card=CardRef("visa", "visa", "1111"))
    await tried(journal, 2, PLACED, card=CardRef("other", "visa", "1111"))
    clock.time += WINDOWS[window] - timedelta(microseconds=1)
    for later, in_all, own in ((timedelta(0), "106.80", "53.40"), (timedelta(microseconds=1), "0.00", "0.00")):
        clock.time += later
        history = await beside(journal, store="s1.example")
        assert history.spent.within(window).plain == in_all
        assert history.at_store.within(window).plain == own
        assert history.on_card.within(window).plain == own


@pytest.mark.anyio
async def test_a_clock_that_is_set_back_makes_no_room(journal: Journal, clock: Clock) -> None:
    await tried(journal, 1, None)
    at_first = clock.time
    clock.time -= timedelta(days=30)
    assert await spent(journal) == "53.40"
    await tried(journal, 2, None)
    assert await spent(journal) == "106.80"
    assert (await beside(journal)).now == at_first


@pytest.mark.anyio
async def test_after_a_clock_was_ahead_everything_counts_until_it_is_there_again(
    journal: Journal, clock: Clock
) -> None:
    await tried(journal, 1, None)
    clock.time += timedelta(days=3)
    await tried(journal, 2, None)
    clock.time -= timedelta(days=3)
    for number in range(3, 6):
        await tried(journal, number, None)
    assert await spent(journal) == "213.60"
    clock.time += timedelta(days=4)
    assert await spent(journal) == "0.00"


@pytest.mark.anyio
async def test_doubts_are_counted_at_their_own_store(journal: Journal) -> None:
    await tried(journal, 1, DOUBT)
    await tried(journal, 2, None)
    await tried(journal, 3, PLACED)
    assert [(await beside(journal, store=f"s{n}.example")).doubts for n in range(1, 5)] == [1, 1, 0, 0]


@pytest.mark.anyio
async def test_a_store_and_an_address_are_in_use_since_the_first_order_that_was_placed(
    journal: Journal, clock: Clock
) -> None:
    for number, outcome in enumerate([DECLINED, DOUBT, PLACED, PLACED]):
        await tried(journal, number, outcome, store="a.example", address_hash="home")
        clock.time += timedelta(days=40)
    third = Clock().time + timedelta(days=80)
    history = await beside(journal, store="a.example", address_hash="home")
    assert (history.store_since, history.address_since) == (third, third)
    other = await beside(journal, store="b.example", address_hash="work")
    assert (other.store_since, other.address_since) == (None, None)
    assert (await beside(journal, store="a.example", address_hash=None)).address_since is None


@pytest.mark.anyio
async def test_what_another_shopper_did_is_no_history(journal: Journal, path: Path, clock: Clock) -> None:
    async with await open_journal(path, clock, shopper="ben") as bens:
        await tried(bens, 1, PLACED, address_hash="home")
        await tried(bens, 2, DOUBT, store="new.example")
        for number in (3, 4):
            await tried(bens, number, DECLINED)
    assert await beside(journal, address_hash="home") == no_history("USD", clock.time)


@pytest.mark.anyio
async def test_of_two_orders_that_pass_a_limit_together_the_second_is_refused_as_it_is_written(
    journal: Journal,
) -> None:
    rules = read_rules('[USD]\nrefuse_above_a_day = "106.79"')
    seen: list[str] = []

    def check(history: SpendingHistory) -> None:
        seen.append(history.spent.day.plain)
        if (verdict := decide(rules, OrderFacts(store="any", total=DRAFT.total), history)).verdict == "refuse":
            raise RuleDenied(verdict.reason, rule=verdict.rule)

    drafts = [replace(DRAFT, store=f"s{n}.example", purchase_key=f"k{n}", cart_id=None) for n in (1, 2)]
    assert (await journal.begin(replace(drafts[0], id="att_1"), permit(check))).is_new
    with pytest.raises(RuleDenied) as caught:
        await journal.begin(replace(drafts[1], id="att_2"), permit(check))
    assert caught.value.rule == "USD.refuse_above_a_day"
    assert seen == ["0.00", "53.40"]
    assert await journal.attempt("att_2") is None


async def locked(journal: Journal, card: str = "visa") -> bool:
    return (await beside(journal, card_label=card)).card_locked


@pytest.mark.parametrize(("apart", "locks"), [(timedelta(hours=1), True), (timedelta(hours=1, seconds=1), False)])
@pytest.mark.anyio
async def test_two_declined_payments_within_an_hour_lock_their_card(
    journal: Journal, clock: Clock, apart: timedelta, *, locks: bool
) -> None:
    await tried(journal, 1, DECLINED)
    assert not await locked(journal)
    clock.time += apart
    await tried(journal, 2, DECLINED)
    clock.time += timedelta(days=400)
    assert (await locked(journal), await locked(journal, "other")) == (locks, False)


@pytest.mark.parametrize("outcome", [PLACED, DOUBT, replace(DECLINED, error_name="ErrorNotEnoughStock")])
@pytest.mark.anyio
async def test_nothing_but_a_declined_payment_locks_a_card(journal: Journal, outcome: Outcome) -> None:
    await tried(journal, 1, DECLINED)
    await tried(journal, 2, outcome)
    await tried(journal, 3, outcome)
    assert not await locked(journal)


@pytest.mark.anyio
async def test_a_clock_that_is_set_back_between_two_declined_payments_does_not_keep_a_card_open(
    journal: Journal, clock: Clock
) -> None:
    await tried(journal, 1, DECLINED)
    clock.time -= timedelta(days=2)
    await tried(journal, 2, DECLINED)
    assert await locked(journal)


@pytest.mark.anyio
async def test_a_person_unlocks_a_card_and_two_more_declined_payments_lock_it_again(
    journal: Journal, path: Path, clock: Clock
) -> None:
    for number in (1, 2):
        await tried(journal, number, DECLINED)
    assert await journal.unlock_card("visa")
    assert not await locked(journal)
    assert not await journal.unlock_card("visa")
    await tried(journal, 3, DECLINED)
    assert not await locked(journal)
    await tried(journal, 4, DECLINED)
    async with await open_journal(path, clock) as another:
        assert await locked(another)


@pytest.mark.anyio
async def test_an_address_is_in_the_file_only_as_its_hash(journal: Journal, path: Path) -> None:
    await tried(journal, 1, PLACED, address_hash="5f2c")
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT address_hash FROM attempts").fetchall() == [("5f2c",)]
