"""What waits between the last look at the price and the order: nothing that rises meanwhile is paid."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import event

from firmly_mcp.checkout.execution import FRESH
from firmly_mcp.checkout.flow import Review
from firmly_mcp.checkout.models import Attempt, OrderIntent, State
from firmly_mcp.errors import FirmlyError, QuoteChanged, Unreachable
from firmly_mcp.wallet.commands import CardCommand
from firmly_mcp.wallet.memory import MemoryKeychain
from tests.checkout.gate import ALLOW, BOTH, CODE, Gate, open_gate
from tests.proofs import BY_PERSON
from tests.shop import CVV_COMMAND, STORE, TEE
from tests.wallet.samples import a_card
from tests.wallet.test_card_command import CARD, printing

pytestmark = pytest.mark.anyio

SHOWN = 5340
UP_TO_IT = Decimal("53.40")
RISEN = 5000
READ, KEY = "get_cart_v2", "get_key"


class Seconds:
    """A clock of seconds that a test moves; with a step, each look at it takes that long."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class SlowKeychain(MemoryKeychain):
    """A keyring, one of whose calls takes its time; `meanwhile` is what happens in it. `at` is counted from 1.

    What comes when it `is_over` is neither counted nor slow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.at: int | None = None
        self.named = ""
        self.meanwhile: Callable[[], None] = lambda: None
        self.is_over: Callable[[], bool] = lambda: False

    def arm(self, meanwhile: Callable[[], None], *, at: int | None = None, named: str = "") -> None:
        self.calls.clear()
        self.at, self.named, self.meanwhile = at, named, meanwhile

    async def get(self, name: str) -> SecretStr | None:
        self._called(f"get {name}")
        return await super().get(name)

    async def set(self, name: str, secret: SecretStr) -> None:
        self._called(f"set {name}")
        await super().set(name, secret)

    async def delete(self, name: str) -> None:
        self._called(f"delete {name}")
        await super().delete(name)

    def _called(self, call: str) -> None:
        if self.is_over():
            return
        self.calls.append(call)
        if len(self.calls) == self.at or (self.named and self.named in call):
            self.meanwhile()


@dataclass
class Slow:
    """A gate whose keyring is slow, on a clock of seconds."""

    gate: Gate
    keychain: SlowKeychain
    seconds: Seconds = field(default_factory=Seconds)

    def a_rise(self, taking: float = 20.0) -> Callable[[], None]:
        """Time passes, and the price is another."""

        def meanwhile() -> None:
            self.seconds.now += taking
            self.gate.simulator.set_price(STORE, TEE, RISEN)

        return meanwhile

    def reads(self) -> int:
        """How often the cart was read."""
        return sum(one.method == "GET" and one.path.endswith("/cart") for one in self.gate.simulator.requests)

    def is_sent(self) -> bool:
        """Whether an order request is on its way: what the store does with it then is its own."""
        live = self.gate.placement._executor._live.values()
        return any(step.name == "sending" for feed in live for step in feed.steps)

    async def once_more(self) -> None:
        """The shop as it was, days later."""
        self.gate.clock.time += timedelta(days=2)
        self.gate.simulator.set_price(STORE, TEE, None)
        await (await self.gate.services.firmly()).clear_cart(STORE)
        await self.gate.fill_cart()

    async def by_rules(self, wish: OrderIntent) -> Attempt:
        """An order that the rules allow, for what it costs now and not more."""
        placing = await self.gate.placement.place(wish, max_total=UP_TO_IT)
        assert isinstance(placing, Attempt)
        return await self.gate.ended(placing)

    async def by_approval(self, review: Review) -> Attempt:
        """An order that a person approves, of what was shown."""
        assert review.quote.total.amount == UP_TO_IT
        return await self.gate.ended(await self.gate.placement.approve(review, CODE, BY_PERSON))


@asynccontextmanager
async def slow(folder: Path) -> AsyncIterator[Slow]:
    keychain = SlowKeychain()
    async with open_gate(folder, keychain, cvv_command=CVV_COMMAND) as gate:
        await gate.fill_cart()
        made = Slow(gate, keychain)
        gate.placement._executor._clock = made.seconds
        keychain.is_over = made.is_sent
        yield made


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Slow]:
    async with slow(tmp_path) as made:
        yield made


@BOTH
@pytest.mark.parametrize("by_a_person", [False, True], ids=["by rules", "by a person"])
async def test_a_price_that_rises_during_any_call_of_the_keyring_is_not_paid(
    shop: Slow, wish: OrderIntent, by_a_person: bool
) -> None:
    if not by_a_person:
        shop.gate.rules(ALLOW)
    stopped = call = 0
    while not shop.gate.charges or call <= len(shop.keychain.calls):
        call += 1
        charges, sent = len(shop.gate.charges), shop.gate.orders_sent()
        await shop.once_more()
        review = await shop.gate.reviewed(wish) if by_a_person else None
        shop.keychain.arm(shop.a_rise(), at=call)
        try:
            attempt = await (shop.by_approval(review) if review else shop.by_rules(wish))
        except FirmlyError:
            assert shop.gate.orders_sent() == sent
            stopped += 1
            continue
        assert shop.gate.charges[charges:] == ([SHOWN] if attempt.state is State.PLACED else [])
    assert stopped > 5
    assert set(shop.gate.charges) == {SHOWN}


async def number_kept(shop: Slow) -> None:
    """The keyring is slow when the attempt's number is kept, after its row was written."""
    shop.keychain.arm(shop.a_rise(), named="set simulator/local/journal")


