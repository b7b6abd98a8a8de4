"""The steps of one attempt, for whoever wants to watch. The sender never waits for a reader."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from firmly_mcp.errors import MoneyMoved

# More steps than any order has; a stream that never ends must not fill the memory.
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, in plain words, and what is known about the money at that moment."""

    name: str
    words: str
    money_moved: MoneyMoved = "no"


class Feed:
    """An append-only list of steps that any number of readers follow. `expected` is how many there will be, roughly."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self._steps: list[Step] = []
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def steps(self) -> tuple[Step, ...]:
        """What happened so far."""
        return tuple(self._steps)

    @property
    def ended(self) -> bool:
        """Whether the last step is in."""
        return self._ended

    def add(self, step: Step) -> None:
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
