"""The line of figures, and what it means for the exit code."""

from __future__ import annotations

from .judge import Verdict
from .story import Told


def line(told: Told, verdict: Verdict, untold: int) -> str:
    """All figures in one line."""
    faults = ", ".join(f"{kind} {hits}" for kind, hits in sorted(told.faults.items()) if hits)
    parts = [
        f"purchases: {told.purchases}",
        f"kills: {told.kills}",
        f"faults: {sum(told.faults.values())} ({faults})",
        f"charges: {verdict.charges}",
        f"placed: {verdict.placed}",
        f"not placed: {verdict.not_placed}",
        f"unknown: {verdict.unknown}",
        f"settled later: {verdict.settled_later}",
        f"ended by a person: {verdict.by_a_person}",
        f"risen inside the payment: {verdict.risen} (told with both amounts: {verdict.risen - untold}; in doubt: "
        f"{verdict.risen_in_doubt})",
        f"charged twice: {verdict.twice}",
        f"charged above what was approved: {verdict.above}",
        f"placed but lost: {verdict.lost}",
    ]
    return "; ".join(parts)


def is_good(verdict: Verdict, untold: int) -> bool:
    """Whether every promise was kept."""
    return not (verdict.twice or verdict.above or verdict.lost or untold)
