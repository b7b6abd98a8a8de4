"""No rules, no orders, no clock and no second program get past a limit; and rules have an answer to everything."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.checkout.journal.journal import Authorization, Journal
from firmly_mcp.checkout.models import Attempt, CardRef, Outcome, State
from firmly_mcp.checkout.policy.evaluate import WINDOWS, OrderFacts, SpendingHistory, Spent, decide, explain
from firmly_mcp.checkout.policy.rules import (
    AddressRules,
    CurrencyRules,
    HourRules,
    Limits,
    OrderRules,
    Rules,
    StoreRules,
)
from firmly_mcp.errors import NotAllowed, RuleDenied
from firmly_mcp.money import Money
from firmly_mcp.settings import Owner
from tests.checkout.journal.test_journal import DRAFT, Clock, Kept, permit

STORES = ("a.example", "b.example")
CARDS = ("Visa", "Other")
# Few amounts and one or two limits that are near them: most orders then meet one, and only a right sum holds it.
CENTS = st.sampled_from([999, 1000])
LIMIT = st.sampled_from([Decimal(10), Decimal("19.99"), Decimal(25)])
ONE = st.tuples(st.sampled_from(["all", "stores", "cards"]), st.sampled_from(list(Limits.model_fields)), LIMIT)
NAMED = {"stores": "a.example", "cards": "VISA"}


def table_of(written: list[tuple[str, str, Decimal]]) -> CurrencyRules:
    """Each of these limits in the currency's own table, or in that of a store or a card."""
    table: dict[str, Any] = {name: limit for place, name, limit in written if place == "all"}
    for group, named in NAMED.items():
        own = {name: limit for place, name, limit in written if place == group}
        table |= {group: {named: own}} if own else {}
    return CurrencyRules.model_validate(table)


TABLES = st.lists(ONE, min_size=1, max_size=2).map(table_of)


@dataclass(frozen=True)
class Try:
    """An order that a program makes, whether a person would say yes to it, and how it ends."""

    program: int
    cents: int
    store: str
    card: str
    says_yes: bool
    ends: State


TRY = st.builds(
    Try,
    st.integers(0, 1),
    CENTS,
    st.sampled_from(STORES),
    st.sampled_from(CARDS),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([*State, State.PLACED]),
)
# Hours pass, also backwards; then one order is made, or a few at once.
HOURS = st.sampled_from([0, 1, 20, 30, 160, 170, 700, -1, -30, -170, -730])
STEPS = st.lists(st.tuples(HOURS, st.lists(TRY, min_size=1, max_size=3)), min_size=3, max_size=8)


def asked(journal: Journal, rules: Rules, made: Try, draft: Attempt) -> Authorization:
    """The authorization of an order: by the rules alone, or by a person where they ask for one who says yes."""
    order = OrderFacts(store=draft.store, total=draft.total, card_label=draft.card_label, known_address=True)

    def check(history: SpendingHistory) -> None:
        # A doubt asks too, and is no limit.
        verdict = decide(rules, order, replace(history, doubts=0))
        if verdict.verdict == "refuse":
            raise RuleDenied(verdict.reason, rule=verdict.rule)
        if verdict.verdict == "ask" and not made.says_yes:
            raise NotAllowed(verdict.reason)

    return permit(check)


def sums(before: Sequence[Attempt], at: datetime, store: str | None, card: str | None) -> dict[str, Decimal]:
    """What was spent by then in each window, in all or at a store or on a card; added up here once more."""
    own = [a for a in before if store in {None, a.store} and card in {None, a.card_label}]
    return {
        window: sum((a.total.amount for a in own if a.begun_at > at - length), start=Decimal(0))
        for window, length in WINDOWS.items()
    }


def hold(limits: Limits, kind: str, total: Decimal, spent: dict[str, Decimal]) -> bool:
    """Whether every limit of a kind in a table holds with an order more."""
    most = [(getattr(limits, f"{kind}_above"), total)]
    most += [(getattr(limits, f"{kind}_above_a_{window}"), spent[window] + total) for window in WINDOWS]
    return all(limit is None or amount <= limit for limit, amount in most)


def judged(rules: CurrencyRules, attempt: Attempt, counted: Sequence[Attempt], *, by_a_person: bool) -> None:
    """Hold an attempt against every limit that speaks of it."""
    store, card = attempt.store, attempt.card_label
    tables: list[tuple[Limits, str | None, str | None]] = [(rules, None, None)]
    tables += [(limits, name, None) for name, limits in rules.stores.items() if name == store]
    tables += [(limits, None, card) for name, limits in rules.cards.items() if name.lower() == card.lower()]
    for limits, at_store, on_card in tables:
        spent = sums(counted, attempt.begun_at, at_store, on_card)
        assert hold(limits, "refuse", attempt.total.amount, spent)
        assert by_a_person or hold(limits, "ask", attempt.total.amount, spent)


