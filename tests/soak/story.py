"""The story of one purchase after another: an agent calls, repeats and takes the other tool while things go wrong.

Everything that is chosen is chosen from one seed. A person answers questions and ends doubts as the store's books say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Final

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.faults import Fault

from .judge import Key, newest_is_sending, read_journal
from .person import Person
from .scene import Answer, Gone, Host, Scene, Tool
from .trouble import Trouble, pick
from .wishes import Aisle, Wished, cents, restore

TOOLS: Final[tuple[Tool, Tool]] = ("complete_order", "place_order")
FILLS: Final = 4
# Once in so many purchases the person looks after doubts, and unlocks the card.
LOOKS: Final = 3
# A call waits up to 40 s for the store; here nothing takes a second.
CALL_SECONDS: Final = 45.0
MOMENT_SECONDS: Final = 2.0
PAUSE: Final = 0.002
RECENT: Final = 8


@dataclass(slots=True)
class Told:
    """What happened, for the verdict and the figures."""

    purchases: int = 0
    unfilled: int = 0
    kills: int = 0
    unlocked: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    approved: dict[Key, int] = field(default_factory=dict)
    could_rise: set[Key] = field(default_factory=set)


class Story:
    """Plays purchases on a scene."""

    def __init__(self, scene: Scene, aisles: list[Aisle], rng: Random) -> None:
        self._scene = scene
        self._aisles = aisles
        self._rng = rng
        self._person = Person(scene.person, scene.simulator, rng)
        self.told = Told()
        self._planted_now: list[tuple[Trouble, Fault]] = []

    async def purchase(self, number: int) -> None:
        """One wish, from the cart to as much of an end as it finds."""
        aisle = self._aisles[number % len(self._aisles)]
        wish = Wished(aisle, number // len(self._aisles) + 1)
        self.told.purchases += 1
        if number % LOOKS == 0:
            await self._person.look_after_doubts()
            await self._person.unlock_the_card()
        self.told.unlocked = self._person.unlocked
        total = await self._filled(wish)
        if total is None:
            self.told.unfilled += 1
            return
        self.told.approved[wish.key] = cents(total) or 0
        planted = self._planted_now = [(trouble, self._planted(trouble)) for trouble in pick(self._rng, aisle)]
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            await self._try(wish, total)
        self._clear(wish, planted)
        if self._rng.random() < 0.5:
            await self._call(0, wish, total)
        await self._scene.later()

    async def settle(self) -> dict[str, Answer]:
        """Ask for every attempt's status until nothing more can be read; the last answers."""
        host = await self._scene.host(0)
        rows = await asyncio.to_thread(read_journal, self._scene.journal)
        return {row.id: await host.status(row.id) for row in rows}

    async def _filled(self, wish: Wished) -> Decimal | None:
        host = await self._scene.host(0)
        for _ in range(FILLS):
            total = await host.fill(wish)
            if total is not None:
                return total
        return None

    async def _try(self, wish: Wished, total: Decimal) -> None:
        play = self._rng.choices((self._plain, self._killed, self._both), (6, 2, 2))[0]
        await play(wish, total)

    async def _plain(self, wish: Wished, total: Decimal) -> None:
        await self._call(0, wish, total)

    async def _both(self, wish: Wished, total: Decimal) -> None:
        """Two hosts at the same time, often by different tools.

        Where a read raises the price, it may be the one host's, between the other's last look and its order.
        """
        before = self._raised()
        await asyncio.gather(self._call(0, wish, total), self._call(1, wish, total))
        if self._raised() > before:
            self.told.could_rise.add(wish.key)

    def _raised(self) -> int:
        return sum(fault.hits for trouble, fault in self._planted_now if trouble.raises)

    async def _killed(self, wish: Wished, total: Decimal) -> None:
        """The host is killed while it works on the call; the next one starts from what is on disk."""
        host = await self._scene.host(0)
        moment = self._moment()
        call = asyncio.create_task(self._asked(host, wish, self._rng.choice(TOOLS), total))
        await self._until(moment, call)
        await host.kill()
        self.told.kills += 1
        await asyncio.wait([call], timeout=CALL_SECONDS)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    def _moment(self) -> Callable[[], bool]:
        """When to kill: after a random while, or once a row, a request or a charge is there."""
        simulator, journal, loop = self._scene.simulator, self._scene.journal, asyncio.get_running_loop()
        after = loop.time() + self._rng.uniform(0, 0.2)
        charges = len(simulator.books.charges)
        moments: list[Callable[[], bool]] = [
            lambda: loop.time() > after,
            lambda: newest_is_sending(journal),
            lambda: _arrived(simulator),
            lambda: len(simulator.books.charges) > charges,
        ]
        return self._rng.choice(moments)

    @staticmethod
    async def _until(moment: Callable[[], bool], call: asyncio.Task[None]) -> None:
        deadline = asyncio.get_running_loop().time() + MOMENT_SECONDS
        while not call.done() and asyncio.get_running_loop().time() < deadline and not moment():
            await asyncio.wait([call], timeout=PAUSE)

    async def _call(self, number: int, wish: Wished, total: Decimal) -> None:
        host = await self._scene.host(number)
        await self._asked(host, wish, self._rng.choice(TOOLS), total)

    async def _asked(self, host: Host, wish: Wished, tool: Tool, total: Decimal) -> None:
        with suppress(Gone):
            answer = await host.order(wish, tool, total)
            self.told.answers[answer.status] += 1
            if answer.approval is not None:
                approved = await self._person.answer(answer.approval, wish)
                if approved is not None:
                    self.told.approved[wish.key] = max(self.told.approved[wish.key], approved)

    def _planted(self, trouble: Trouble) -> Fault:
        return self._scene.simulator.faults.add(trouble.action, trouble.match, n=trouble.n, **trouble.options)

    def _clear(self, wish: Wished, planted: list[tuple[Trouble, Fault]]) -> None:
        for trouble, fault in planted:
            self.told.faults[trouble.action] += fault.hits
            if fault.hits and trouble.raises_inside:
                self.told.could_rise.add(wish.key)
        self._scene.simulator.faults.clear()
        restore(self._scene.simulator, wish.aisle)


def _arrived(simulator: Simulator) -> bool:
    """Whether one of the last requests is an order that was not answered yet."""
    last = islice(reversed(simulator.requests), RECENT)
    return any(request.method == "POST" and request.host == "payment" and request.status is None for request in last)
