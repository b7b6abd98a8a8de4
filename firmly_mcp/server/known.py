"""What this shopper has had to do with: stores with a cart or an order, and the latest attempts to order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from firmly_mcp.store_text import clean

if TYPE_CHECKING:
    from firmly_mcp.checkout.attempts import Attempt
    from firmly_mcp.services import Services

_LATEST: Final = 50


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A store, whether its cart has something in it, and how many of the latest attempts were there."""

    store: str
    has_cart: bool
    attempts: int


async def known_stores(services: Services) -> list[KnownStore]:
    """The stores, those with a cart first."""
    firmly = await services.firmly()
    with_cart = [clean(store, 253) for store in await firmly.get_active_domains()]
    ordered = [attempt.draft.store for attempt in await latest_attempts(services)]
    names = dict.fromkeys((*with_cart, *ordered))
    return [KnownStore(store, store in with_cart, ordered.count(store)) for store in names if store]


async def latest_attempts(services: Services) -> Sequence[Attempt]:
    """The latest attempts, newest first."""
    return await (await services.placement()).attempts(limit=_LATEST)
