"""What rules say of an order. The limits hold for every rule set and every sequence of orders, on any clock."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.checkout.attempts import Outcome, State
from firmly_mcp.checkout.journal import Journal, Permit
from firmly_mcp.checkout.rules import Allow, Ask, Deny, History, Limits, Rules, Verdict, decide, read_rules
from firmly_mcp.errors import RuleDenied, SettingsError
from firmly_mcp.money import Money
from tests.checkout.test_journal import DRAFT, Clock, Kept

DAY = timedelta(hours=24)
NOTHING = History(Money.parse(0, "USD"))
FOUR = """
[USD]
ask_above = "50"
ask_above_a_day = "120"
refuse_above = "100"
refuse_above_a_day = "200"
"""


def usd(amount: str | int) -> Money:
    return Money.parse(amount, "USD")


def said(verdict: Verdict) -> tuple[type[Verdict], str]:
    return type(verdict), verdict.rule


# An order of so much after so much was spent: just below, at and just above each limit.
TABLE: list[tuple[str, str, type[Verdict], str]] = [
    ("0", "0", Allow, "ask_above"),
    ("49.99", "0", Allow, "ask_above"),
    ("50", "0", Allow, "ask_above"),
    ("50.01", "0", Ask, "ask_above"),
    ("50", "69.99", Allow, "ask_above"),
    ("50", "70", Allow, "ask_above"),
    ("50", "70.01", Ask, "ask_above_a_day"),
    ("50.01", "70", Ask, "ask_above"),
    ("99.99", "0", Ask, "ask_above"),
    ("100", "0", Ask, "ask_above"),
    ("100.01", "0", Deny, "refuse_above"),
    ("100", "99.99", Ask, "ask_above"),
    ("100", "100", Ask, "ask_above"),
    ("100", "100.01", Deny, "refuse_above_a_day"),
    ("1", "199", Ask, "ask_above_a_day"),
    ("1", "199.01", Deny, "refuse_above_a_day"),
    ("100.01", "200", Deny, "refuse_above"),
]


@pytest.mark.parametrize(("total", "spent", "verdict", "rule"), TABLE)
def test_each_limit_is_met_exactly_and_the_verdict_names_it(
    total: str, spent: str, verdict: type[Verdict], rule: str
) -> None:
    assert said(decide(read_rules(FOUR), usd(total), History(usd(spent)))) == (verdict, rule)


def test_a_reason_says_both_amounts() -> None:
    rules = read_rules(FOUR)
    assert (
        decide(rules, usd("100.01"), NOTHING).reason == "100.01 USD is above the 100 that your rules set for one order."
    )
    assert "201.00 USD" in decide(rules, usd("1"), History(usd("200"))).reason


@pytest.mark.parametrize(("doubts", "repeat", "rule"), [(1, False, "doubt"), (0, True, "repeat"), (2, True, "doubt")])
def test_a_doubt_and_a_repeat_ask_though_the_limits_allow(doubts: int, *, repeat: bool, rule: str) -> None:
    verdict = decide(read_rules(FOUR), usd("1"), History(usd(0), doubts=doubts), repeat=repeat)
    assert said(verdict) == (Ask, rule)


def test_a_refusal_is_a_refusal_also_in_doubt_and_for_a_repeat() -> None:
    verdict = decide(read_rules(FOUR), usd("101"), History(usd(0), doubts=1), repeat=True)
    assert said(verdict) == (Deny, "refuse_above")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[EUR]\nask_above = 1000\nask_above_a_day = 1000",
        "[USD]",
        "[USD]\nask_above = 1000",
        "[USD]\nask_above_a_day = 1000",
        "[USD]\nrefuse_above = 1000",
    ],
)
def test_a_currency_without_both_limits_asks(text: str) -> None:
    assert said(decide(read_rules(text), usd("0.01"), NOTHING)) == (Ask, "no_limit")


def test_a_limit_of_zero_is_a_limit() -> None:
    rules = read_rules("[USD]\nask_above = 0\nask_above_a_day = 0\nrefuse_above_a_day = 0")
    assert said(decide(rules, usd("0.01"), NOTHING)) == (Deny, "refuse_above_a_day")


def test_one_currency_is_not_spent_from_another() -> None:
    rules = read_rules(FOUR + '[JPY]\nask_above = "5000"\nask_above_a_day = "5000"\n')
    yen = Money.parse(5000, "JPY")
    assert isinstance(decide(rules, yen, History(Money.parse(0, "JPY"))), Allow)
    assert said(decide(rules, yen + Money.parse(1, "JPY"), History(Money.parse(0, "JPY")))) == (Ask, "ask_above")


def test_to_decide_changes_nothing() -> None:
    rules, history = read_rules(FOUR), History(usd("70"))
    assert decide(rules, usd("50"), history) == decide(rules, usd("50"), history)
    assert rules == read_rules(FOUR)


WRONG = {
    "not TOML": ("= 5", "not valid TOML.*line 1"),
    "a table cut off": ("[USD", "not valid TOML"),
    "the same key twice": ("[USD]\nask_above = 1\nask_above = 2", "not valid TOML"),
    "an unknown key": ('[USD]\nask_abov = "5"', r"USD\.ask_abov"),
    "no currency": ('ask_above = "5"', "ask_above"),
    "a currency in small letters": ('[usd]\nask_above = "5"', "usd"),
    "no amount": ('[USD]\nask_above = "lots"', r"USD\.ask_above"),
    "a truth value": ("[USD]\nask_above = true", r"USD\.ask_above"),
    "less than nothing": ("[USD]\nrefuse_above = -1", r"USD\.refuse_above"),
    "no end": ("[USD]\nrefuse_above_a_day = inf", r"USD\.refuse_above_a_day"),
    "no number": ("[GBP]\nask_above_a_day = nan", r"GBP\.ask_above_a_day"),
    "a list": ("USD = [1]", "USD"),
    "an order that contradicts": ("[USD]\nask_above = 2\nrefuse_above = 1", r"USD\.ask_above is above refuse_above\."),
    "a day that contradicts": (
        '[EUR]\nask_above_a_day = "2.01"\nrefuse_above_a_day = "2"',
        r"EUR\.ask_above_a_day is above refuse_above_a_day\.",
    ),
}


@pytest.mark.parametrize(("text", "place"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_refused_whole_and_the_place_is_named(text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s){place}.*No order is sent"):
        read_rules(text)


def test_limits_that_are_equal_do_not_contradict() -> None:
    assert read_rules("[USD]\nask_above = 1\nrefuse_above = 1").limits["USD"].refuse_above == 1


def test_an_amount_is_read_to_the_last_digit() -> None:
    rules = read_rules('[USD]\nask_above = 53.4\nask_above_a_day = "100000000000000000000.01"')
    assert rules.limits["USD"].ask_above == Decimal("53.4")
    assert rules.limits["USD"].ask_above_a_day == Decimal("100000000000000000000.01")


CENTS = st.integers(0, 40_000)
LIMIT = st.none() | CENTS.map(lambda cents: Decimal(cents) / 100)
LIMITS = st.builds(Limits, ask_above=LIMIT, ask_above_a_day=LIMIT, refuse_above=LIMIT, refuse_above_a_day=LIMIT)
# Hours pass, also backwards; so much is wished for; a person says yes or no; the order is placed, in doubt or refused.
ORDERS = st.lists(
    st.tuples(
        st.integers(-72, 48),
        CENTS,
        st.booleans(),
        st.sampled_from([State.PLACED, State.UNKNOWN, State.SENDING, State.NOT_PLACED]),
    ),
    min_size=1,
    max_size=12,
)


def within(amount: Decimal, limit: Decimal | None) -> bool:
    return limit is None or amount <= limit


async def ordered(limits: Limits, orders: list[tuple[int, int, bool, State]], directory: Path) -> None:
    """Order by the rules, each at a store of its own, and hold every order against the limits with sums of our own."""
    rules, clock, latest = Rules({"USD": limits}), Clock(), Clock().time
    counted: list[tuple[datetime, Decimal]] = []
    journal = await Journal.open(
        directory / "journal.sqlite3", Kept(), environment="simulator", shopper="local", now=clock
    )
    async with journal:
        for number, (hours, cents, says_yes, ends) in enumerate(orders):
            clock.time += timedelta(hours=hours)
            latest = max(latest, clock.time)
            total = Money.from_minor(cents, "USD")
            draft = replace(DRAFT, store=f"s{number}.example", purchase_key=f"k{number}", cart_id=None, total=total)
            verdict = decide(rules, total, await journal.history(draft))
            if isinstance(verdict, Deny) or (isinstance(verdict, Ask) and not says_yes):
                continue
            begun = await journal.begin(f"att_{number}", draft, Permit(lambda _: None))
            if ends is not State.SENDING:
                await journal.end(begun.attempt, Outcome(ends))
            if ends is not State.NOT_PLACED:
                counted.append((latest, total.amount))
            day = sum((amount for at, amount in counted if at > latest - DAY), start=Decimal(0))
            day += total.amount if ends is State.NOT_PLACED else 0
            assert within(total.amount, limits.refuse_above)
            assert within(day, limits.refuse_above_a_day)
            if isinstance(verdict, Allow):
                assert limits.ask_above is not None
                assert limits.ask_above_a_day is not None
                assert within(total.amount, limits.ask_above)
                assert within(day, limits.ask_above_a_day)


@settings(max_examples=40, deadline=None)
@given(LIMITS, ORDERS)
def test_no_rules_and_no_orders_get_past_a_limit_whatever_the_clock_does(
    limits: Limits, orders: list[tuple[int, int, bool, State]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(ordered, limits, orders, Path(directory))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path, clock: Clock) -> AsyncIterator[Journal]:
    path = tmp_path / "journal.sqlite3"
    async with await Journal.open(path, Kept(), environment="simulator", shopper="local", now=clock) as opened:
        yield opened


async def tried(journal: Journal, number: int, outcome: Outcome | None, total: Money = DRAFT.total) -> None:
    """An attempt at a store of its own, and how it ended."""
    draft = replace(DRAFT, store=f"s{number}.example", purchase_key=f"k{number}", cart_id=None, total=total)
    begun = await journal.begin(f"att_{number}", draft, Permit(lambda _: None))
    if outcome is not None:
        await journal.end(begun.attempt, outcome)


async def spent(journal: Journal, currency: str = "USD") -> str:
    new = replace(DRAFT, store="new.example", total=Money.parse(1, currency))
    return (await journal.history(new)).spent_today.plain


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (None, "53.40"),
        (Outcome(State.UNKNOWN), "53.40"),
        (Outcome(State.PLACED, order_number="1"), "53.40"),
        (Outcome(State.PLACED, order_number="1", charged=usd("60")), "60.00"),
        (Outcome(State.PLACED, order_number="1", charged=usd("50")), "50.00"),
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
    await tried(journal, 1, Outcome(State.PLACED, order_number="1", charged=Money.parse(70, "GBP")))
    assert await spent(journal) == "53.40"
    assert await spent(journal, "GBP") == "70.00"


@pytest.mark.anyio
async def test_what_was_spent_counts_for_24_hours(journal: Journal, clock: Clock) -> None:
    await tried(journal, 1, Outcome(State.PLACED, order_number="1"))
    clock.time += DAY - timedelta(microseconds=1)
    assert await spent(journal) == "53.40"
    clock.time += timedelta(microseconds=1)
    assert await spent(journal) == "0.00"


@pytest.mark.anyio
async def test_a_clock_that_is_set_back_makes_no_room(journal: Journal, clock: Clock) -> None:
    await tried(journal, 1, None)
    clock.time -= timedelta(days=30)
    assert await spent(journal) == "53.40"
    await tried(journal, 2, None)
    assert await spent(journal) == "106.80"


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
    await tried(journal, 1, Outcome(State.UNKNOWN))
    await tried(journal, 2, None)
    here = replace(DRAFT, store="s1.example")
    assert (await journal.history(here)).doubts == 1
    assert (await journal.history(DRAFT)).doubts == 0


@pytest.mark.anyio
async def test_of_two_orders_that_pass_a_limit_together_the_second_is_refused_as_it_is_written(
    journal: Journal,
) -> None:
    rules = read_rules('[USD]\nrefuse_above_a_day = "106.79"')
    seen: list[str] = []

    def check(history: History) -> None:
        seen.append(history.spent_today.plain)
        if isinstance(verdict := decide(rules, DRAFT.total, history), Deny):
            raise RuleDenied(verdict.reason, rule=verdict.rule)

    drafts = [replace(DRAFT, store=f"s{n}.example", purchase_key=f"k{n}", cart_id=None) for n in (1, 2)]
    assert (await journal.begin("att_1", drafts[0], Permit(check))).is_new
    with pytest.raises(RuleDenied) as caught:
        await journal.begin("att_2", drafts[1], Permit(check))
    assert caught.value.rule == "refuse_above_a_day"
    assert seen == ["0.00", "53.40"]
    assert await journal.attempt("att_2") is None
