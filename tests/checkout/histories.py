"""The history that the rules read of someone who never bought anything."""

from __future__ import annotations

from datetime import datetime

from firmly_mcp.checkout.policy.evaluate import SpendingHistory, Spent
from firmly_mcp.money import Money


def no_history(currency: str, now: datetime) -> SpendingHistory:
    zero = Money.parse(0, currency)
    none = Spent(zero, zero, zero)
    return SpendingHistory(now=now, spent=none, at_store=none, on_card=none)
