"""What rules say of an order: each rule at its edge, refusing before asking before allowing, named as in the file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firmly_mcp.checkout.policy.evaluate import (
    OrderFacts,
    RuleResult,
    SpendingHistory,
    Spent,
    decide,
    explain,
    pin_required,
)
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.checkout.policy.rules import Rules
from firmly_mcp.money import Money
from tests.checkout.histories import no_history

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STORE = "luma.gift"
FOUR = """
[USD]
ask_above = "50"
ask_above_a_day = "120"
refuse_above = "100"
refuse_above_a_day = "200"
"""
MUCH = '[USD]\nask_above = "1000"\nask_above_a_day = "5000"\n'


def usd(amount: str | int) -> Money:
    return Money.parse(amount, "USD")


def order(amount: str | int = 1, **facts: Any) -> OrderFacts:
    usual = OrderFacts(store=STORE, total=usd(amount), card_label="Visa", quantities=(1,), known_address=True)
    return replace(usual, **facts)


def spent(day: str | int = 0, week: str | int = 0, month: str | int = 0) -> Spent:
    return Spent(usd(day), usd(week), usd(month))


def history(**facts: Any) -> SpendingHistory:
    return replace(no_history("USD", NOON), **facts)


def said(verdict: RuleResult) -> tuple[str, str]:
    return verdict.verdict, verdict.rule


# An order of so much after so much was spent in the day: just below, at and just above each limit.
TABLE: list[tuple[str, str, str, str]] = [
    ("49.99", "0", "allow", "ask_above"),
    ("50", "0", "allow", "ask_above"),
    ("50.01", "0", "ask", "ask_above"),
    ("50", "69.99", "allow", "ask_above"),
    ("50", "70", "allow", "ask_above"),
    ("50", "70.01", "ask", "ask_above_a_day"),
    ("50.01", "70", "ask", "ask_above"),
    ("99.99", "0", "ask", "ask_above"),
    ("100", "0", "ask", "ask_above"),
    ("100.01", "0", "refuse", "refuse_above"),
    ("100", "99.99", "ask", "ask_above"),
    ("100", "100", "ask", "ask_above"),
    ("100", "100.01", "refuse", "refuse_above_a_day"),
    ("1", "199", "ask", "ask_above_a_day"),
    ("1", "199.01", "refuse", "refuse_above_a_day"),
    ("100.01", "200", "refuse", "refuse_above"),
]


@pytest.mark.parametrize(("total", "day", "verdict", "rule"), TABLE)
def test_each_limit_is_met_exactly_and_the_verdict_names_it(total: str, day: str, verdict: str, rule: str) -> None:
    found = decide(read_rules(FOUR), order(total), history(spent=spent(day, day, day)))
    assert said(found) == (verdict, f"USD.{rule}")


# An allowance that stands in one table, so that each limit can be tried in any other.
ALLOWED_BY = '[{}]\nask_above = "1000"\nask_above_a_day = "5000"\n'


@pytest.mark.parametrize("window", ["day", "week", "month"])
@pytest.mark.parametrize(
    ("table", "other", "about"),
    [
        ("USD", "USD.cards.Visa", "spent"),
        (f'USD.stores."{STORE}"', "USD", "at_store"),
        ("USD.cards.Visa", "USD", "on_card"),
    ],
)
@pytest.mark.parametrize("refused", [False, True])
def test_each_window_is_counted_in_all_at_each_store_and_on_each_card(
    window: str, table: str, other: str, about: str, *, refused: bool
) -> None:
    limit = f"{'refuse' if refused else 'ask'}_above_a_{window}"
    rules = read_rules(f"{ALLOWED_BY.format(other)}[{table}]\n{limit} = 100")
    at_the_limit, above = history(**{about: spent(**{window: 99})}), history(**{about: spent(**{window: "99.01"})})
    assert decide(rules, order(1), at_the_limit).verdict == "allow"
    assert said(decide(rules, order(1), above)) == ("refuse" if refused else "ask", f"{table}.{limit}")


@pytest.mark.parametrize("table", [f'USD.stores."{STORE}"', "USD.cards.visa"])
@pytest.mark.parametrize(("kind", "verdict"), [("ask", "ask"), ("refuse", "refuse")])
def test_a_store_and_a_card_may_have_a_limit_for_one_order_of_their_own(table: str, kind: str, verdict: str) -> None:
    rules = read_rules(MUCH + f'[{table}]\n{kind}_above = "10"')
    assert decide(rules, order(10), history()).verdict == "allow"
    assert said(decide(rules, order("10.01"), history())) == (verdict, f"{table}.{kind}_above")
    elsewhere = order("10.01", store="other.example", card_label="Other")
    assert decide(rules, elsewhere, history()).verdict == "allow"


def test_a_store_and_a_card_lift_no_limit_of_the_currency() -> None:
    generous = 'ask_above = "900"\nask_above_a_day = "900"\nrefuse_above = "900"\n'
    rules = read_rules(FOUR + f'[USD.stores."{STORE}"]\n{generous}[USD.cards.Visa]\n{generous}')
    assert said(decide(rules, order("50.01"), history())) == ("ask", "USD.ask_above")
    assert said(decide(rules, order("100.01"), history())) == ("refuse", "USD.refuse_above")


def test_small_amounts_may_go_unasked_at_named_stores_only() -> None:
    rules = read_rules(f'[USD]\nask_above_a_day = "60"\n[USD.stores."{STORE}"]\nask_above = "40"')
    assert said(decide(rules, order(40), history())) == ("allow", f'USD.stores."{STORE}".ask_above')
    assert said(decide(rules, order(1, store="other.example"), history())) == ("ask", "no_limit")
    assert said(decide(rules, order(40), history(spent=spent(21, 21, 21)))) == ("ask", "USD.ask_above_a_day")


def test_a_reason_says_both_amounts_and_where() -> None:
    rules = read_rules(FOUR + f'[USD.stores."{STORE}"]\nrefuse_above_a_week = "90"')
    assert decide(rules, order("100.01"), history()).reason == (
        "100.01 USD is above the 100 that your rules set for one order."
    )
    assert decide(rules, order(1), history(at_store=spent(0, 90, 90))).reason == (
        "With it, 91.00 USD in 7 days at luma.gift is above the 90 that your rules set."
    )


@pytest.mark.parametrize(("doubts", "repeat", "rule"), [(1, False, "doubt"), (0, True, "repeat"), (2, True, "doubt")])
def test_a_doubt_and_a_repeat_ask_though_the_limits_allow(doubts: int, *, repeat: bool, rule: str) -> None:
    assert said(decide(read_rules(MUCH), order(repeat=repeat), history(doubts=doubts))) == ("ask", rule)


def test_a_refusal_is_a_refusal_also_where_there_is_much_to_ask() -> None:
    found = decide(read_rules(FOUR), order(101, repeat=True, known_address=False), history(doubts=1))
    assert said(found) == ("refuse", "USD.refuse_above")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[EUR]\nask_above = 1000\nask_above_a_day = 1000",
        "[USD]",
        "[USD]\nask_above = 1000",
        "[USD]\nask_above_a_day = 1000",
        "[USD]\nrefuse_above = 1000",
        '[USD.stores."other.example"]\nask_above = 1000\nask_above_a_day = 1000',
        "[USD.cards.Other]\nask_above = 1000\nask_above_a_day = 1000",
    ],
)
def test_what_no_limit_for_one_order_and_over_time_allows_is_asked(text: str) -> None:
    assert said(decide(read_rules(text), order("0.01"), history())) == ("ask", "no_limit")


@pytest.mark.parametrize("window", ["day", "week", "month"])
def test_a_limit_over_any_time_is_one(window: str) -> None:
    rules = read_rules(f"[USD]\nask_above = 1000\nask_above_a_{window} = 1000")
    assert decide(rules, order(), history()).verdict == "allow"


def test_a_limit_of_zero_is_a_limit() -> None:
    rules = read_rules("[USD]\nask_above = 0\nask_above_a_day = 0\nrefuse_above_a_day = 0")
    assert said(decide(rules, order("0.01"), history())) == ("refuse", "USD.refuse_above_a_day")


@pytest.mark.parametrize("total", ["0", "0.00", "-0"])
@pytest.mark.parametrize("text", ["", MUCH, FOUR, "[USD]\nask_above = 0\nask_above_a_day = 0", "[USD]\npin_above = 90"])
def test_a_total_of_zero_always_asks_and_takes_the_pin(text: str, total: str) -> None:
    rules = read_rules(text)
    assert said(decide(rules, order(total), history())) == ("ask", "zero_total")
    assert pin_required(rules, usd(total))


@pytest.mark.parametrize("total", ["-0.01", "-470.80"])
@pytest.mark.parametrize("text", ["", MUCH, "[USD]\npin_above = 90"])
def test_a_total_below_zero_is_refused(text: str, total: str) -> None:
    rules = read_rules(text)
    assert said(decide(rules, order(total), history(spent=spent(900, 900, 900)))) == ("refuse", "negative_total")
    assert pin_required(rules, usd(total))


@pytest.mark.parametrize("quantities", [(), (0,), (1, 0), (2, -5)])
def test_a_quantity_that_is_not_known_is_above_every_largest_quantity(quantities: tuple[int, ...]) -> None:
    rules = read_rules(MUCH + "[orders]\nlargest_quantity = 3")
    assert said(decide(rules, order(quantities=quantities), history())) == ("refuse", "orders.largest_quantity")


def test_an_order_of_which_only_the_price_is_known_is_asked_about() -> None:
    known = OrderFacts(store=STORE, total=usd(1))
    assert said(decide(read_rules(MUCH), known, history())) == ("ask", "addresses.unknown")


def test_one_currency_is_not_spent_from_another() -> None:
    rules = read_rules(FOUR + '[JPY]\nask_above = "5000"\nask_above_a_day = "5000"\n')
    none, yen = no_history("JPY", NOON), Money.parse(5000, "JPY")
    assert decide(rules, order(total=yen), none).verdict == "allow"
    assert said(decide(rules, order(total=yen + Money.parse(1, "JPY")), none)) == ("ask", "JPY.ask_above")


Case = tuple[OrderFacts, SpendingHistory]
# A condition, an order that it holds for, one that it does not, and what it then says.
CONDITIONS: dict[str, tuple[str, Case, Case, tuple[str, str]]] = {
    "a refused store": (
        '[stores]\nrefused = ["bad.example"]',
        (order(), history()),
        (order(store="bad.example"), history()),
        ("refuse", "stores.refused"),
    ),
    "a store that is not allowed": (
        f'[stores]\nallowed = ["{STORE}"]',
        (order(), history()),
        (order(store="other.example"), history()),
        ("refuse", "stores.allowed"),
    ),
    "a store that always asks": (
        f'[stores]\nwithout_asking = ["{STORE}"]',
        (order(), history()),
        (order(store="other.example"), history()),
        ("ask", "stores.without_asking"),
    ),
    "a store that is new": (
        '[stores]\ncooling_off = "24h"',
        (order(), history(store_since=NOON - timedelta(hours=24))),
        (order(), history(store_since=NOON - timedelta(hours=24, microseconds=-1))),
        ("ask", "stores.cooling_off"),
    ),
    "a store never used": (
        '[stores]\ncooling_off = "24h"',
        (order(), history(store_since=NOON - timedelta(days=9))),
        (order(), history()),
        ("ask", "stores.cooling_off"),
    ),
    "an address that is new": (
        '[addresses]\ncooling_off = "30m"',
        (order(address_hash="a"), history(address_since=NOON - timedelta(minutes=30))),
        (order(address_hash="a"), history(address_since=NOON)),
        ("ask", "addresses.cooling_off"),
    ),
    "an address never used": (
        '[addresses]\ncooling_off = "30m"',
        (order(address_hash="a"), history(address_since=NOON - timedelta(days=9))),
        (order(address_hash="a"), history()),
        ("ask", "addresses.cooling_off"),
    ),
    "an address that the store does not show": (
        '[addresses]\ncooling_off = "30m"',
        (order(address_hash="a"), history(address_since=NOON - timedelta(days=9))),
        (order(address_hash=None), history(address_since=NOON - timedelta(days=9))),
        ("ask", "addresses.cooling_off"),
    ),
    "an address that nobody entered": (
        "",
        (order(), history()),
        (order(known_address=False), history()),
        ("ask", "addresses.unknown"),
    ),
    "such an address refused": (
        '[addresses]\nunknown = "refuse"',
        (order(), history()),
        (order(known_address=False), history()),
        ("refuse", "addresses.unknown"),
    ),
    "too many of one thing": (
        "[orders]\nlargest_quantity = 3",
        (order(quantities=(3, 3, 1)), history()),
        (order(quantities=(1, 4)), history()),
        ("refuse", "orders.largest_quantity"),
    ),
    "place_order": (
        "[orders]\nplace_order = false",
        (order(), history()),
        (order(tool="place_order"), history()),
        ("refuse", "orders.place_order"),
    ),
    "a locked card": (
        "",
        (order(), history()),
        (order(), history(card_locked=True)),
        ("refuse", "card_locked"),
    ),
}


@pytest.mark.parametrize(("text", "fine", "bad", "answer"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_each_condition_says_no_or_asks_and_is_named(text: str, fine: Case, bad: Case, answer: tuple[str, str]) -> None:
    rules = read_rules(MUCH + text)
    assert decide(rules, *fine).verdict == "allow"
    assert said(decide(rules, *bad)) == answer
    assert decide(rules, *bad).reason.endswith(".")


def test_a_locked_card_says_the_command_that_unlocks_it() -> None:
    verdict = decide(Rules(), order(card_label="My Visa"), history(card_locked=True))
    assert "`firmly-mcp cards unlock 'My Visa'`" in verdict.reason


# A moment in UTC, and whether 08:00 to 22:00 in Berlin holds it. Clocks there changed on 2026-03-29 and 2026-10-25.
HOURS = [
    ("2026-11-21T07:00", True),
    ("2026-11-21T06:59", False),
    ("2026-11-21T20:59", True),
    ("2026-11-21T21:00", False),
    ("2026-03-28T06:59", False),
    ("2026-03-29T06:00", True),
    ("2026-03-29T05:59", False),
    ("2026-10-24T06:00", True),
    ("2026-10-25T06:59", False),
    ("2026-10-25T07:00", True),
]


@pytest.mark.parametrize(("moment", "within"), HOURS)
@pytest.mark.parametrize(("outside", "verdict"), [("ask", "ask"), ("refuse", "refuse")])
def test_hours_are_those_of_the_named_zone_summer_and_winter(
    moment: str, outside: str, verdict: str, *, within: bool
) -> None:
    zone = f'[hours]\nzone = "Europe/Berlin"\nfrom = "08:00"\nto = "22:00"\noutside = "{outside}"'
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    found = decide(read_rules(MUCH + zone), order(), history(now=now))
    assert found.verdict == "allow" if within else said(found) == (verdict, "hours")


@pytest.mark.parametrize(("moment", "within"), [("21:59", False), ("22:00", True), ("05:59", True), ("06:00", False)])
def test_hours_may_go_over_midnight(moment: str, *, within: bool) -> None:
    rules = read_rules(MUCH + '[hours]\nzone = "UTC"\nfrom = "22:00"\nto = "06:00"')
    now = datetime.fromisoformat(f"2026-11-21T{moment}").replace(tzinfo=UTC)
    assert (decide(rules, order(), history(now=now)).verdict == "allow") == within


def test_an_explanation_shows_every_rule_and_what_it_says_of_the_order() -> None:
    rules = read_rules(FOUR + f'[USD.stores."{STORE}"]\nask_above = "10"\n[stores]\nrefused = ["bad.example"]')
    steps = explain(rules, order(20), history(spent=spent(185, 185, 185), doubts=1))
    assert [(step.rule, step.verdict) for step in steps] == [
        ("card_locked", "holds"),
        ("stores.refused", "holds"),
        ("USD.refuse_above", "holds"),
        ("USD.refuse_above_a_day", "refuse"),
        ("doubt", "ask"),
        ("repeat", "holds"),
        ("addresses.unknown", "holds"),
        ("USD.ask_above", "holds"),
        (f'USD.stores."{STORE}".ask_above', "ask"),
        ("USD.ask_above_a_day", "ask"),
        (f'USD.stores."{STORE}".ask_above', "allow"),
    ]
    assert all(step.reason.endswith(".") for step in steps)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("", True),
        (MUCH, True),
        ("[USD]\npin_above = 19.99", True),
        ("[USD]\npin_above = 20", False),
        ("[EUR]\npin_above = 90", True),
    ],
)
def test_the_pin_is_waived_up_to_an_amount_that_the_rules_name_and_never_otherwise(text: str, *, needs: bool) -> None:
    assert pin_required(read_rules(text), usd(20)) == needs


def test_to_decide_changes_nothing() -> None:
    rules = read_rules(FOUR)
    assert decide(rules, order(50), history()) == decide(rules, order(50), history())
    assert rules == read_rules(FOUR)
