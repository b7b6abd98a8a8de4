"""A person who asked the store ends an earlier doubt on the page of the next question."""

import pytest
from playwright.async_api import Locator, Page, expect
from pydantic import SecretStr

from firmly_mcp.checkout.models import Attempt, Item, OrderIntent, State
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE

from .room import CODE, Room
from .scenes import HOODIE, PIN, at_the_doubt, bought, doubted, in_doubt, pay, to_its_end

pytestmark = pytest.mark.anyio


async def the_doubt(room: Room) -> Attempt:
    """The attempt that `doubted` left, as it stands."""
    return (await room.placement.attempts(limit=5))[-1]


def doubt_on(window: Page) -> Locator:
    return window.locator(".notice", has_text="An earlier order here is in doubt")


async def test_an_order_that_the_store_does_not_know_is_noted_and_the_question_stays(room: Room, window: Page) -> None:
    await doubted(room, window)
    await window.get_by_role("button", name="It was not placed").click()
    await expect(window.get_by_role("status")).to_contain_text("was not placed")
    await expect(doubt_on(window)).to_have_count(0)
    assert (await the_doubt(room)).state is State.NOT_PLACED
    assert room.orders_sent() == 1
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert room.orders_sent() == 2


async def test_an_order_that_the_store_knows_is_noted_with_its_number(room: Room, window: Page) -> None:
    await doubted(room, window)
    await window.get_by_label("Its order number").fill(" LG-1042 ")
    await window.get_by_role("button", name="It was placed").click()
    await expect(window.get_by_role("status")).to_contain_text("was placed, as LG-1042")
    ended = await the_doubt(room)
    assert (ended.state, ended.outcome.order_number) == (State.PLACED, "LG-1042")
    await window.get_by_role("button", name="Decline").click()
    await expect(window.get_by_role("heading", name="You declined")).to_be_visible()
    assert room.orders_sent() == 1


@pytest.mark.parametrize(
    ("number", "button", "problem"),
    [
        ("", "It was placed", "Type the number that the store gave the order."),
        ("LG-1042", "It was not placed", "An order that was not placed has no number."),
    ],
)
async def test_a_number_that_does_not_fit_is_told_beside_its_field(
    room: Room, window: Page, number: str, button: str, problem: str
) -> None:
    await doubted(room, window)
    await window.get_by_label("Its order number").fill(number)
    await window.get_by_role("button", name=button).click()
    await expect(doubt_on(window).locator(".field-problem")).to_have_text(problem)
    await expect(window.get_by_label("Its order number")).to_be_visible()
    assert (await the_doubt(room)).state is State.UNKNOWN


async def test_ending_a_doubt_takes_the_pin_where_one_is_set(room: Room, window: Page) -> None:
    await in_doubt(room)
    await (await room.services.vault()).pin.set(SecretStr(PIN), BY_PERSON)
    await at_the_doubt(room, window)
    await window.get_by_label("Its order number").fill("LG-1042")
    pin = window.get_by_label("Approval PIN, to note this down")
    for typed, problem in (("", "Type your approval PIN."), ("9017", "4")):
        await pin.fill(typed)
        await window.get_by_role("button", name="It was placed").click()
        await expect(doubt_on(window).locator(".field-problem")).to_contain_text(problem)
        await expect(window.get_by_label("Its order number")).to_have_value("LG-1042")
        await expect(pin).to_have_value("")
        assert (await the_doubt(room)).state is State.UNKNOWN
    await pin.fill(PIN)
    await window.get_by_role("button", name="It was placed").click()
    await expect(window.get_by_role("status")).to_contain_text("was placed, as LG-1042")
    assert (await the_doubt(room)).state is State.PLACED


async def test_a_form_about_another_attempt_ends_nothing(room: Room, window: Page) -> None:
    await bought(room, OrderIntent(STORE, (Item(TEE, 3),)))
    (other,) = await room.placement.attempts(limit=5)
    await doubted(room, window)
    await window.locator("[name=doubt]").evaluate("(field, id) => { field.value = id; }", other.id)
    await window.get_by_role("button", name="It was not placed").click()
    await expect(window.get_by_role("alert")).to_contain_text("Choose one of the two buttons")
    assert {attempt.state for attempt in await room.placement.attempts(limit=5)} == {State.PLACED, State.UNKNOWN}


async def test_an_order_that_is_being_sent_is_ended_by_nobody(room: Room, window: Page) -> None:
    gate = room.hold_events()
    desk = room.placement
    review = await desk.review(await room.asked(OrderIntent(STORE, (Item(HOODIE, 1),))))
    placing = await desk.approve(review, SecretStr(CODE), BY_PERSON)
    await at_the_doubt(room, window)
    await window.get_by_role("button", name="It was not placed").click()
    await expect(window.get_by_role("alert")).to_contain_text("is being sent at this moment")
    gate.open()
    await to_its_end(room.placement, placing)
    assert (await the_doubt(room)).state is State.PLACED
