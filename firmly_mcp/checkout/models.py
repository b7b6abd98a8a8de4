"""What an order call asks for, in labels and refs. It costs nothing to import, and holds no price and no consent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from firmly_mcp.errors import MoneyMoved
from firmly_mcp.money import Money


class StoredText(Protocol):
    """One text that outlives the journal's file."""

    async def load(self) -> str | None:
        """What was saved last; None when nothing was."""

    async def save(self, text: str) -> None:
        """Keep a text, and read it back."""


@dataclass(frozen=True, slots=True)
class Item:
    """A variant by its `ref` (as search and product results print it) and how many of it."""

    ref: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What an order call asked for, in labels and refs: enough to ask Firmly for the price again.

    `items` is None where the shopper's own cart is meant. `repeat` asks for the same once more; `reference` is an
    operator's own id.
    """

    store: str
    items: tuple[Item, ...] | None = None
    address: str | None = None
    card: str | None = None
    repeat: bool = False
    reference: str | None = None

    @property
    def tool(self) -> str:
        """The tool that asks for it."""
        return "complete_order" if self.items is None else "place_order"

    @property
    def quantities(self) -> tuple[int, ...]:
        """How many of each variant the call names; none where it means the cart."""
        return tuple(_wanted(self.items or ()).values())

    @property
    def intent_key(self) -> str | None:
        """What finds attempts of the same items before anything is read; None where the cart says what is meant."""
        return None if self.items is None else intent_key(self.items)

    def to_json(self) -> dict[str, Any]:
        """As the journal keeps it."""
        items = None if self.items is None else [[item.ref, item.quantity] for item in self.items]
        return {
            "store": self.store,
            "items": items,
            "address": self.address,
            "card": self.card,
            "repeat": self.repeat,
            "reference": self.reference,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> OrderIntent:
        """From that form."""
        items = kept["items"]
        return cls(
            store=kept["store"],
            items=None if items is None else tuple(Item(ref, quantity) for ref, quantity in items),
            address=kept["address"],
            card=kept["card"],
            repeat=kept["repeat"],
            reference=kept["reference"],
        )


def intent_key(items: Sequence[Item]) -> str:
    """A digest of what items name: refs with quantities, in no order; equal refs are one."""
    return hashlib.sha256(json.dumps(sorted(_wanted(items).items())).encode()).hexdigest()


def _wanted(items: Sequence[Item]) -> Mapping[str, int]:
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.ref] += item.quantity
    return wanted


# An attempt: our record of trying to order, and the table of how it may move.


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
class CardRef:
    """A card as a person knows it: the label they gave it, its brand, its last four digits."""

    label: str
    brand: str
    last_four: str

    def __str__(self) -> str:
        return f"{self.label}, {self.brand} ending {self.last_four}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a send ended: the state, the store's order number, what it charged, or why not and what it said."""

    state: State
    order_number: str | None = None
    charged: Money | None = None
    reason: str = ""
    error_name: str = ""
    cart_id: str | None = None


_SENDING: Final = Outcome(State.SENDING)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to order, as the journal records it. `number` counts a journal's attempts from 1.

    `cart_id` is None where the store makes the cart (place-order). `purchase_key` and `digest` are the quote's,
    `intent_key` is the order intent's where the call named items. `reference` is an operator's own id, which can join
    attempts and never separate them. `address_hash` is the keyed hash of the shipping address.

    After a person ended it, the store is read until `watched_until` all the same. `alarm` is a sentence to the person
    about a reading that contradicts what was recorded. `is_new`: the call at hand began it, and did not find it.

    Before it is written it has no number, time or outcome.
    """

    id: str
    number: int = 0
    store: str
    tool: str
    purchase_key: str
    digest: str
    cart_id: str | None
    total: Money
    lines: tuple[str, ...]
    card: CardRef
    reference: str | None = None
    address_hash: str | None = None
    intent_key: str | None = None
    outcome: Outcome = _SENDING
    begun_at: datetime = _NEVER
    ended_at: datetime | None = None
    watched_until: datetime | None = None
    alarm: str = ""
    is_new: bool = field(default=False, compare=False)

    @property
    def card_label(self) -> str:
        """The label of the card that pays."""
        return self.card.label

    @property
    def on_own_device(self) -> bool:
        """Whether it was sent from a device of its own, and not with the shopper's cart."""
        return self.tool == "place_order"

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.outcome.state

    @property
    def money_moved(self) -> MoneyMoved:
        """What is known about the money: `no`, `yes` or `unknown`."""
        return MONEY_MOVED[self.state]


# An approval: what one person is asked about one quote.


class ApprovalStatus(StrEnum):
    """The status of an approval. An open one past its time has expired."""

    OPEN = "open"
    USED = "used"
    DECLINED = "declined"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request to a person: for which intent, at which total, which rule asks and why.

    It is bound to one quote by its digest, has one answer, is used once, and expires. It holds no address and no card
    number, only labels.
    """

    id: str
    intent: OrderIntent
    digest: str
    total: Money
    lines: tuple[str, ...]
    card: CardRef | None = None
    rule: str
    reason: str
    status: ApprovalStatus
    asked_at: datetime
    expires_at: datetime

    @property
    def store(self) -> str:
        """The merchant's domain."""
        return self.intent.store

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be answered."""
        return self.status is ApprovalStatus.OPEN and now < self.expires_at


# The progress of one attempt, for every call and page that follows it.

# More steps than any order has; a stream that never ends must not fill the memory.
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One thing that happened, in plain words, and what is known about the money at that moment."""

    name: str
    words: str
    money_moved: MoneyMoved = "no"


class ProgressLog:
    """An append-only list of steps that any number of readers follow. `expected` is how many there will be, roughly."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self._steps: list[ProgressEvent] = []
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def steps(self) -> tuple[ProgressEvent, ...]:
        """What happened so far."""
        return tuple(self._steps)

    @property
    def ended(self) -> bool:
        """Whether the last step is in."""
        return self._ended

    def add(self, step: ProgressEvent) -> None:
        """Tell the readers; past the bound, further steps are not told."""
        if len(self._steps) < _MOST_STEPS:
            self._steps.append(step)
            self._wake()

    def end(self) -> None:
        """Say that no more steps follow."""
        self._ended = True
        self._wake()

    async def more_than(self, told: int) -> None:
        """Wait until there are more than `told` steps, or the feed has ended."""
        while len(self._steps) <= told and not self._ended:
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


# What a person must know of an order that is there, though it was recorded as not placed.

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
