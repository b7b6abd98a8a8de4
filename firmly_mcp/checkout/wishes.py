"""What an order call asks for, in labels and refs. It costs nothing to import, and holds no price and no consent."""

from __future__ import annotations

from collections.abc import Mapping
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
