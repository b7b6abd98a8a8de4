"""The story of one purchase after another: an agent calls, repeats and takes the other tool while things go wrong.

Everything that is chosen is chosen from one seed. A person answers questions and ends doubts as the store's books say.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.faults import Fault

from .judge import Key, Statement, key_of, newest_is_sending, read_journal
from .person import Person
from .scene import Answer, Gone, Host, Scene, Tool
from .trouble import Trouble, in_the_way, pick
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
    misled: set[Key] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)
    doubled: list[Key] = field(default_factory=list)
    unrecorded: list[Key] = field(default_factory=list)


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
        self._plant(in_the_way(self._rng))
        total = await self._filled(wish)
        self._clear(wish)
        if total is None:
            self.told.unfilled += 1
            return
        self.told.approved[wish.key] = cents(total) or 0
        self._plant(pick(self._rng, aisle))
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            await self._try(wish, total)
        self._clear(wish)
        if self._rng.random() < 0.5:
            await self._afterwards(wish, total)
        await self._scene.later()

    async def settle(self) -> dict[str, Answer]:
        """Ask for every attempt's status until nothing more can be read; the last answers."""
        host = await self._scene.host(0)
        rows = await asyncio.to_thread(read_journal, self._scene.journal)
        return {row.id: await host.status(row.id) for row in rows}

    async def _filled(self, wish: Wished) -> Decimal | None:
        host = await self._scene.host(0)
        for _ in range(FILLS):
            filled = await host.fill(wish)
            if filled.quantity > wish.quantity:
                self.told.doubled.append(wish.key)
            if filled.total is not None:
                return filled.total
        return None

    async def _afterwards(self, wish: Wished, total: Decimal) -> None:
        """The call once more: as it was, with none left in stock, or after the cart was emptied."""
        play = self._rng.choice(("plain", "none_left", "emptied"))
        if play == "none_left":
            self._scene.simulator.set_stock(wish.aisle.store, wish.aisle.sku, 0)
        if play == "emptied":
            await (await self._scene.host(0)).empty(wish)
        await self._call(0, wish, total)
        restore(self._scene.simulator, wish.aisle)

    async def _try(self, wish: Wished, total: Decimal) -> None:
        plays = (self._plain, self._killed, self._both, self._left, self._without_journal)
        play = self._rng.choices(plays, (10, 4, 4, 2, 1))[0]
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
        if self._rng.random() < 0.3:
            # The next host's first act destroys evidence, unless it reads that first.
            await (await self._scene.host(0)).empty(wish)

    async def _left(self, wish: Wished, total: Decimal) -> None:
        """The client writes the call and ends its output: the order's answer is truthful, or there is none."""
        host = await self._scene.host(0)
        tool, before = self._rng.choice(TOOLS), self._charged(wish)
        answer = await host.order_and_leave(wish, tool, total)
        if answer is not None:
            await self._heard(answer, wish, before)

    async def _without_journal(self, wish: Wished, total: Decimal) -> None:
        """The journal's files vanish under a live server, and come back after one call: nothing may be ordered."""
        host, before = await self._scene.host(0), self._charged(wish)
        if not await asyncio.to_thread(read_journal, self._scene.journal):
            return  # a journal that never had an attempt cannot be missed
        with moved_away(self._scene.journal):
            # What it states of earlier orders is not judged: it cannot read them.
            answer = await host.order(wish, self._rng.choice(TOOLS), total)
            self.told.answers[answer.status] += 1
            if self._charged(wish) > before:
                self.told.unrecorded.append(wish.key)
        await host.kill()  # it may have opened another file meanwhile

    def _charged(self, wish: Wished) -> int:
        return sum(key_of(charge) == wish.key for charge in self._scene.simulator.books.charges)

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
        before = self._charged(wish)
        with suppress(Gone):
            await self._heard(await host.order(wish, tool, total), wish, before)

    async def _heard(self, answer: Answer, wish: Wished, before: int) -> None:
        self.told.answers[answer.status] += 1
        moved, number = answer.view.get("money_moved"), answer.view.get("order_number")
        after = self._charged(wish)
        if wish.key not in self._person.mistaken:
            names_it = "code" in answer.view and answer.attempt is not None
            said = None if names_it else moved
            self.told.statements.append(Statement(wish.key, answer.status, said, number, before, after))
        if answer.approval is not None:
            approved = await self._person.answer(answer.approval, wish)
            if approved is not None:
                self.told.approved[wish.key] = max(self.told.approved[wish.key], approved)

    def _plant(self, troubles: list[Trouble]) -> None:
        self._planted_now = [(trouble, self._planted(trouble)) for trouble in troubles]

    def _planted(self, trouble: Trouble) -> Fault:
        return self._scene.simulator.faults.add(trouble.action, trouble.match, n=trouble.n, **trouble.options)

    def _clear(self, wish: Wished) -> None:
        for trouble, fault in self._planted_now:
            self.told.faults[trouble.action] += fault.hits
            if fault.hits and trouble.action == "lie-amount":
                self.told.misled.add(wish.key)
            if fault.hits and trouble.raises_inside:
                self.told.could_rise.add(wish.key)
        self._planted_now = []
        self._scene.simulator.faults.clear()
        restore(self._scene.simulator, wish.aisle)


@contextmanager
def moved_away(journal: Path) -> Iterator[None]:
    """Without the journal's files, which are back at the end, the same as they were."""
    files = [path for path in journal.parent.glob(f"{journal.name}*") if path.is_file()]
    with tempfile.TemporaryDirectory(dir=journal.parent) as elsewhere:
        for path in files:
            path.rename(Path(elsewhere) / path.name)
        try:
            yield
        finally:
            for path in journal.parent.glob(f"{journal.name}*"):
                path.unlink()
            for path in files:
                (Path(elsewhere) / path.name).rename(path)


def _arrived(simulator: Simulator) -> bool:
    """Whether one of the last requests is an order that was not answered yet."""
    last = islice(reversed(simulator.requests), RECENT)
    return any(request.method == "POST" and request.host == "payment" and request.status is None for request in last)
