"""Order streams: contract section 7, and the gate that proves that events go out one by one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from firmly_mcp.simulator import DECLINED_CARD, Simulator
from tests.simulator.shopping import HOODIE, LUMA, TEE, VOLTA, Shopper, cents, error, event

pytestmark = pytest.mark.anyio
PLACE = f"/api/v2/payment/domains/{LUMA}/place-order?sse=true"


async def listen(shopper: Shopper, heard: asyncio.Queue[tuple[str, Any]], *items: dict[str, Any]) -> None:
    """Order with a stream, and hand over each event as it arrives."""
    body = await shopper.order_body(*items)
    headers = {"x-firmly-authorization": shopper.token}
    async with shopper.http.stream("POST", shopper.sim.payment_url + PLACE, headers=headers, json=body) as answer:
        async for frame in frames(answer.aiter_text()):
            heard.put_nowait(event(frame))


async def frames(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """Whole frames out of whatever pieces arrive."""
    rest = ""
    async for text in texts:
        *whole, rest = (rest + text).split("\n\n")
        for frame in whole:
            yield frame


async def test_a_stream_tells_each_step_and_ends_with_the_order(shopper: Shopper) -> None:
    seen = await shopper.stream(TEE, HOODIE)
    assert [name for name, _ in seen] == [
        "creating-cart",
        "item-added",
        "item-added",
        "shipping-updated",
        "order-placed",
    ]
    data = [data for _, data in seen]
    assert data[0] == {}
    assert [len(step["cart"]["line_items"]) for step in data[1:4]] == [1, 2, 2]
    assert [cents(step["cart"]["total"]) for step in data[1:4]] == [2200, 7600, 8860]
    order = data[4]["order"]
    assert shopper.sim.books.of_order(order["platform_order_number"])[0].amount == cents(order["total"]) == 8860


async def test_events_go_out_one_by_one_as_they_are_released(shopper: Shopper) -> None:
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    with shopper.sim.hold_events(LUMA) as gate:
        order = asyncio.create_task(listen(shopper, heard, TEE))
        for expected in ("creating-cart", "item-added", "shipping-updated", "order-placed"):
            assert heard.empty()
            async with asyncio.timeout(5):
                assert await gate.release() == expected
                assert (await heard.get())[0] == expected
        async with asyncio.timeout(5):
            await order
    assert len(shopper.sim.books.charges) == 1


async def test_a_step_is_not_done_before_the_event_before_it_went_out(shopper: Shopper) -> None:
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    with shopper.sim.hold_events() as gate:
        order = asyncio.create_task(listen(shopper, heard, TEE))
        async with asyncio.timeout(5):
            await gate.release()
            await heard.get()
            await gate.release()
            await heard.get()
        assert shopper.sim.books.charges == []
    async with asyncio.timeout(5):
        await order
    assert len(shopper.sim.books.charges) == 1


async def test_a_gate_of_another_store_holds_nothing(shopper: Shopper) -> None:
    async with shopper.sim.hold_events(VOLTA):
        async with asyncio.timeout(5):
            assert len(await shopper.stream(TEE)) == 4


async def test_a_refusal_after_the_stream_opened_is_an_error_event(shopper: Shopper) -> None:
    seen = await shopper.stream(TEE, {"variant_id": "nope"})
    assert [name for name, _ in seen] == ["creating-cart", "item-added", "error"]
    assert seen[-1][1] == {
        "code": 404,
        "error": "ErrorProductNotFound",
        "description": f"No variant 'nope' at {LUMA}",
    }
    declined = await shopper.stream(TEE, encrypted_card=await shopper.sealed(DECLINED_CARD))
    assert declined[-1][1]["error"] == "ErrorPaymentDeclined"
    assert shopper.sim.books.charges == []


async def test_a_malformed_request_is_refused_before_the_stream_opens(shopper: Shopper) -> None:
    body = await shopper.order_body(TEE, encrypted_card="x")
    assert error(await shopper.pay("POST", PLACE, body)) == (400, "ErrorInvalidInputBody")
    shopper.token = ""
    assert error(await shopper.pay("POST", PLACE, await shopper.order_body(TEE))) == (401, "MissingAuthHeader")


async def test_the_order_is_placed_even_when_nobody_listens_any_more(shopper: Shopper) -> None:
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    with shopper.sim.hold_events(LUMA) as gate:
        order = asyncio.create_task(listen(shopper, heard, TEE))
        async with asyncio.timeout(5):
            await gate.release()
            await heard.get()
            order.cancel()
            await asyncio.gather(order, return_exceptions=True)
            for expected in ("item-added", "shipping-updated", "order-placed"):
                assert await gate.release() == expected
    assert len(shopper.sim.books.charges) == 1
    assert (await shopper.cart()).json()["cart_status"] == "submitted"


async def test_steps_can_take_their_time(shopper: Shopper) -> None:
    async with Simulator(step_delay=0.02) as slow:
        patient = Shopper(slow, shopper.http)
        await patient.session()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await patient.stream(TEE)
        assert loop.time() - started >= 4 * 0.02
