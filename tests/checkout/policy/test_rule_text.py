"""Every rule has its words in one table, and what a model reads of it holds no amount."""

from pathlib import Path
from string import Formatter

import pytest

import firmly_mcp
from firmly_mcp.checkout.policy.rules import RULE_TEXT, AddressRules, CurrencyRules, OrderRules, StoreRules

REFERENCE = Path(firmly_mcp.__file__).parent / "docs" / "reference.md"
WRITTEN = {
    *(name for name in CurrencyRules.model_fields if "_a_" not in name and name not in {"stores", "cards"}),
    *(f"{name.partition('_a_')[0]}_a" for name in CurrencyRules.model_fields if "_a_" in name),
    *(f"stores.{name}" for name in StoreRules.model_fields),
    *(f"addresses.{name}" for name in AddressRules.model_fields),
    *(f"orders.{name}" for name in OrderRules.model_fields),
    "hours",
}


def test_every_rule_that_can_be_written_has_a_meaning() -> None:
    assert {rule for rule, text in RULE_TEXT.items() if text.means} == WRITTEN


def test_the_reference_names_every_rule_that_needs_no_line() -> None:
    _, _, rest = REFERENCE.read_text("utf-8").partition("Rules that need no line: ")
    paragraph, _, _ = rest.partition("\n\n")
    assert {rule for rule in RULE_TEXT if f"`{rule}`" in paragraph} == RULE_TEXT.keys() - WRITTEN


@pytest.mark.parametrize("rule", RULE_TEXT)
def test_what_a_model_reads_of_a_rule_holds_no_amount(rule: str) -> None:
    filled_in = {field for _, field, _, _ in Formatter().parse(RULE_TEXT[rule].model) if field}
    assert filled_in <= {"stores", "currency", "currencies"}
    assert not any(character.isdigit() for character in RULE_TEXT[rule].model)
