"""What a person's rules allow without asking, and what stops it. No tool's argument widens it."""

import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Approval, ApprovalStatus, Attempt, Item, OrderIntent, State
from firmly_mcp.checkout.policy.evaluate import OrderFacts
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.checkout.remarks import Here
from firmly_mcp.errors import CardRefused, NotAllowed, RuleDenied, SettingsError, WalletError
from tests.checkout.gate import ALLOW, BOTH, CODE, ITEMS, MUCH, Gate, open_gate
from tests.proofs import BY_PERSON, with_pin
from tests.shop import STORE, TEE

EXACT = Decimal("53.40")


async def placed(gate: Gate, wish: OrderIntent, max_total: Decimal = MUCH) -> Attempt:
    """An order that the rules allow, or the one it belongs to."""
    placing = await gate.placement.place(wish, max_total=max_total)
    assert isinstance(placing, Attempt)
    assert (await gate.ended(placing)).state is State.PLACED
    return placing


@BOTH
@pytest.mark.anyio
async def test_what_the_rules_allow_is_placed_without_a_question(gate: Gate, wish: OrderIntent) -> None:
    gate.rules('[USD]\nask_above = "53.40"\nask_above_a_day = "53.40"')
    await placed(gate, wish, EXACT)
    assert gate.charges == [5340]
    assert not await gate.placement.open_approvals()


@BOTH
@pytest.mark.parametrize(("order", "day", "rule"), [("53.39", "900", "ask_above"), ("900", "53.39", "ask_above_a_day")])
@pytest.mark.anyio
async def test_a_cent_above_what_is_allowed_asks(
    gate: Gate, wish: OrderIntent, order: str, day: str, rule: str
) -> None:
    gate.rules(f'[USD]\nask_above = "{order}"\nask_above_a_day = "{day}"')
    assert (await gate.asked(wish)).rule == f"USD.{rule}"
    assert not gate.orders_sent()


@BOTH
@pytest.mark.anyio
async def test_where_rules_allow_alone_the_call_has_to_say_the_most_it_may_cost(gate: Gate, wish: OrderIntent) -> None:
    gate.rules(ALLOW)
    with pytest.raises(NotAllowed, match=r"max_total is required.*53\.40 USD"):
        await gate.placement.place(wish)
    with pytest.raises(NotAllowed, match=r"above the 53\.39 USD that max_total allows"):
        await gate.placement.place(wish, max_total=Decimal("53.39"))
    assert not gate.orders_sent()
    await placed(gate, wish, EXACT)


@BOTH
@pytest.mark.anyio
async def test_a_price_that_falls_before_the_send_makes_no_room_in_a_limit(gate: Gate, wish: OrderIntent) -> None:
    gate.rules(ALLOW)
    # The second reading of the cart is the check.
    gate.simulator.faults.add("set-price", "get_cart_v2", n=1 if wish.items else 2, store=STORE, sku=TEE, cents=1)
    attempt = await placed(gate, wish)
    assert attempt.total.plain == "53.40"
    assert gate.charges[0] < 5340
    order = OrderFacts(store=STORE, total=attempt.total)
    assert (await gate.placement.history(order)).spent.day.plain == "53.40"


@BOTH
@pytest.mark.parametrize("rule", ["refuse_above", "refuse_above_a_day"])
@pytest.mark.anyio
async def test_what_the_rules_refuse_is_denied_by_name_whatever_the_call_says(
    gate: Gate, wish: OrderIntent, rule: str
) -> None:
    gate.rules(f'[USD]\n{rule} = "53.39"')
    for asked in (wish, replace(wish, repeat=True), replace(wish, reference="mine")):
        with pytest.raises(RuleDenied, match="Nothing was sent") as caught:
            await gate.placement.place(asked, max_total=MUCH)
        assert caught.value.rule == f"USD.{rule}"
    assert not gate.orders_sent()
    assert not await gate.placement.open_approvals()


@BOTH
@pytest.mark.anyio
async def test_rules_that_cannot_be_read_let_nothing_be_ordered_or_asked(gate: Gate, wish: OrderIntent) -> None:
    rules = gate.settings.rules_file
    for broken in ("[USD", "[USD]\nask_abov = 1", "[USD]\nask_above = 2\nrefuse_above = 1"):
        gate.rules(broken)
        with pytest.raises(SettingsError, match="No order is sent"):
            await gate.placement.place(wish, max_total=MUCH)
    rules.write_bytes(b"\xff\xfe[USD]")
    with pytest.raises(SettingsError, match=str(rules)):
        await gate.placement.place(wish, max_total=MUCH)
    rules.unlink()
    rules.mkdir()
    with pytest.raises(SettingsError, match=str(rules)):
        await gate.placement.place(wish, max_total=MUCH)
    assert not gate.orders_sent()
    assert not await gate.placement.open_approvals()


