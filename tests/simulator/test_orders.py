"""How orders come along as the clock moves: contract section 5.12."""

from typing import Any

import pytest

from tests.simulator.shopping import HOODIE, LUMA, TEE, VOLTA, Clock, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def status(shopper: Shopper, number: str, store: str = LUMA) -> dict[str, Any]:
    await shopper.session(shopper.token)
    answer = await shopper.api("GET", f"/api/v1/orders/domains/{store}/order/{number}/status")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_order_comes_along_from_placed_to_delivered(shopper: Shopper, clock: Clock) -> None:
    number = (await shopper.place(TEE)).json()["platform_order_number"]
    seen = []
    for step in ({}, {"minutes": 10}, {"minutes": 50}, {"hours": 23}, {"days": 2}):
        clock.tick(**step)
        seen.append(await status(shopper, number))
    statuses = ["pending", "confirmed", "processing", "on_its_way", "delivered"]
    assert [each["status"] for each in seen] == statuses
    assert [each["line_items"][0]["status"] for each in seen] == statuses
    assert [len(each["events"]) for each in seen] == [1, 2, 2, 3, 4]
    assert {each["order_number"] for each in seen} == {number}
    assert seen[0]["fulfillments"] == []
    last = seen[-1]["fulfillments"][0]
    assert (last["status"], last["line_item_skus"]) == ("DELIVERED", ["WS12-XS-Orange"])
    assert last["tracking_number"] == seen[-1]["line_items"][0]["tracking"]["tracking_number"]


async def test_of_two_lines_one_arrives_first_and_comes_back_refunded(shopper: Shopper, clock: Clock) -> None:
    number = (await shopper.place(TEE, HOODIE)).json()["platform_order_number"]
    clock.tick(days=4)
    assert (await status(shopper, number))["status"] == "partially_delivered"
    clock.tick(days=2)
    assert (await status(shopper, number))["status"] == "delivered"
    clock.tick(days=5)
    back = await status(shopper, number)
    assert [line["status"] for line in back["line_items"]] == ["returned", "delivered"]
    assert (back["returns"][0]["status"], "refunds" in back) == ("received", False)
    clock.tick(days=3)
    paid_back = await status(shopper, number)
    assert paid_back["returns"][0]["status"] == "completed"
    assert cents(paid_back["refund_total"]) == cents(paid_back["refunds"][0]["amount"]) == 2200 + 220
    assert cents(paid_back["line_items"][0]["refund_amount"]) == 2420


async def test_a_whole_order_can_be_sent_back(shopper: Shopper, clock: Clock) -> None:
    ref = await shopper.buyable("earbuds", VOLTA)
    number = (await shopper.place(ref, store=VOLTA)).json()["platform_order_number"]
    clock.tick(days=5)
    assert (await status(shopper, number, VOLTA))["status"] == "delivered"
    shopper.sim.send_back(number)
    assert (await status(shopper, number, VOLTA))["status"] == "returned"
    clock.tick(days=4)
    assert (await status(shopper, number, VOLTA))["status"] == "refunded"


async def test_an_unknown_order_is_not_found(shopper: Shopper) -> None:
    number = (await shopper.place(TEE)).json()["platform_order_number"]
    for store, order in ((LUMA, "SIM-000009-000000"), (VOLTA, number)):
        answer = await shopper.api("GET", f"/api/v1/orders/domains/{store}/order/{order}/status")
        assert error(answer) == (404, "ErrorOrderNotFound")
