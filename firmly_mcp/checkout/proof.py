"""What the answer to an order request proves.

Never "not placed" unless proven, never "placed" without an order number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from firmly_mcp.api.error_codes import proves_not_placed
from firmly_mcp.api.models import Cart
from firmly_mcp.api.payments import StreamResult
from firmly_mcp.errors import FirmlyError, NotAllowed, SettingsError, StoreError, Unreachable
from firmly_mcp.untrusted import clean

from .models import Outcome, State

_NO_NUMBER: Final = "the answer held no order number, so it proves nothing"
_UNPROVEN_ERROR: Final = "The store reported an error, and that does not prove that nothing was ordered."
_ALSO_ERROR: Final = "The store reported an error as well. It confirmed the order, and that counts."
_TWO_NUMBERS: Final = (
    "The store confirmed two orders with different numbers. Check with the store whether the card was charged twice."
)


def outcome_of_error(error: FirmlyError) -> Outcome:
    """`not_placed` where nothing was sent, or for a refusal of the closed table; else `unknown`."""
    if isinstance(error, StoreError):
        proven = proves_not_placed(error)
        # The sentence of a refusal may state that nothing was charged.
        reason, name = error.message if proven else _UNPROVEN_ERROR, error.name
    else:
        proven = isinstance(error, Unreachable | NotAllowed | SettingsError)
        reason, name = error.message, error.code
    return Outcome(State.NOT_PLACED if proven else State.UNKNOWN, reason=reason, error_name=clean(name, 60))


def outcome_of_answer(answer: Cart | StreamResult | None) -> Outcome:
    """`placed` for an order or a submitted cart with the store's order number; else `unknown`, whatever the status.

    A stream proves more: `not_placed` where it ended properly with refusals and nothing else after the first of them.
    """
    if isinstance(answer, StreamResult):
        return _outcome_of_stream(answer)
    number = clean(answer.platform_order_number, 80) if answer is not None else ""
    if answer is None or not number:
        return Outcome(State.UNKNOWN, reason=_NO_NUMBER)
    return Outcome(State.PLACED, order_number=number, charged=answer.total, cart_id=answer.cart_id)


def _outcome_of_stream(stream: StreamResult) -> Outcome:
    name = clean(stream.error.name, 60) if stream.error is not None else ""
    if stream.order is not None:
        placed = outcome_of_answer(stream.order)
        reason = _TWO_NUMBERS if stream.another_number else _ALSO_ERROR if stream.error is not None else ""
        return replace(placed, reason=reason) if placed.state is State.PLACED else placed
    if stream.broken is not None:
        return Outcome(State.UNKNOWN, reason=stream.broken, error_name=name)
    if stream.error is None:
        return Outcome(State.UNKNOWN, reason=_NO_NUMBER)
    if not stream.only_refusals:
        return Outcome(State.UNKNOWN, reason=_UNPROVEN_ERROR, error_name=name)
    return outcome_of_error(stream.error)