@BOTH
@pytest.mark.anyio
async def test_rules_that_cannot_be_read_do_not_hide_what_was_sent(gate: Gate, wish: OrderIntent) -> None:
    gate.simulator.faults.add("reset-after-body", "*_order_v2")
    doubt = await gate.bought(wish)
    gate.rules("[USD")
    found = await gate.placement.place(wish, max_total=MUCH)
    assert isinstance(found, Attempt)
    assert (found.id, found.state) == (doubt.id, State.UNKNOWN)


@BOTH
@pytest.mark.anyio
async def test_what_a_person_declined_is_not_placed_by_rules_that_allow_it_since(gate: Gate, wish: OrderIntent) -> None:
    review = await gate.reviewed(wish)
    await gate.placement.decline(review, "test")
    gate.rules(ALLOW)
    declined = await gate.placement.place(wish, max_total=MUCH)
    assert isinstance(declined, Approval)
    assert declined.status is ApprovalStatus.DECLINED
    assert not gate.orders_sent()
    gate.clock.time += timedelta(minutes=10)
    await placed(gate, wish)


@BOTH
@pytest.mark.anyio
async def test_without_a_command_that_prints_the_code_what_is_allowed_is_asked(gate: Gate, wish: OrderIntent) -> None:
    gate.rules(ALLOW)
    async with gate.another(cvv_command=()) as other:
        asked = await other.place(wish, max_total=MUCH)
    assert isinstance(asked, Approval)
    assert asked.rule == "security_code"
    assert not gate.orders_sent()


@pytest.mark.anyio
async def test_a_command_that_prints_no_code_sends_nothing(gate: Gate) -> None:
    gate.rules(ALLOW)
    async with gate.another(cvv_command=(sys.executable, "-c", "print('none')")) as other:
        with pytest.raises(WalletError):
            await other.place(ITEMS, max_total=MUCH)
    assert not gate.orders_sent()


@BOTH
@pytest.mark.anyio
async def test_the_same_once_more_goes_to_a_person_whatever_the_rules_allow(gate: Gate, wish: OrderIntent) -> None:
    gate.rules(ALLOW)
    first = await placed(gate, wish)
    await gate.fill_cart()
    review = await gate.reviewed(replace(wish, repeat=True))
    assert review.approval.rule == "repeat"
    assert review.previous is not None
    assert review.previous.id == first.id
    assert gate.orders_sent() == 1
    again = await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    assert again.id != first.id
    assert gate.charges == [5340, 5340]


@pytest.mark.anyio
async def test_what_rules_allowed_alone_is_the_answer_to_the_same_call_for_a_day(gate: Gate) -> None:
    gate.rules(ALLOW)
    first = await placed(gate, ITEMS)
    gate.clock.time += timedelta(hours=23, minutes=59)
    found = await gate.placement.place(ITEMS)
    assert isinstance(found, Attempt)
    assert found.id == first.id
    gate.clock.time += timedelta(minutes=2)
    assert (await placed(gate, ITEMS)).is_new
    assert len(gate.charges) == 2


@pytest.mark.anyio
async def test_a_reference_joins_orders_and_never_separates_them(gate: Gate) -> None:
    gate.rules(ALLOW)
    three = replace(ITEMS, items=(Item(TEE, 3),))
    first = await placed(gate, replace(ITEMS, reference="mine"))
    for same in (replace(ITEMS, reference="other"), ITEMS, replace(three, reference="mine")):
        joined = await placed(gate, same)
        assert (joined.is_new, joined.id) == (False, first.id)
    assert (await placed(gate, three)).is_new
    assert len(gate.charges) == 2