async def row_written(shop: Slow) -> None:
    """The disk is slow when the attempt's row is written."""
    journal, rise = shop.gate.placement.journal, shop.a_rise()

    def inserted(*call: Any) -> None:
        if "INSERT INTO attempts" in call[2]:
            rise()

    event.listen(journal._file._engine, "after_cursor_execute", inserted)


async def key_fetched(shop: Slow) -> None:
    """The price rises while the payment key is fetched."""
    shop.gate.simulator.faults.add("set-price", KEY, store=STORE, sku=TEE, cents=RISEN)


WAITS = pytest.mark.parametrize("wait", [number_kept, row_written, key_fetched])


@BOTH
@WAITS
async def test_a_price_that_rises_during_another_wait_ends_the_order_with_the_difference(
    shop: Slow, wish: OrderIntent, wait: Callable[[Slow], Any]
) -> None:
    shop.gate.rules(ALLOW)
    await shop.gate.placement.attempts(limit=1)
    await wait(shop)
    with pytest.raises(QuoteChanged, match="Nothing was sent") as caught:
        await shop.by_rules(wish)
    assert any("53.40 USD" in line for line in caught.value.difference)
    attempts = await shop.gate.placement.attempts(limit=5)
    assert len(attempts) == (wait is not key_fetched)
    for attempt in attempts:
        assert (attempt.state, attempt.outcome.error_name) == (State.NOT_PLACED, "quote_changed")
        assert "total: 53.40 USD" in attempt.outcome.reason
    assert not shop.gate.orders_sent()
    assert not shop.gate.kept_devices()


@BOTH
async def test_an_approval_whose_price_rises_after_its_use_ends_as_not_placed_and_says_why(
    shop: Slow, wish: OrderIntent
) -> None:
    review = await shop.gate.reviewed(wish)
    await number_kept(shop)
    ended = await shop.by_approval(review)
    assert (ended.state, ended.money_moved) == (State.NOT_PLACED, "no")
    assert "total: 53.40 USD" in ended.outcome.reason
    assert not shop.gate.orders_sent()
    assert not shop.gate.kept_devices()
    again = await shop.gate.asked(wish)
    assert again.total.amount > UP_TO_IT


