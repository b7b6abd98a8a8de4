"""What a soak came to, the line of figures, and what it means for the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Self

from .judge import Verdict
from .story import Told


@dataclass(frozen=True, slots=True)
class Outcome:
    """One story's end. `untold` is how many rises inside the payment were told without both amounts."""

    told: Told
    verdict: Verdict
    untold: int

    def with_another(self, other: Self) -> Self:
        """Both together. What was approved stays with the stories: each has its own purchases."""
        mine, theirs = self.told, other.told
        counted = Told(
            purchases=mine.purchases + theirs.purchases,
            unfilled=mine.unfilled + theirs.unfilled,
            kills=mine.kills + theirs.kills,
            unlocked=mine.unlocked + theirs.unlocked,
            faults=mine.faults + theirs.faults,
            answers=mine.answers + theirs.answers,
            statements=[*mine.statements, *theirs.statements],
            doubled=[*mine.doubled, *theirs.doubled],
            unrecorded=[*mine.unrecorded, *theirs.unrecorded],
        )
        both = (self.verdict, other.verdict)
        summed = {field.name: sum(getattr(one, field.name) for one in both) for field in _COUNTED}
        verdict = Verdict(**summed, broken=[*self.verdict.broken, *other.verdict.broken])
        return replace(self, told=counted, verdict=verdict, untold=self.untold + other.untold)


_COUNTED = [field for field in fields(Verdict) if field.name != "broken"]


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """All of them as one."""
    return reduce(Outcome.with_another, outcomes)


def line(outcome: Outcome) -> str:
    """All figures in one line."""
    told, verdict, untold = outcome.told, outcome.verdict, outcome.untold
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
        f"cards unlocked: {told.unlocked}",
        f"risen inside the payment: {verdict.risen} (told with both amounts: {verdict.risen - untold}; in doubt: "
        f"{verdict.risen_in_doubt})",
        f"charged twice: {verdict.twice}",
        f"charged above what was approved: {verdict.above}",
        f"placed but lost: {verdict.lost}",
        f"lines doubled: {verdict.doubled}",
        f"money misstated: {verdict.misstated}",
    ]
    return "; ".join(parts)


def is_good(outcome: Outcome) -> bool:
    """Whether every promise was kept."""
    verdict = outcome.verdict
    broken = (verdict.twice, verdict.above, verdict.lost, verdict.doubled, verdict.misstated, outcome.untold)
    return not any(broken)
