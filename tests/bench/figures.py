"""Seconds as they are told."""

from __future__ import annotations

from collections.abc import Sequence


def ms(seconds: float) -> float:
    """Milliseconds, to the hundredth."""
    return round(seconds * 1000, 2)


def p99(seconds: Sequence[float]) -> float:
    """What one in a hundred is above."""
    return sorted(seconds)[int(len(seconds) * 0.99)]
