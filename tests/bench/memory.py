"""Whether a server that works for long holds more and more."""

from __future__ import annotations

from typing import Final

from .market import LUMA, Market, called, fill, firmly

CALLS: Final = 10_000
# What is loaded and cached by the first calls is no growth.
WARM: Final = 1_000


def growth(at: Market) -> dict[str, float]:
    """Resident memory after 10,000 calls, as a share of what it was after the first thousand."""
    with firmly(at) as wire:
        fill(wire, at, LUMA)
        for _ in range(WARM):
            called(wire, "get_cart", {"store": LUMA})
        before = wire.resident()
        for _ in range(CALLS):
            called(wire, "get_cart", {"store": LUMA})
        after = wire.resident()
    return {"megabytes": round(after / 1e6, 1), "of_before": round(after / before, 3)}
