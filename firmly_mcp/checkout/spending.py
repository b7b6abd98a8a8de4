"""What the rules are asked about: an order as they see it, and what the journal says beside it. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from firmly_mcp.money import Money

Window = Literal["day", "week", "month"]
# Rolling, in UTC: neither a calendar's midnight nor a clock change makes room.
WINDOWS: Final[Mapping[Window, timedelta]] = {
    "day": timedelta(hours=24),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the rules see it.

    `quantities` has how many of each variant; none is not known, and no zero. `address_hash` is the keyed hash of where
    it goes; `known_address`: a person entered that address, or approved an order to it before. `repeat`: the same once
    more is wished for.
    """

    store: str
    total: Money
    card_label: str = ""
    quantities: tuple[int, ...] = ()
    tool: str = "complete_order"
    address_hash: str | None = None
    known_address: bool = False
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in each rolling window; an order in doubt counts, because it may be placed."""

    day: Money
    week: Money
    month: Money

    def within(self, window: Window) -> Money:
        """What was spent in one of the windows."""
        return {"day": self.day, "week": self.week, "month": self.month}[window]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the journal says beside a new order: in its currency, at its store, on its card, to its address.

    `now` is the journal's time. `store_since` and `address_since`: when the first order there was placed, if one was.
    `card_locked`: two payments with the card were declined within an hour, and no person has unlocked it since.
    """

    now: datetime
    spent: Spent
    at_store: Spent
    on_card: Spent
    doubts: int = 0
    store_since: datetime | None = None
    address_since: datetime | None = None
    card_locked: bool = False
