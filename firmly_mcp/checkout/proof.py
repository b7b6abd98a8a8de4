"""What the answer to an order request proves.

Never "not placed" unless proven, never "placed" without an order number.
"""

from __future__ import annotations

from firmly_mcp.api.models import Cart
from firmly_mcp.api.refusals import proves_not_placed
from firmly_mcp.errors import FirmlyError, NotAllowed, SettingsError, StoreError, Unreachable
from firmly_mcp.store_text import clean

from .attempts import Outcome, State


def outcome_of_error(error: FirmlyError) -> Outcome:
    """`not_placed` where nothing was sent, or for a refusal of the closed table; else `unknown`."""
    unsent = isinstance(error, Unreachable | NotAllowed | SettingsError)
    proven = unsent or (isinstance(error, StoreError) and proves_not_placed(error))
    name = error.name if isinstance(error, StoreError) else error.code
    return Outcome(State.NOT_PLACED if proven else State.UNKNOWN, reason=error.message, error_name=clean(name, 60))


def outcome_of_answer(order: Cart | None) -> Outcome:
    """`placed` for an order or a submitted cart with the store's order number; else `unknown`, whatever the status."""
    number = clean(order.platform_order_number, 80) if order is not None else ""
    if order is None or not number:
        return Outcome(State.UNKNOWN, reason="the answer held no order number, so it proves nothing")
    return Outcome(State.PLACED, order_number=number, charged=order.total, cart_id=order.cart_id)
