"""A charge that is not what was approved is named with both amounts, wherever an attempt is shown."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firmly_mcp.checkout.models import Attempt, Outcome, State
from firmly_mcp.checkout.text import charge_note
from firmly_mcp.cli.approve import _outcome
from firmly_mcp.money import Money
from firmly_mcp.pages.approval_view import outcome_of
from firmly_mcp.server.views.orders import OrderView
from tests.checkout.journal.test_journal import DRAFT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def attempt(charged: Money | None) -> Attempt:
    """A placed attempt of 53.40 USD for which the store states this charge."""
    outcome = Outcome(State.PLACED, order_number="1", charged=charged)
    return replace(DRAFT, number=1, outcome=outcome, begun_at=NOW, ended_at=NOW)


@pytest.mark.parametrize(
    ("amount", "currency", "on_the_page"),
    [
        ("60", "USD", "$60.00"),
        ("50", "USD", "$50.00"),
        ("0", "USD", "$0.00"),
        ("-100", "USD", "\N{MINUS SIGN}$100.00"),
        ("50", "GBP", "£50.00"),
    ],
)
def test_a_charge_that_differs_is_named_with_both_amounts(amount: str, currency: str, on_the_page: str) -> None:
    charged = Money.parse(amount, currency)
    (warning,) = OrderView.of(attempt(charged), environment="sandbox", joined=False).warnings
    assert f"charged {charged}; what was approved was 53.40 USD." in warning
    assert ("Limits count 53.40 USD." in warning) == (currency == "USD" and amount != "60")
    page = outcome_of(attempt(charged), is_new=True)
    assert page is not None
    assert page.warning.startswith(f"You approved $53.40: the store charged {on_the_page}. ")
    assert "You approved 53.40 USD: " in _outcome(attempt(charged))


@pytest.mark.parametrize("charged", [None, Money.parse("53.4", "USD")])
def test_a_charge_that_is_what_was_approved_needs_no_warning(charged: Money | None) -> None:
    assert not OrderView.of(attempt(charged), environment="sandbox", joined=False).warnings
    page = outcome_of(attempt(charged), is_new=True)
    assert page is not None
    assert not page.warning
    assert "approved" not in _outcome(attempt(charged))


def test_the_terminal_says_that_another_currency_was_charged() -> None:
    # The number alone may be what was approved, and 53.40 GBP is not 53.40 USD.
    assert _outcome(attempt(Money.parse("53.4", "GBP"))).endswith(
        "Charged: 53.40 GBP. You approved 53.40 USD: the store charged another currency. Ask the store why."
    )


def test_what_was_charged_differs_in_one_of_four_ways() -> None:
    charges = {"60 USD": "more", "50 USD": "less", "53.4 GBP": "currency"}
    for charge, difference in charges.items():
        note = charge_note(attempt(Money.parse(*charge.split())))
        assert note is not None
        assert note.difference == difference
    unknown = charge_note(attempt(None))
    assert unknown is not None
    assert unknown.difference == "not_known"
    assert charge_note(attempt(Money.parse("53.4", "USD"))) is None
    sent = attempt(None)
    assert charge_note(replace(sent, outcome=Outcome(State.UNKNOWN))) is None
