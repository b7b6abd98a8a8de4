"""An attempt: our record of trying to order, and the table of how it may move.

Never "failed" unless proven: an attempt ends as `placed` or `not_placed`, or stays `unknown` until a reading or a
person says how it ended. `placed` may follow any state, because an order that turns up in the store is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from firmly_mcp.errors import MoneyMoved
from firmly_mcp.money import Money


class State(StrEnum):
    """Where an attempt stands."""

    SENDING = "sending"
    PLACED = "placed"
    NOT_PLACED = "not_placed"
    UNKNOWN = "unknown"


LEGAL: Final[Mapping[State, frozenset[State]]] = {
    State.SENDING: frozenset({State.PLACED, State.NOT_PLACED, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.PLACED, State.NOT_PLACED}),
    State.NOT_PLACED: frozenset({State.PLACED}),
    State.PLACED: frozenset(),
}
IN_DOUBT: Final = frozenset({State.SENDING, State.UNKNOWN})
# Why an attempt is in the state in which a person ended it.
BY_A_PERSON: Final = "settled by a person"

MONEY_MOVED: Final[Mapping[State, MoneyMoved]] = {
    State.SENDING: "unknown",
    State.PLACED: "yes",
    State.NOT_PLACED: "no",
    State.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An attempt before it is written: what would be bought, from whom, for how much, with which card.

    `cart_id` is None where the store makes the cart (place-order). `purchase_key` and `digest` are `quote.Quote`'s;
    `intent_key` is the order intent's, where the call named items. `reference` is an operator's own id, which can join
    attempts and never separate them. `address_hash` is the keyed hash of where it goes.
    """

    store: str
    tool: str
    purchase_key: str
    digest: str
    cart_id: str | None
    total: Money
    lines: tuple[str, ...]
    card_label: str
    card_brand: str
    card_last_four: str
    reference: str | None = None
    address_hash: str | None = None
    intent_key: str | None = None

    @property
    def on_own_device(self) -> bool:
        """Whether it was sent from a device of its own, and not with the shopper's cart."""
        return self.tool == "place_order"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a send ended: the state, the store's order number, what it charged, or why not and what it said."""

    state: State
    order_number: str | None = None
    charged: Money | None = None
    reason: str = ""
    error_name: str = ""
    cart_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as the journal has it. `number` counts this journal's attempts from 1.

    After a person ended it, the store is read until `watched_until` all the same. `alarm` is a sentence to the person
    about a reading that contradicts what was recorded.
    """

    id: str
    number: int
    draft: Draft
    outcome: Outcome
    begun_at: datetime
    ended_at: datetime | None
    watched_until: datetime | None = None
    alarm: str = ""

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.outcome.state

    @property
    def money_moved(self) -> MoneyMoved:
        """What is known about the money: `no`, `yes` or `unknown`."""
        return MONEY_MOVED[self.state]

    @property
    def charge_differs(self) -> Literal["above", "below", ""]:
        """How the charge that a store states or a person types differs from what was approved; empty if not at all.

        Another currency is `above`: nothing shows that it is less.
        """
        charged, approved = self.outcome.charged, self.draft.total
        if charged is None or charged == approved:
            return ""
        return "below" if charged.currency == approved.currency and charged < approved else "above"
