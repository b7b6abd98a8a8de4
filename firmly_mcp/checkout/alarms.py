"""What a person must know of an order that is there, though it was recorded as not placed."""

from __future__ import annotations

import re
from typing import Final

from .attempts import BY_A_PERSON, Attempt, Outcome, State

# An order number is the store's text: one that is more than a number stands in its own field, and in no sentence.
_PLAIN_NUMBER: Final = re.compile(r"[A-Za-z0-9#][A-Za-z0-9#/_.-]{0,39}")


def contradicts(recorded: Attempt, outcome: Outcome) -> bool:
    """Whether an outcome shows an order where none was recorded. A person may correct their own word."""
    was_refused = recorded.state is State.NOT_PLACED and outcome.state is State.PLACED
    return was_refused and outcome.reason != BY_A_PERSON


def contradiction(recorded: Attempt, outcome: Outcome) -> str:
    """Return the sentence about an outcome that contradicts what was recorded."""
    by_whom = "You ended this order" if recorded.outcome.reason == BY_A_PERSON else "This order was recorded"
    number = plain_number(outcome.order_number)
    return (
        f"{by_whom} as not placed, but the store has it: {f'order {number}, ' if number else ''}charged "
        f"{outcome.charged or 'an amount that is not known'}. Ask the store if you do not want it."
    )


def plain_number(order_number: str | None) -> str:
    """An order number that may stand in a sentence of ours; empty where there is none, or it holds more."""
    return order_number if order_number is not None and _PLAIN_NUMBER.fullmatch(order_number) else ""
