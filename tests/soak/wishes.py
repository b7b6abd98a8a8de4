"""What is bought. No two wishes are alike in store and quantity, so a charge, an attempt and a wish find each other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.merchants import merchants

# Stores of the first kind have variants that are named by their sku and need nothing but an address.
KINDS: Final = 4
SHOPS: Final = 12
PRICE: Final = 2200
ENDLESS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Aisle:
    """One variant of one store, of which there is no end."""

    store: str
    sku: str


@dataclass(frozen=True, slots=True)
class Wished:
    """So many of a store's variant, wished for once."""

    aisle: Aisle
    quantity: int

    @property
    def key(self) -> tuple[str, int]:
        """What a charge, an attempt and this have in common."""
        return self.aisle.store, self.quantity


def domains() -> list[str]:
    """The stores that are bought at."""
    return [merchant.domain for merchant in merchants(stores())[::KINDS]]


def stores() -> int:
    """How many stores the simulator needs for that."""
    return KINDS * (SHOPS - 1) + 1


def open_aisles(simulator: Simulator) -> list[Aisle]:
    """The variants that are bought, with their prices and stock set."""
    catalog = simulator.world.catalog
    aisles = [Aisle(store, catalog.shelf(store).products[0].variants[0].sku) for store in domains()]
    for aisle in aisles:
        restore(simulator, aisle)
    return aisles


def restore(simulator: Simulator, aisle: Aisle) -> None:
    """Give a variant its price and stock back, and its store its terms."""
    simulator.set_price(aisle.store, aisle.sku, PRICE)
    simulator.set_stock(aisle.store, aisle.sku, ENDLESS)
    simulator.world.terms.change(aisle.store, tax_added=0, shipping_added=0, currency="USD")
    simulator.world.state.commit()


def cents(amount: str | Decimal | None) -> int | None:
    """An amount in major units of a currency with two digits, in cents."""
    return None if amount is None else int(Decimal(amount) * 100)


def amount_of(view: Any) -> Decimal | None:
    """The amount of a money view; None where there is none."""
    return Decimal(view["amount"]) if isinstance(view, dict) and "amount" in view else None
