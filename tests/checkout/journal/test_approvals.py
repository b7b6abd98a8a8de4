"""Whom an order asks, what they are shown, and what their answer does. The simulator's books judge."""

import logging
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.flow import Checkout, Review
from firmly_mcp.checkout.journal.approvals import ANSWER_WITHIN
from firmly_mcp.checkout.models import Approval, ApprovalStatus, Attempt, Item, OrderIntent, Outcome, State
from firmly_mcp.errors import CardNotFound, FirmlyError, NotAllowed, QuoteChanged, RuleDenied, SettingsError
from tests.checkout.gate import BOTH, CART, CODE, ITEMS, Gate
from tests.checkout.journal.test_journal import DRAFT, PERMIT
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE
from tests.wallet.samples import TEST_AMEX, a_card


@BOTH
@pytest.mark.anyio
async def test_without_rules_an_order_asks_and_sends_nothing(gate: Gate, wish: OrderIntent) -> None:
    asked = await gate.asked(wish)
    assert (asked.rule, asked.total.plain, asked.lines) == (
        "no_limit",
        "53.40",
        ("2 x Radiant Tee (Color: Orange, Size: XS)",),
    )
    assert asked.expires_at - asked.asked_at == timedelta(minutes=10)
    assert [one.id for one in await gate.placement.open_approvals()] == [asked.id]
    assert not gate.orders_sent()
    assert not await gate.placement.attempts(limit=5)


@BOTH
@pytest.mark.anyio
async def test_the_same_quote_is_asked_about_once_whoever_asks(gate: Gate, wish: OrderIntent) -> None:
    asked = await gate.asked(wish)
    gate.clock.time += timedelta(minutes=9)
    assert await gate.asked(wish) == asked
    async with gate.another() as other:
        again = await other.place(wish)
    assert isinstance(again, Approval)
    assert again == asked


@BOTH
@pytest.mark.anyio
async def test_another_quote_is_another_question_and_takes_the_place_of_the_first(
    gate: Gate, wish: OrderIntent
) -> None:
    first = await gate.asked(wish)
    gate.simulator.set_price(STORE, TEE, 2100)
    cheaper = await gate.asked(wish)
    assert cheaper.id != first.id
    assert cheaper.total < first.total
    with pytest.raises(NotAllowed, match="no open approval"):
        await gate.placement.review(first.id)
    again = await gate.asked(replace(wish, repeat=True))
    assert again.id not in {first.id, cheaper.id}
    assert await gate.placement.open_approvals() == [again]


@BOTH
@pytest.mark.anyio
async def test_a_question_can_be_answered_for_ten_minutes(gate: Gate, wish: OrderIntent) -> None:
    asked = await gate.asked(wish)
    gate.clock.time += ANSWER_WITHIN - timedelta(seconds=1)
    review = await gate.placement.review(asked.id)
    gate.clock.time += timedelta(seconds=1)
    with pytest.raises(NotAllowed, match="ten minutes are over"):
        await gate.placement.review(asked.id)
    with pytest.raises(NotAllowed, match="expired"):
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert not gate.orders_sent()
    assert not await gate.placement.open_approvals()
    assert (await gate.asked(wish)).id != asked.id


@BOTH
@pytest.mark.anyio
async def test_a_yes_places_the_order_and_is_used_up(gate: Gate, wish: OrderIntent) -> None:
    review = await gate.reviewed(wish)
    placed = await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    assert (placed.state, gate.charges) == (State.PLACED, [5340])
    with pytest.raises(NotAllowed, match="no open approval"):
        await gate.placement.review(review.approval.id)
    again = await gate.placement.approve(review, CODE, BY_PERSON)
    assert (again.is_new, again.id) == (False, placed.id)
    assert gate.orders_sent() == 1


@pytest.mark.anyio
async def test_a_yes_to_once_more_is_used_up_too(gate: Gate) -> None:
    await gate.bought(ITEMS)
    review = await gate.reviewed(replace(ITEMS, repeat=True))
    beside = await gate.placement.review(review.approval.id)
    await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    with pytest.raises(NotAllowed, match="was answered"):
        await gate.placement.approve(beside, CODE, BY_PERSON)
    assert gate.charges == [5340, 5340]


@BOTH
@pytest.mark.anyio
async def test_a_no_holds_until_the_question_would_have_expired(gate: Gate, wish: OrderIntent) -> None:
    review = await gate.reviewed(wish)
    beside = await gate.placement.review(review.approval.id)
    await gate.placement.decline(review, "test")
    for now in (timedelta(0), ANSWER_WITHIN - timedelta(seconds=1)):
        gate.clock.time = review.approval.asked_at + now
        assert (await gate.asked(wish)).status is ApprovalStatus.DECLINED
    with pytest.raises(NotAllowed, match="was answered, replaced"):
        await gate.placement.approve(beside, CODE, BY_PERSON)
    gate.clock.time += timedelta(seconds=1)
    assert (await gate.asked(wish)).id != review.approval.id
    assert not gate.orders_sent()


