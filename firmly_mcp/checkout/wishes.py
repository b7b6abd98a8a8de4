"""What an order call asks for, in labels and refs. It costs nothing to import, and holds no price and no consent."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """A variant by its `ref` (as search and product results print it) and how many of it."""

    ref: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Wish:
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
    def from_json(cls, kept: Mapping[str, Any]) -> Wish:
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
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.ref] += item.quantity
    return hashlib.sha256(json.dumps(sorted(wanted.items())).encode()).hexdigest()
