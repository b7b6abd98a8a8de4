"""What nobody accepted can only make rules stricter, whatever it says and whatever was accepted before."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.checkout.policy.acceptance import RULES, Policy, Standing, in_force
from firmly_mcp.checkout.policy.evaluate import RuleResult, decide, pin_required
from firmly_mcp.checkout.policy.rules import CurrencyRules, Rules
from firmly_mcp.errors import SettingsError

from .test_evaluate import MUCH, history, order, usd

COMMAND = "firmly-mcp rules accept"
amounts = st.one_of(st.none(), st.integers(0, 30).map(Decimal))
limits = st.fixed_dictionaries(
    dict.fromkeys(("ask_above", "ask_above_a_day", "refuse_above", "refuse_above_a_day", "pin_above"), amounts)
)
written_rules = st.builds(lambda fields: Rules(limits={"USD": CurrencyRules(**fields)}), limits)

STRICTNESS = ("allow", "ask", "refuse")


def standing(declared: str, *unaccepted: str, before: str | None = None) -> Standing:
    return Standing({RULES: declared}, unaccepted, {} if before is None else {RULES: before})


def said(rules: Policy, total: int = 20) -> RuleResult:
    return rules.decide(order(total), history())


@given(written=written_rules, before=st.none() | written_rules, total=st.integers(0, 40))
def test_what_is_not_accepted_is_never_looser_than_any_of_the_two_and_never_allows(
    written: Rules, before: Rules | None, total: int
) -> None:
    verdict = said(Policy(written, "not accepted.", before), total)
    assert verdict.verdict != "allow"
    for rules in (written, before):
        if rules is not None:
            alone = decide(rules, order(total), history())
            assert STRICTNESS.index(verdict.verdict) >= STRICTNESS.index(alone.verdict)
    assert Policy(written, "not accepted.", before).pin_required(lambda each: pin_required(each, usd(total)))


@given(written=written_rules, total=st.integers(0, 40))
def test_what_is_accepted_counts_as_it_is_written(written: Rules, total: int) -> None:
    assert said(Policy(written), total) == decide(written, order(total), history())
    waived = Policy(written).pin_required(lambda each: pin_required(each, usd(total)))
    assert waived == pin_required(written, usd(total))


def test_an_order_that_would_be_allowed_is_asked_about_and_the_command_is_told() -> None:
    verdict = said(in_force(standing(MUCH, RULES), COMMAND))
    assert verdict.verdict == "ask"
    assert (verdict.rule, "your rules" in verdict.reason, f"`{COMMAND}`" in verdict.reason) == (
        "unaccepted",
        True,
        True,
    )


def test_what_is_asked_or_refused_anyway_keeps_its_own_reason() -> None:
    little = '[USD]\nask_above = "1"\nask_above_a_day = "1"'
    assert said(in_force(standing(little, RULES), COMMAND)).rule == "USD.ask_above"
    refused = said(in_force(standing('[USD]\nrefuse_above = "1"', RULES, before=MUCH), COMMAND))
    assert refused.verdict == "refuse"
    assert COMMAND not in refused.reason


@pytest.mark.parametrize("name", ["cvv_command", "environment", "app_id"])
def test_a_setting_that_is_not_accepted_allows_nothing_either(name: str) -> None:
    verdict = said(in_force(standing(MUCH, name), COMMAND))
    assert verdict.verdict == "ask"
    assert name in verdict.reason
    assert "your rules" not in verdict.reason


def test_a_card_command_says_no_yes_and_leaves_the_rules_as_they_are() -> None:
    assert said(in_force(standing(MUCH, "card_command"), COMMAND)).verdict == "allow"


def test_rules_that_cannot_be_read_any_more_leave_no_earlier_refusals_and_those_now_must_be_readable() -> None:
    rules = in_force(standing(MUCH, RULES, before="[USD]\nno_such_rule = 1"), COMMAND)
    assert rules.before is None
    with pytest.raises(SettingsError):
        in_force(standing("[USD]\nno_such_rule = 1", RULES, before=MUCH), COMMAND)
