"""No sequence of calls, repeats, kills, faults, answers and waiting charges twice, above what was approved, or loses.

Each step is judged by the simulator's books. A kill drops the rooms where they are and opens them again on what is on
disk; two hosts and a person's desk share one journal, one keyring and one clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from firmly_mcp.app import JOURNAL
from firmly_mcp.checkout.models import State
from firmly_mcp.errors import FirmlyError
from firmly_mcp.simulator.ledger import Charge
from tests.proofs import BY_PERSON, until_recorded
from tests.shop import STORE, TEE
from tests.soak.judge import Key, Row, judge, key_of, newest_is_sending, read_journal
from tests.soak.person import CODE
from tests.soak.rooms import Rooms
from tests.soak.scene import Answer, Gone, Tool
from tests.soak.trouble import KEY, PLACE, READ, SESSION, Trouble
from tests.soak.wishes import PRICE, Wished, cents, restore

from .matrix import AISLE, TOOLS, Stage, staged

T = TypeVar("T")

DAY: Final = timedelta(hours=24)
# What the rules allow alone, in cents: an order of three tees, and little else that day; and what they refuse.
AN_ORDER, A_DAY, TOO_MUCH = 10_000, 10_500, 50_000
RULES: Final = f"""\
[USD]
ask_above = "{AN_ORDER / 100:.2f}"
ask_above_a_day = "{A_DAY / 100:.2f}"
refuse_above = "{TOO_MUCH / 100:.2f}"
"""
MOMENT_SECONDS: Final = 5.0
DEARER: Final = {"store": STORE, "sku": TEE, "cents": PRICE + 1}
# Inside the payment, where no client sees it; and at another's reading, which may be between a check and its send.
RISES: Final = (Trouble("set-price", options={**DEARER, "inside": True}), Trouble("set-price", READ, 2, DEARER))
TROUBLES: Final = (
    *(Trouble(action) for action in ("reset-before-body", "reset-in-body", "reset-after-body", "unauthorized")),
    *(Trouble(action) for action in ("lose-answer", "gateway-timeout", "not-json", "refuse-after", "notice")),
    *(Trouble("refuse", options={"error": error}) for error in ("ErrorPaymentDeclined", "ErrorCheckout")),
    *(Trouble("cut-stream", PLACE, options={"after": k, "goes_on": k % 2 == 0}) for k in range(5)),
    *(Trouble("malformed-event", PLACE, options={"event": k}) for k in (2, 4)),
    *(Trouble(action, match) for action in ("lose-answer", "not-json") for match in (READ, KEY, SESSION)),
    *(Trouble("hide-order", options={"seconds": seconds}) for seconds in (None, 600.0)),
    Trouble("set-price", READ, 2, {"store": STORE, "sku": TEE, "cents": PRICE - 1}),
    *RISES,
)

WISHES: Final = st.sampled_from([Wished(AISLE, quantity) for quantity in (1, 2, 3, 5)])
BY: Final = st.sampled_from(TOOLS)
HOST: Final = st.sampled_from((0, 1))


class Shopping(RuleBasedStateMachine):
    """A shopper with a few wishes at one store, two hosts, and a desk."""

    def __init__(self, loop: asyncio.Runner, stage: Stage) -> None:
        super().__init__()
        self._loop = loop
        self._stage = stage
        self._hosts: list[Rooms] = []
        self._charges_before = len(stage.simulator.books.charges)
        self._approved: dict[Key, int] = {}
        self._informed: set[str] = set()
        self._rises = False

    @initialize()
    def opens(self) -> None:
        self._run(self._open())

    @rule(wish=WISHES, tool=BY, host=HOST, repeat=st.booleans())
    def calls(self, wish: Wished, tool: Tool, host: int, *, repeat: bool) -> None:
        self._run(self._order(host, wish, tool, repeat=repeat))

    @rule(wish=WISHES, tools=st.tuples(BY, BY), trouble=st.sampled_from(TROUBLES))
    def calls_in_trouble_and_again(self, wish: Wished, tools: tuple[Tool, Tool], trouble: Trouble) -> None:
        self.something_will_go_wrong(trouble)
        for tool in tools:
            self._run(self._order(0, wish, tool))

    @rule(wish=WISHES, tools=st.tuples(BY, BY))
    def calls_twice_at_once(self, wish: Wished, tools: tuple[Tool, Tool]) -> None:
        self._run(self._at_once(*(self._order(host, wish, tool) for host, tool in enumerate(tools))))

    @rule(wishes=st.lists(WISHES, min_size=2, max_size=2, unique=True))
    def wishes_two_things_at_once(self, wishes: list[Wished]) -> None:
        self._run(self._both(wishes))

    @rule(wish=WISHES, tool=BY, moment=st.sampled_from(("row", "request", "charge")))
    def is_killed(self, wish: Wished, tool: Tool, moment: str) -> None:
        self._run(self._kill(wish, tool, moment))

    @rule(trouble=st.sampled_from(TROUBLES))
    def something_will_go_wrong(self, trouble: Trouble) -> None:
        """The next order, or what is read for it, meets this."""
        self._stage.simulator.faults.add(trouble.action, trouble.match, n=trouble.n, **trouble.options)
        self._rises = self._rises or trouble in RISES

    @rule()
    def all_is_well_again(self) -> None:
        self._stage.simulator.faults.clear()
        restore(self._stage.simulator, AISLE)

    @rule(minutes=st.sampled_from((1, 9, 30, 60 * 23, 60 * 25)))
    def waits(self, minutes: int) -> None:
        self._stage.clock.ahead += timedelta(minutes=minutes)

    @rule(host=HOST)
    def starts_anew(self, host: int) -> None:
        async def restart() -> None:
            await self._hosts[host].close()
            await self._hosts[host].open()

        self._run(restart())

    @rule()
    def settles(self) -> None:
        self._run(self._settle())

    @rule(yes=st.booleans())
    def a_person_answers(self, *, yes: bool) -> None:
        self._run(self._answer(yes=yes))

    @rule()
    def a_person_asks_the_store(self) -> None:
        self._run(self._ask_the_store())

    @invariant()
    def the_books_agree_with_the_journal(self) -> None:
        if not self._hosts:
            return
        charges, rows = self._charges(), self._rows()
        verdict = judge(charges, rows, self._approved, self._approved if self._rises else ())
        assert (verdict.above, verdict.lost) == (0, 0), verdict.broken
        for row in rows:
            assert row.approval is not None or _allowed(row, rows), f"the rules did not allow {row}"
        self._no_uninformed_second(charges, rows)

    def teardown(self) -> None:
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def _charges(self) -> list[Charge]:
        return self._stage.simulator.books.charges[self._charges_before :]

    def _rows(self) -> list[Row]:
        return read_journal(self._journal, self._settings.shopper)

    def _no_uninformed_second(self, charges: list[Charge], rows: list[Row]) -> None:
        """Within a day, a second charge of a wish needs a person's yes that was given with the first in view."""
        last: dict[Key, Charge] = {}
        for charge in charges:
            key = key_of(charge)
            before = last.get(key)
            last[key] = charge
            if before is None or charge.placed_at - before.placed_at >= DAY:
                continue
            sent = [row for row in rows if row.key == key and row.begun_at <= charge.placed_at][-1]
            assert sent.approval in self._informed, f"{key} was charged twice in a day: {sent}"

    async def _open(self) -> None:
        self._settings = await self._stage.newcomer(RULES)
        self._journal: Path = self._settings.data_dir / JOURNAL
        self._hosts = [self._stage.rooms(self._settings) for _ in range(3)]
        for rooms in self._hosts:
            await rooms.open()

    async def _close(self) -> None:
        for rooms in self._hosts:
            await rooms.close()
        self._stage.simulator.faults.clear()
        restore(self._stage.simulator, AISLE)

    async def _order(self, host: int, wish: Wished, tool: Tool, *, repeat: bool = False) -> Answer | None:
        """Fill the cart with the wish alone and order it; None where the cart could not be had."""
        total = await self._priced(host, wish)
        if total is None:
            return None
        try:
            return await self._hosts[host].order(wish, tool, total, repeat=repeat)
        except Gone:
            return None

    async def _priced(self, host: int, wish: Wished) -> Decimal | None:
        """Fill the cart with the wish alone; its total is what an order of it may cost from now on."""
        total = (await self._hosts[host].fill(wish)).total
        if total is not None:
            self._approved[wish.key] = max(cents(total) or 0, self._approved.get(wish.key, 0))
        return total

    async def _both(self, wishes: list[Wished]) -> None:
        """Ask for the prices one after the other, then order both at the same time."""
        totals = [await self._priced(host, wish) for host, wish in enumerate(wishes)]
        # Between the rules' yes and the send there is time for the other's.
        self._stage.simulator.faults.add("delay", KEY, times=2, seconds=0.1)
        orders = zip(self._hosts, wishes, totals, strict=False)
        await asyncio.gather(*(rooms.order(wish, "place_order", total) for rooms, wish, total in orders if total))

    @staticmethod
    async def _at_once(*calls: Coroutine[Any, Any, Answer | None]) -> None:
        await asyncio.gather(*calls)

    async def _kill(self, wish: Wished, tool: Tool, moment: str) -> None:
        books = self._stage.simulator.books
        charges = len(books.charges)
        self._stage.simulator.requests.clear()
        moments: dict[str, Callable[[], bool]] = {
            "row": lambda: newest_is_sending(self._journal),
            "request": lambda: any(r.path.endswith("-order") for r in self._stage.simulator.requests),
            "charge": lambda: len(books.charges) > charges,
        }
        call = asyncio.create_task(self._order(0, wish, tool))
        deadline = asyncio.get_running_loop().time() + MOMENT_SECONDS
        while not (call.done() or moments[moment]() or asyncio.get_running_loop().time() > deadline):
            await asyncio.wait([call], timeout=0.0005)
        await self._hosts[0].kill()
        await asyncio.gather(call, return_exceptions=True)
        await self._hosts[0].open()

    async def _settle(self) -> None:
        placement = await self._hosts[2].services.placement()
        await placement.settle_all()

    async def _answer(self, *, yes: bool) -> None:
        """Answer the newest question, in full view of doubts and of what was just bought."""
        placement = await self._hosts[2].services.placement()
        try:
            for approval in (await placement.open_approvals())[:1]:
                review = await placement.review(approval.id)
                if not yes:
                    await placement.decline(review, "terminal")
                    return
                key = (STORE, sum(int(line.partition(" x ")[0]) for line in review.quote.lines))
                self._approved[key] = max(cents(review.quote.total.amount) or 0, self._approved.get(key, 0))
                if review.previous is not None:
                    self._informed.add(approval.id)
                placing = await placement.approve(review, CODE, BY_PERSON)
                await until_recorded(placement, placing)
        except FirmlyError:
            return

    async def _ask_the_store(self) -> None:
        """End the oldest doubt as the store's books say."""
        placement = await self._hosts[2].services.placement()
        for doubt in sorted(await placement.settle_all(), key=lambda attempt: attempt.number)[:1]:
            if doubt.state is State.UNKNOWN:
                key = (STORE, sum(int(line.partition(" x ")[0]) for line in doubt.lines))
                told = {row.order_number for row in self._rows()}
                booked = [c.order_number for c in self._charges() if key_of(c) == key and c.order_number not in told]
                await placement.settle_manually(doubt, booked[0] if booked else None, proof=BY_PERSON)


def _allowed(row: Row, rows: list[Row]) -> bool:
    """Whether the limits had room for an order that no person was asked about."""
    day = [
        other.total
        for other in rows
        if other.state != "not_placed" and row.begun_at - DAY < other.begun_at < row.begun_at and other.id != row.id
    ]
    return row.total <= AN_ORDER and (row.state == "not_placed" or sum(day) + row.total <= A_DAY)


def test_no_sequence_of_calls_kills_and_faults_charges_twice_or_too_much(tmp_path: Path) -> None:
    with asyncio.Runner() as loop:
        stage_of = staged(tmp_path)
        stage = loop.run(stage_of.__aenter__())
        try:
            run_state_machine_as_test(
                partial(Shopping, loop, stage),  # type: ignore[arg-type]  # documented as any function that makes one
                settings=settings(
                    max_examples=25,
                    stateful_step_count=12,
                    deadline=None,
                    derandomize=True,
                    # What takes half a minute to find would take many to make small.
                    phases=(Phase.generate,),
                    report_multiple_bugs=False,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            loop.run(stage_of.__aexit__(None, None, None))