@BOTH
async def test_a_price_that_stays_through_a_slow_keyring_is_paid_after_one_more_look(
    shop: Slow, wish: OrderIntent
) -> None:
    review = await shop.gate.reviewed(wish)
    shop.keychain.arm(lambda: None, named="set simulator/local/journal")
    before = shop.reads()
    assert (await shop.by_approval(review)).state is State.PLACED
    assert shop.reads() == before + 1
    await shop.once_more()
    review = await shop.gate.reviewed(wish)

    def late() -> None:
        shop.seconds.now += FRESH + 0.1

    shop.keychain.arm(late, named="set simulator/local/journal")
    before = shop.reads()
    assert (await shop.by_approval(review)).state is State.PLACED
    assert shop.reads() == before + 2
    assert shop.gate.charges == [SHOWN, SHOWN]


@BOTH
async def test_a_price_that_cannot_be_read_again_ends_the_order_unsent(shop: Slow, wish: OrderIntent) -> None:
    shop.gate.rules(ALLOW)

    def late() -> None:
        shop.seconds.now += 2 * FRESH
        shop.gate.simulator.faults.add("lose-answer", READ, times=None)

    shop.keychain.arm(late, named="set simulator/local/journal")
    with pytest.raises(Unreachable):
        await shop.by_rules(wish)
    [attempt] = await shop.gate.placement.attempts(limit=5)
    assert (attempt.state, attempt.money_moved) == (State.NOT_PLACED, "no")
    assert not shop.gate.orders_sent()
    assert not shop.gate.kept_devices()


@BOTH
@pytest.mark.parametrize(
    ("step", "state", "reads"), [(0.3, State.PLACED, 2), (0.6, State.PLACED, 5), (1.1, State.NOT_PLACED, 6)]
)
async def test_a_store_that_answers_slowly_is_asked_a_few_times_and_nothing_is_sent_on_an_old_answer(
    shop: Slow, wish: OrderIntent, step: float, state: State, reads: int
) -> None:
    review = await shop.gate.reviewed(wish)
    before = shop.reads()
    shop.seconds.step = step
    ended = await shop.by_approval(review)
    assert ended.state is state
    assert shop.reads() - before == reads - 1
    assert shop.gate.orders_sent() == (state is State.PLACED)
    if state is State.NOT_PLACED:
        assert "within the second before the order" in ended.outcome.reason


@BOTH
async def test_a_session_that_ends_between_the_check_and_the_order_sends_nothing(shop: Slow, wish: OrderIntent) -> None:
    review = await shop.gate.reviewed(wish)

    def an_hour_passes() -> None:
        shop.gate.clock.time += timedelta(hours=2)

    shop.keychain.arm(an_hour_passes, named="set simulator/local/journal")
    ended = await shop.by_approval(review)
    assert ended.state is State.NOT_PLACED
    assert "session" in ended.outcome.reason
    assert not shop.gate.orders_sent()
    assert not shop.gate.kept_devices()


@BOTH
async def test_a_session_that_ends_soon_is_renewed_before_the_last_look_at_the_price(
    shop: Slow, wish: OrderIntent
) -> None:
    shop.gate.rules(ALLOW)

    def most_of_its_hour_passes() -> None:
        shop.gate.clock.time += timedelta(seconds=3600 - 150)

    shop.keychain.arm(most_of_its_hour_passes, named="get simulator/local/payment-keys")
    assert (await shop.by_rules(wish)).state is State.PLACED
    asked = [request.path.rsplit("/", 1)[-1] for request in shop.gate.simulator.requests]
    last_read = max(place for place, path in enumerate(asked) if path == "cart" and asked[place + 1].endswith("-order"))
    assert asked[last_read - 1] == "browser-session"


