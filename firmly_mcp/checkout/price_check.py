"""The last read of the price before an order is sent, compared with what was approved, and its age.

A check older than a second is made again. A store that needs longer for an answer can never give a younger one: there
the check is made a few times, and the last one counts if its answer came within the last second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmly_mcp.api.locks import CartLock
from firmly_mcp.errors import QuoteChanged

from .quote import Quote, quote, rises
from .requests import OrderRequest

# In seconds.
FRESH: Final = 1.0
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """A quote that rose above nothing that was approved; when the store was asked for it, and when it had answered."""

    quote: Quote
    asked_at: float
    answered_at: float


def seconds_passed() -> float:
    """Return the seconds since some moment, by a clock that goes on while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        # Unlike `time.monotonic`, which stands still in sleep.
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


async def checked(
    purchase: OrderRequest, approved: Quote, hold: CartLock | None, clock: Callable[[], float]
) -> PriceCheck:
    """Read the cart again, and compare every term.

    Raises:
        QuoteChanged: the price rose, or a term is another.
    """
    asked_at = clock()
    cart = await purchase.price_again(hold)
    now = quote(purchase.store, cart, approved.payer)
    if difference := rises(approved, now):
        raise QuoteChanged("The price or a term changed right before paying. Nothing was sent.", difference=difference)
    return PriceCheck(now, asked_at, clock())


async def renewed(
    check: PriceCheck, purchase: OrderRequest, hold: CartLock | None, clock: Callable[[], float]
) -> PriceCheck:
    """Return the check, made again while it is older than a second.

    Raises:
        QuoteChanged: the price or a term moved since the check.
    """
    for _ in range(_TRIES):
        if clock() - check.asked_at <= FRESH:
            break
        check = await checked(purchase, check.quote, hold, clock)
    return check


def is_too_old(check: PriceCheck, clock: Callable[[], float]) -> bool:
    """Whether nothing may be sent on this check."""
    return clock() - check.answered_at > FRESH
