"""The spending rules, as pure functions: what an order may do without asking, what it must ask for, what it may not.

In order of precedence: refuse, then ask, then allow. Whatever no rule allows is asked. An order in doubt counts as
spent, because it may be.
"""

from __future__ import annotations

from typing import Final

from firmly_mcp.money import Money

from .conditions import asking, refusing
from .limits import about_amounts, allowance
from .spending import History as History
from .spending import Order as Order
from .verdicts import Allow as Allow
from .verdicts import Ask as Ask
from .verdicts import Deny as Deny
from .verdicts import Step as Step
from .verdicts import Verdict as Verdict
from .written_rules import Rules as Rules

_VERDICTS: Final[dict[str, type[Verdict]]] = {"refuse": Deny, "ask": Ask, "allow": Allow}


def decide(rules: Rules, order: Order, history: History) -> Verdict:
    """What the rules say of an order, at the history's time."""
    decisive = next(step for step in explain(rules, order, history) if step.verdict != "holds")
    return _VERDICTS[decisive.verdict](decisive.rule, decisive.reason)


def explain(rules: Rules, order: Order, history: History) -> tuple[Step, ...]:
    """Every rule that the order meets, in the order in which they are looked at: what refuses, what asks, what allows.

    The first that refuses decides; then the first that asks; the last one allows, or asks because nothing allows.
    """
    return (
        *refusing(rules, order, history),
        *about_amounts("refuse", rules, order, history),
        *asking(rules, order, history),
        *about_amounts("ask", rules, order, history),
        allowance(rules, order, history),
    )


def pin_required(rules: Rules, total: Money) -> bool:
    """Whether a yes to this total needs the PIN: it does, unless the rules let small amounts of the currency go.

    A total of zero is no small amount: it is what a store states where it states nothing.
    """
    limits = rules.limits.get(total.currency)
    return limits is None or limits.pin_above is None or not 0 < total.amount <= limits.pin_above