@BOTH
async def test_another_card_under_the_label_that_was_shown_is_not_charged(shop: Slow, wish: OrderIntent) -> None:
    review = await shop.gate.reviewed(wish)
    vault = await shop.gate.services.vault()
    await vault.add_card(
        a_card(label=review.quote.payer.card.label, number=SecretStr("5555555555554444")), replace=True
    )
    with pytest.raises(QuoteChanged) as caught:
        await shop.by_approval(review)
    assert "ending 1111 → " in caught.value.difference[0]
    assert not shop.gate.orders_sent()
    assert not await shop.gate.placement.attempts(limit=5)
    assert [one.id for one in await shop.gate.placement.open_approvals()] == [review.approval.id]


@BOTH
async def test_a_price_that_rises_while_the_cards_command_runs_is_not_paid(shop: Slow, wish: OrderIntent) -> None:
    vault = await shop.gate.services.vault()
    runs, rise = 0, shop.a_rise()

    async def may_run() -> None:
        nonlocal runs
        runs += 1
        # The first run lists the card, the second is the payment's.
        if runs == 2:
            rise()

    await vault.remove_card("test-visa")
    vault._card_command = CardCommand(printing(CARD), "simulator", may_run=may_run, now=shop.gate.clock)
    review = await shop.gate.reviewed(wish)
    with pytest.raises(QuoteChanged):
        await shop.by_approval(review)
    assert runs == 2
    assert not shop.gate.orders_sent()
    assert not await shop.gate.placement.attempts(limit=5)


class Door:
    """The payment host behind a port that answers one connection, and the next ones once they are let in."""

    def __init__(self, payment_url: str) -> None:
        self._behind = urlsplit(payment_url)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._listening.setblocking(False)
        self._crowd = socket.socket()
        self._is_open = anyio.Event()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as passing:
            passing.start_soon(self._pass_on, (await loop.sock_accept(self._listening))[0])
            # The system answers no connection while another one waits to be taken.
            self._crowd.connect(self._listening.getsockname())
            await self._is_open.wait()
            self._crowd.close()
            while True:
                passing.start_soon(self._pass_on, (await loop.sock_accept(self._listening))[0])

    def let_in(self) -> None:
        self._is_open.set()

    def close(self) -> None:
        self._listening.close()
        self._crowd.close()

    async def _pass_on(self, taken: socket.socket) -> None:
        asked, answering = await asyncio.open_connection(sock=taken)
        answered, asking = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        try:
            async with anyio.create_task_group() as both:
                both.start_soon(_copy, asked, asking)
                both.start_soon(_copy, answered, answering)
        finally:
            answering.transport.abort()
            asking.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await source.read(65536):
            target.write(content)
        target.write_eof()


@BOTH
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a connection opens before it is taken")
async def test_a_price_that_rises_while_the_connection_of_the_order_opens_is_not_paid(
    tmp_path: Path, wish: OrderIntent
) -> None:
    async with open_gate(tmp_path) as gate, anyio.create_task_group() as beside:
        door, seconds = Door(gate.simulator.payment_url), Seconds()
        where = tmp_path / "data/simulator/simulator.json"
        where.write_text(json.dumps(json.loads(where.read_text("utf-8")) | {"payment_url": door.url}), "utf-8")
        beside.start_soon(door.run)
        gate.placement._executor._clock = seconds
        await gate.fill_cart()
        review = await gate.reviewed(wish)
        assert review.quote.payer.payment_host == door.url
        shop = Slow(gate, SlowKeychain(), seconds)
        before = shop.reads()
        placing = await gate.placement.approve(review, CODE, BY_PERSON)
        shop.a_rise()()
        door.let_in()
        ended = await gate.ended(placing)
        assert shop.reads() == before + 2
        assert (ended.state, ended.money_moved, ended.outcome.error_name) == (State.NOT_PLACED, "no", "quote_changed")
        assert "total: 53.40 USD" in ended.outcome.reason
        assert not gate.charges
        assert not gate.orders_sent()
        beside.cancel_scope.cancel()
        door.close()