async def ordered(limits: CurrencyRules, steps: list[tuple[int, list[Try]]], directory: Path) -> None:
    """Order by the rules from two programs at once, and hold every attempt against the limits."""
    rules, clock, number = Rules(limits={"USD": limits}), Clock(), 0
    counted: list[Attempt] = []
    newest = datetime.min.replace(tzinfo=UTC)
    owner = Owner("simulator", "local")
    path, kept = directory / "journal.sqlite3", Kept()
    async with (
        Journal(path, kept, owner=owner, now=clock) as one,
        Journal(path, kept, owner=owner, now=clock) as other,
    ):
        for hours, tries in steps:
            clock.time += timedelta(hours=hours)
            begun: list[tuple[Attempt, Try]] = []

            async def make(made: Try, attempt_id: str) -> None:
                journal = (one, other)[made.program]
                total = Money.from_minor(made.cents, "USD")
                draft = replace(DRAFT, purchase_key=attempt_id, cart_id=None, total=total)
                draft = replace(draft, store=made.store, card=CardRef(made.card, "visa", "1111"))
                try:
                    new = await journal.begin(replace(draft, id=attempt_id), asked(journal, rules, made, draft))
                except NotAllowed:
                    return
                begun.append((new, made))  # noqa: B023 - the group ends within the turn of the loop

            async with anyio.create_task_group() as tasks:
                for made in tries:
                    number += 1
                    tasks.start_soon(make, made, f"att_{number}")
            for attempt, made in sorted(begun, key=lambda pair: pair[0].number):
                newest = max(newest, clock.time)
                assert attempt.begun_at == newest
                judged(limits, attempt, counted, by_a_person=made.says_yes)
                counted.append(attempt)
            for attempt, made in begun:
                if made.ends is not State.SENDING:
                    await one.end(attempt, Outcome(made.ends))
                if made.ends is State.NOT_PLACED:
                    counted.remove(attempt)


@settings(max_examples=60, deadline=None)
@given(TABLES, STEPS)
def test_no_rules_and_no_orders_of_two_programs_get_past_a_limit_whatever_the_clock_does(
    limits: CurrencyRules, steps: list[tuple[int, list[Try]]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(ordered, limits, steps, Path(directory))


LENGTH = st.none() | st.timedeltas(timedelta(0), timedelta(days=400))
STORE_LIST = st.lists(st.sampled_from((*STORES, "c.example")), max_size=3).map(tuple)
RULES = st.builds(
    Rules,
    limits=st.dictionaries(st.sampled_from(["USD", "JPY"]), TABLES),
    stores=st.builds(
        StoreRules,
        allowed=st.none() | STORE_LIST,
        refused=STORE_LIST,
        without_asking=st.none() | STORE_LIST,
        cooling_off=LENGTH,
    ),
    addresses=st.builds(AddressRules, unknown=st.sampled_from(["ask", "refuse"]), cooling_off=LENGTH),
    orders=st.builds(OrderRules, largest_quantity=st.none() | st.integers(1, 9), place_order=st.booleans()),
    hours=st.none()
    | st.fixed_dictionaries(
        {
            "zone": st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati"]),
            "from": st.times(),
            "to": st.times(),
            "outside": st.sampled_from(["ask", "refuse"]),
        }
    ).map(HourRules.model_validate),
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))


@st.composite
def orders(draw: st.DrawFn) -> tuple[OrderFacts, SpendingHistory]:
    """Any order, and any history of its currency."""
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    money = st.decimals(0, 10**12, places=3).map(lambda amount: Money.parse(amount, currency))
    spent = st.builds(Spent, money, money, money)
    order = st.builds(
        OrderFacts,
        store=st.sampled_from(STORES),
        total=money,
        card_label=st.sampled_from((*CARDS, "", "Ma Carte ✨")),
        quantities=st.lists(st.integers(0, 10**6), max_size=3).map(tuple),
        tool=st.sampled_from(["complete_order", "place_order"]),
        address_hash=st.none() | st.just("a"),
        known_address=st.booleans(),
        repeat=st.booleans(),
    )
    history = st.builds(
        SpendingHistory,
        now=MOMENTS,
        spent=spent,
        at_store=spent,
        on_card=spent,
        doubts=st.integers(0, 3),
        store_since=st.none() | MOMENTS,
        address_since=st.none() | MOMENTS,
        card_locked=st.booleans(),
    )
    return draw(order), draw(history)


@settings(max_examples=200, deadline=None)
@given(RULES, orders())
def test_rules_have_one_answer_to_everything_and_the_explanation_shows_it(
    rules: Rules, asked_about: tuple[OrderFacts, SpendingHistory]
) -> None:
    verdict, steps = decide(rules, *asked_about), explain(rules, *asked_about)
    met = {step.verdict for step in steps}
    strictest = "refuse" if "refuse" in met else "ask" if "ask" in met else "allow"
    assert verdict.verdict == strictest
    assert (verdict.rule, verdict.reason) in {(step.rule, step.reason) for step in steps}


@settings(max_examples=100, deadline=None)
@given(orders())
def test_without_rules_everything_is_asked(asked_about: tuple[OrderFacts, SpendingHistory]) -> None:
    order, history = asked_about
    assert decide(Rules(), order, replace(history, card_locked=False)).verdict == "ask"