BARRIER = """
import os, pathlib, sys, time
here = pathlib.Path(sys.argv[1])
(here / str(os.getpid())).touch()
until = time.monotonic() + 9
while len(list(here.iterdir())) < 2 and time.monotonic() < until:
    os.sched_yield()
print("123")
"""


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ('ask_above = "900"\nask_above_a_day = "900"\nrefuse_above_a_day = "900"', NotAllowed),
        ('ask_above = "60"\nask_above_a_day = "80"\nrefuse_above_a_day = "80"', RuleDenied),
    ],
    ids=["a doubt", "the day"],
)
@pytest.mark.anyio
async def test_of_two_allowed_at_once_that_are_too_much_together_one_is_refused_as_it_is_written(
    tmp_path: Path, rules: str, error: type[NotAllowed]
) -> None:
    """Both were decided before either was written: each command waits for the other's."""
    (tmp_path / "here").mkdir()
    command = (sys.executable, "-c", BARRIER, str(tmp_path / "here"))
    refused: list[NotAllowed] = []
    async with open_gate(tmp_path, cvv_command=command) as gate, gate.another() as other:
        gate.rules(f"[USD]\n{rules}")

        async def order(placement: Checkout, quantity: int) -> None:
            try:
                placing = await placement.place(replace(ITEMS, items=(Item(TEE, quantity),)), max_total=MUCH)
            except NotAllowed as no:
                refused.append(no)
            else:
                assert isinstance(placing, Attempt)
                await gate.ended(placing, placement)

        gate.simulator.faults.add("delay", "place_order_v2", seconds=0.5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(order, gate.placement, 2)
            tasks.start_soon(order, other, 1)
        assert [type(no) for no in refused] == [error]
        assert gate.orders_sent() == len(gate.charges) == 1
        assert not gate.kept_devices()


@pytest.mark.anyio
async def test_a_yes_that_passes_a_limit_with_what_was_spent_since_is_refused(gate: Gate) -> None:
    gate.rules('[USD]\nask_above = "30"\nask_above_a_day = "80"\nrefuse_above_a_day = "80"')
    review = await gate.reviewed(ITEMS)
    await placed(gate, replace(ITEMS, items=(Item(TEE, 1),)))
    with pytest.raises(RuleDenied) as caught:
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert caught.value.rule == "USD.refuse_above_a_day"
    assert len(gate.charges) == 1


@BOTH
@pytest.mark.anyio
async def test_a_preview_says_what_would_become_of_the_order_and_not_what_the_rules_alone_say(
    gate: Gate, wish: OrderIntent
) -> None:
    gate.rules(ALLOW)
    assert (await gate.placement.preview(wish)).result.verdict == "allow"
    async with gate.another(cvv_command=()) as without_code:
        asks = (await without_code.preview(wish)).result
        assert (asks.verdict, asks.rule) == ("ask", "security_code")
    gate.rules("")
    await gate.placement.decline(await gate.reviewed(wish), "test")
    gate.rules(ALLOW)
    assert (await gate.placement.preview(wish)).result.rule == "declined"
    assert not gate.orders_sent()


@pytest.mark.anyio
async def test_a_rules_file_that_is_named_and_gone_lets_nothing_be_ordered_or_asked(gate: Gate) -> None:
    gate.rules(ALLOW)
    gate.settings.rules_file.unlink()
    with pytest.raises(SettingsError, match=r"does not exist\. Orders are blocked"):
        await gate.placement.place(ITEMS, max_total=MUCH)
    assert not gate.orders_sent()
    assert not await gate.placement.open_approvals()


@pytest.mark.anyio
async def test_stores_that_were_asked_about_or_ordered_from_are_known_and_the_others_named(gate: Gate) -> None:
    vault, path = await gate.services.vault(), gate.settings.data_dir / "journal.sqlite3"
    here = Here(gate.settings, vault, path)
    rules = read_rules(f'[stores]\nallowed = ["{STORE}", "other.example"]')
    unseen = ("stores.allowed: other.example was not seen here yet. Check its spelling.",)
    assert len(await here.remarks(rules)) == 2
    await gate.asked(ITEMS)
    assert await here.remarks(rules) == unseen
    for label, known in (("TEST-visa", True), ("Test Vsia", False)):
        named = read_rules(f'[USD.cards."{label}"]\nrefuse_above = 1')
        assert (await here.remarks(named) == ()) == known


@BOTH
@pytest.mark.anyio
async def test_a_security_code_of_another_brand_uses_up_neither_a_question_nor_an_attempt(
    gate: Gate, wish: OrderIntent
) -> None:
    review = await gate.reviewed(wish)
    await (await gate.services.vault()).pin.set(SecretStr("8305-7"), BY_PERSON)
    with pytest.raises(CardRefused, match=r"it has 3 digits\. Nothing was sent"):
        await gate.placement.approve(review, SecretStr("1234"), with_pin("9416"))
    assert [asked.id for asked in await gate.placement.open_approvals()] == [review.approval.id]
    kept = await (await gate.services.vault()).pin._kept()
    assert kept is not None
    assert kept.misses == 0
    gate.rules(ALLOW)
    async with gate.another(cvv_command=(sys.executable, "-c", "print(1234)")) as alone:
        with pytest.raises(CardRefused, match="The cvv_command printed another one"):
            await alone.place(wish, max_total=MUCH)
    assert not await gate.placement.attempts(limit=1)
    assert not gate.orders_sent()