@pytest.mark.anyio
async def test_a_no_does_not_undo_a_yes(gate: Gate) -> None:
    review = await gate.reviewed(CART)
    placed = await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    await gate.placement.decline(review, "test")
    found = await gate.placement.place(CART)
    assert isinstance(found, Attempt)
    assert found == placed


@BOTH
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.anyio
async def test_of_two_desks_that_say_yes_at_once_one_orders(gate: Gate, wish: OrderIntent, *, repeat: bool) -> None:
    asked = await gate.asked(replace(wish, repeat=repeat))
    attempts: set[str] = set()

    async def yes(placement: Checkout, review: Review) -> None:
        try:
            attempts.add((await gate.ended(await placement.approve(review, CODE, BY_PERSON))).id)
        except NotAllowed:
            return

    async with gate.another() as other:
        reviews = [(rooms, await rooms.review(asked.id)) for rooms in (gate.placement, other)]
        async with anyio.create_task_group() as tasks:
            for desk, review in reviews:
                tasks.start_soon(yes, desk, review)
    assert len(attempts) == 1
    assert gate.orders_sent() == 1
    assert gate.charges == [5340]


@BOTH
@pytest.mark.anyio
async def test_a_yes_places_the_order_though_the_program_that_asked_is_gone(gate: Gate, wish: OrderIntent) -> None:
    async with gate.another() as asking:
        asked = await asking.place(wish)
        assert isinstance(asked, Approval)
    placing = await gate.placement.approve(await gate.placement.review(asked.id), CODE, BY_PERSON)
    placed = await gate.ended(placing)
    assert placed.state is State.PLACED
    async with gate.another() as later:
        found = await later.place(wish)
        assert isinstance(found, Attempt)
        assert (found.is_new, found) == (False, placed)


@BOTH
@pytest.mark.anyio
async def test_a_price_that_rose_since_the_question_is_shown_and_the_yes_is_to_it(
    gate: Gate, wish: OrderIntent
) -> None:
    asked = await gate.asked(wish)
    gate.simulator.set_price(STORE, TEE, 3000)
    review = await gate.placement.review(asked.id)
    assert review.quote.total > asked.total
    placed = await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    assert placed.total == review.quote.total
    assert gate.charges == [int(review.quote.total.amount * 100)]


@BOTH
@pytest.mark.anyio
async def test_a_price_that_rises_after_it_was_shown_stops_the_order_and_leaves_the_question(
    gate: Gate, wish: OrderIntent
) -> None:
    review = await gate.reviewed(wish)
    gate.simulator.set_price(STORE, TEE, 2201)
    with pytest.raises(QuoteChanged) as caught:
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert f"line {TEE}: price: 22.00 USD → 22.01 USD" in caught.value.difference
    assert not gate.orders_sent()
    again = await gate.placement.review(review.approval.id)
    assert (await gate.ended(await gate.placement.approve(again, CODE, BY_PERSON))).state is State.PLACED
    assert gate.charges == [int(again.quote.total.amount * 100)]


@pytest.mark.anyio
async def test_a_cart_that_was_changed_after_it_was_shown_stops_the_order(gate: Gate) -> None:
    review = await gate.reviewed(CART)
    await (await gate.services.firmly()).add_line_item(STORE, {"variant_id": TEE}, 1)
    with pytest.raises(QuoteChanged, match="Nothing was sent"):
        await gate.placement.approve(review, CODE, BY_PERSON)
    await (await gate.services.firmly()).clear_cart(STORE)
    with pytest.raises(NotAllowed, match="empty"):
        await gate.placement.review(review.approval.id)
    assert not gate.orders_sent()


@BOTH
@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ('[USD]\nrefuse_above = "53.39"', RuleDenied),
        ('[USD]\nrefuse_above_a_day = "53.39"', RuleDenied),
        ("[", SettingsError),
    ],
)
@pytest.mark.anyio
async def test_rules_that_turned_to_refuse_stop_a_yes(
    gate: Gate, wish: OrderIntent, rules: str, error: type[FirmlyError]
) -> None:
    review = await gate.reviewed(wish)
    gate.rules(rules)
    with pytest.raises(error):
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert not gate.orders_sent()
    assert [one.id for one in await gate.placement.open_approvals()] == [review.approval.id]
    assert not gate.kept_devices()


@BOTH
@pytest.mark.anyio
async def test_a_yes_that_finds_the_order_placed_already_leaves_no_device_behind(gate: Gate, wish: OrderIntent) -> None:
    review = await gate.reviewed(replace(wish, reference="mine"))
    placed = await gate.bought(wish)
    joined = await gate.placement.approve(review, CODE, BY_PERSON)
    assert (joined.is_new, joined.id) == (False, placed.id)
    assert not gate.kept_devices()


