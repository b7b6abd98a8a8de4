"""How a doubt ends: by reading what the store says, or by a person's word. An order request is never sent again."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from firmly_mcp.app import JOURNAL
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent, State
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money
from tests.checkout.gate import BOTH, CART, CODE, ITEMS, Gate
from tests.proofs import BY_PERSON, until_recorded
from tests.shop import TEE

PROBABLY_NOT = "The cart still reads as not ordered, so it probably was not; that is no proof. Check with the store"


Fault = tuple[str, dict[str, Any]]
CHARGED: Fault = ("lose-answer", {})
NOTHING_DONE: Fault = ("reset-after-body", {})
HIDDEN: Fault = ("hide-order", {})


async def in_doubt(gate: Gate, wish: OrderIntent, *faults: Fault) -> Attempt:
    """An order that was sent and whose outcome is not known yet; nothing read it again since."""
    for action, options in faults:
        gate.simulator.faults.add(action, "*_order_v2", **options)
    placing = await gate.placement.approve(await gate.reviewed(wish), CODE, BY_PERSON)
    log = gate.placement.progress(placing)
    assert log is not None
    with anyio.fail_after(30):
        await until_recorded(gate.placement, placing)
    assert log.steps[-1].name == State.UNKNOWN
    return placing


@BOTH
@pytest.mark.anyio
async def test_a_submitted_cart_with_a_number_is_an_order(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, CHARGED)
    assert not await gate.placement.settle_all()
    settled = await gate.placement.attempt(doubt.id)
    assert settled is not None
    assert settled.state is State.PLACED
    assert settled.outcome.order_number == gate.simulator.books.charges[0].order_number
    assert settled.outcome.charged == doubt.total
    assert gate.orders_sent() == 1


@BOTH
@pytest.mark.anyio
async def test_another_program_settles_what_one_that_ended_left(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, CHARGED)
    async with gate.another() as later:
        found = await later.place(wish)
        assert isinstance(found, Attempt)
        assert (found.is_new, found.id, found.state) == (False, doubt.id, State.PLACED)
    assert gate.charges == [5340]
    assert gate.orders_sent() == 1


@BOTH
@pytest.mark.parametrize("faults", [(NOTHING_DONE,), (HIDDEN, CHARGED)], ids=["nothing done", "charged and hidden"])
@pytest.mark.anyio
async def test_a_cart_that_reads_active_proves_nothing(
    gate: Gate, wish: OrderIntent, faults: tuple[Fault, ...]
) -> None:
    doubt = await in_doubt(gate, wish, *faults)
    for _ in range(2):
        assert [one.id for one in await gate.placement.settle_all()] == [doubt.id]
    left = await gate.placement.attempt(doubt.id)
    assert left is not None
    assert (left.state, left.money_moved) == (State.UNKNOWN, "unknown")
    assert gate.orders_sent() == 1
    async with gate.another() as later:
        asked = await later.place(replace(ITEMS, items=(Item(TEE, 1),)))
        assert isinstance(asked, Approval)
        assert asked.rule == "doubt"
        assert [one.id for one in (await later.review(asked.id)).in_doubt] == [doubt.id]


@pytest.mark.anyio
async def test_of_a_cart_that_reads_active_it_is_said_what_that_means_and_what_to_do(gate: Gate) -> None:
    await in_doubt(gate, CART, NOTHING_DONE)
    (left,) = await gate.placement.settle_all()
    assert left.outcome.reason.startswith(PROBABLY_NOT)
    with closing(sqlite3.connect(gate.settings.data_dir / JOURNAL, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")  # what was said before is not written again, and waits for no writer
        assert await gate.placement.settle_all() == [left]
    assert "firmly-mcp orders settle" in left.outcome.reason


@BOTH
@pytest.mark.anyio
async def test_an_order_that_shows_later_is_found_later(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, ("hide-order", {"seconds": 60}), CHARGED)
    assert [one.id for one in await gate.placement.settle_all()] == [doubt.id]
    gate.simulator.advance(timedelta(seconds=61))
    assert not await gate.placement.settle_all()
    assert gate.orders_sent() == 1


@BOTH
@pytest.mark.parametrize(("number", "state"), [("A-1", State.PLACED), (None, State.NOT_PLACED)])
@pytest.mark.anyio
async def test_a_person_ends_a_doubt(gate: Gate, wish: OrderIntent, number: str | None, state: State) -> None:
    doubt = await in_doubt(gate, wish, NOTHING_DONE)
    settled = await gate.placement.settle_manually(doubt, number, proof=BY_PERSON)
    assert (settled.state, settled.outcome.order_number) == (state, number)
    assert settled.outcome.reason == "settled by a person"
    assert not await gate.placement.settle_all()
    answer = await gate.placement.place(wish)
    assert isinstance(answer, Attempt if number else Approval)
    assert gate.orders_sent() == 1


@BOTH
@pytest.mark.anyio
async def test_a_person_who_ends_a_doubt_can_say_what_was_charged(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, NOTHING_DONE)
    charged = Money.parse("61.00", "USD")
    settled = await gate.placement.settle_manually(doubt, "A-1", charged, proof=BY_PERSON)
    assert (settled.total, settled.outcome.charged) == (Money.parse("53.40", "USD"), charged)


@BOTH
@pytest.mark.anyio
async def test_a_blank_order_number_ends_no_doubt(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, NOTHING_DONE)
    for number in ("", "  "):
        with pytest.raises(NotAllowed, match="blank"):
            await gate.placement.settle_manually(doubt, number, proof=BY_PERSON)
    assert [one.id for one in await gate.placement.settle_all()] == [doubt.id]


@BOTH
@pytest.mark.anyio
async def test_what_a_person_called_not_placed_becomes_placed_when_its_number_turns_up(
    gate: Gate, wish: OrderIntent
) -> None:
    doubt = await in_doubt(gate, wish, HIDDEN, CHARGED)
    await gate.placement.settle_manually(doubt, None, proof=BY_PERSON)
    found = await gate.placement.attempt(doubt.id)
    assert found is not None
    settled = await gate.placement.settle_manually(found, gate.simulator.books.charges[0].order_number, proof=BY_PERSON)
    assert (settled.state, settled.money_moved) == (State.PLACED, "yes")
    back = await gate.placement.settle_manually(settled, None, proof=BY_PERSON)
    assert back.state is State.PLACED


@BOTH
@pytest.mark.anyio
async def test_an_order_that_is_being_sent_is_judged_by_nobody(gate: Gate, wish: OrderIntent) -> None:
    review = await gate.reviewed(wish)
    gate.simulator.faults.add("delay", "*_order_v2", seconds=1.5)
    async with gate.another() as other:
        await other.attempts(limit=1)
        placing = await gate.placement.approve(review, CODE, BY_PERSON)
        for desk in (gate.placement, other):
            assert [one.state for one in await desk.settle_all()] == [State.SENDING]
            for number in (None, "A-1"):
                with pytest.raises(NotAllowed, match="being sent") as caught:
                    await desk.settle_manually(placing, number, proof=BY_PERSON)
                assert caught.value.money_moved == "unknown"
    log = gate.placement.progress(placing)
    assert log is not None
    assert not log.ended
    assert (await gate.ended(placing)).state is State.PLACED
    assert gate.orders_sent() == 1


@pytest.mark.parametrize(
    ("faults", "kept"),
    [((), 0), ((("refuse", {"error": "ErrorPaymentDeclined"}),), 0), ((NOTHING_DONE,), 1), ((CHARGED,), 1)],
    ids=["placed", "declined", "in doubt", "charged"],
)
@pytest.mark.anyio
async def test_the_device_of_an_attempt_is_kept_while_it_is_in_doubt(
    gate: Gate, faults: tuple[Fault, ...], kept: int
) -> None:
    for action, options in faults:
        gate.simulator.faults.add(action, "*_order_v2", **options)
    placing = await gate.placement.approve(await gate.reviewed(ITEMS), CODE, BY_PERSON)
    await until_recorded(gate.placement, placing)
    assert len(gate.kept_devices()) == kept


async def by_reading(gate: Gate, doubt: Attempt) -> None:
    await gate.placement.settle_all()


async def by_asking_again(gate: Gate, doubt: Attempt) -> None:
    await gate.placement.place(ITEMS)


async def by_hand_and_by_reading(gate: Gate, doubt: Attempt) -> None:
    await gate.placement.settle_manually(doubt, None, proof=BY_PERSON)
    assert gate.kept_devices()
    await gate.placement.settle_all()


@pytest.mark.parametrize("end", [by_reading, by_asking_again, by_hand_and_by_reading])
@pytest.mark.anyio
async def test_the_device_of_an_attempt_is_forgotten_once_its_outcome_is_certain(
    gate: Gate, end: Callable[[Gate, Attempt], Awaitable[None]]
) -> None:
    doubt = await in_doubt(gate, ITEMS, CHARGED)
    (kept,) = gate.kept_devices()
    assert kept.endswith(doubt.id)
    await end(gate, doubt)
    assert not gate.kept_devices()


@BOTH
@pytest.mark.anyio
async def test_a_store_that_cannot_be_read_leaves_the_doubt(gate: Gate, wish: OrderIntent) -> None:
    doubt = await in_doubt(gate, wish, CHARGED)
    gate.simulator.faults.add("unavailable", "get_cart_v2", times=None)
    assert [one.id for one in await gate.placement.settle_all()] == [doubt.id]
    gate.simulator.faults.clear()
    assert not await gate.placement.settle_all()
    assert gate.orders_sent() == 1


@pytest.mark.anyio
async def test_another_cart_of_the_shopper_proves_nothing_of_an_attempt(gate: Gate) -> None:
    doubt = await in_doubt(gate, CART, CHARGED)
    # As if the cart that was sent were gone, and the one that is there, submitted, were of another purchase.
    with sqlite3.connect(gate.settings.data_dir / "journal.sqlite3") as journal:
        journal.execute("UPDATE attempts SET cart_id = 'the-cart-that-was-sent'")
    assert [one.id for one in await gate.placement.settle_all()] == [doubt.id]
    left = await gate.placement.attempt(doubt.id)
    assert left is not None
    assert left.state is State.UNKNOWN
    assert left.outcome.order_number is None