@pytest.mark.anyio
async def test_a_desk_shows_every_doubt_at_the_store_and_what_was_bought_before(gate: Gate) -> None:
    three = replace(ITEMS, items=(Item(TEE, 3),))
    gate.simulator.faults.add("reset-after-body", "*_order_v2")
    doubt = await gate.bought(three)
    bought = [await gate.bought(replace(ITEMS, items=(Item(TEE, n),))) for n in (1, 2)]
    review = await gate.reviewed(replace(ITEMS, repeat=True))
    assert doubt.state is State.UNKNOWN
    assert review.approval.rule == "doubt"
    assert [attempt.id for attempt in review.in_doubt] == [doubt.id]
    assert review.previous == bought[1]
    gate.clock.time += timedelta(days=1)
    later = await gate.reviewed(ITEMS)
    assert later.previous is None
    assert [attempt.id for attempt in later.in_doubt] == [doubt.id]


@pytest.mark.anyio
async def test_a_doubt_is_shown_however_much_was_ordered_since(gate: Gate) -> None:
    gate.simulator.faults.add("reset-after-body", "*_order_v2")
    doubt = await gate.bought(ITEMS)
    journal = gate.placement.journal
    for number in range(21):
        begun = await journal.begin(replace(DRAFT, id=f"att_{number}", store="s.example", cart_id=None), PERMIT)
        await journal.end(begun, Outcome(State.NOT_PLACED))
    review = await gate.reviewed(replace(ITEMS, items=(Item(TEE, 1),)))
    assert [attempt.id for attempt in review.in_doubt] == [doubt.id]


@pytest.mark.anyio
async def test_what_is_in_doubt_itself_is_not_asked_about_again(gate: Gate) -> None:
    gate.simulator.faults.add("reset-after-body", "*_order_v2")
    doubt = await gate.bought(ITEMS)
    for again in (ITEMS, replace(ITEMS, repeat=True), CART, replace(CART, reference="other")):
        found = await gate.placement.place(again)
        assert isinstance(found, Attempt)
        assert found.id == doubt.id
    assert gate.orders_sent() == 1


@pytest.mark.anyio
async def test_a_question_is_its_shoppers_own(gate: Gate) -> None:
    asked = await gate.asked(ITEMS)
    async with gate.another(shopper="ben") as bens:
        assert not await bens.open_approvals()
        with pytest.raises(NotAllowed, match="no open approval"):
            await bens.review(asked.id)


@BOTH
@pytest.mark.anyio
async def test_a_question_holds_labels_and_no_address_and_no_card(gate: Gate, wish: OrderIntent) -> None:
    await gate.asked(replace(wish, card="test-visa", address="home" if wish.items else None))
    written = b"".join(path.read_bytes() for path in gate.settings.data_dir.glob("journal*"))
    assert b"test-visa" in written
    for private in (b"4111", b"1 Test Street", b"ana@example.com", b"206-555-0100", b"Lima"):
        assert private not in written


@pytest.mark.anyio
async def test_a_question_about_items_leaves_no_cart_at_the_store(gate: Gate) -> None:
    await gate.asked(ITEMS)
    review = await gate.reviewed(ITEMS)
    await gate.placement.decline(review, "test")
    asked = await gate.asked(replace(ITEMS, items=(Item(TEE, 1),)))
    await (await gate.services.vault()).remove_card("test-visa")
    with pytest.raises(CardNotFound):
        await gate.placement.review(asked.id)
    made = [request for request in gate.simulator.requests if request.path.endswith("/shipping-info")]
    emptied = [request for request in gate.simulator.requests if request.method == "DELETE"]
    assert len(made) - 1 == len(emptied) == 5


@BOTH
@pytest.mark.anyio
async def test_a_security_code_is_in_no_log_no_file_and_no_keyring_entry(
    gate: Gate, tmp_path: Path, wish: OrderIntent, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    vault = await gate.services.vault()
    # Its four digits stand nowhere else.
    await vault.add_card(a_card(label="amex", number=SecretStr(TEST_AMEX), billing_address="home", year="2034"))
    placing = await gate.placement.approve(
        await gate.reviewed(replace(wish, card="amex")), SecretStr("8046"), BY_PERSON
    )
    assert (await gate.ended(placing)).state is State.PLACED
    written = capfd.readouterr()
    seen = {"log": caplog.text, "output": written.out + written.err}
    seen |= {name: entry.get_secret_value() for name, entry in gate.keychain._secrets.items()}
    # What the simulator keeps is the store's.
    kept = (path for path in tmp_path.rglob("*") if path.is_file() and "simulator" not in path.parts)
    seen |= {path.name: path.read_bytes().decode("latin-1") for path in kept}
    assert {"journal.sqlite3", f"simulator/{vault.owner.shopper}/card/amex"} <= set(seen)
    assert [name for name, text in seen.items() if re.search(r"\b8046\b", text)] == []
