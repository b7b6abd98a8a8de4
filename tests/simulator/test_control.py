"""The control path: for whoever knows the secret, and only for them."""

import asyncio
from datetime import timedelta

import pytest

from firmly_mcp.simulator import Simulator, ask, fetch_books
from firmly_mcp.simulator.control import ACTIONS, SECRET
from tests.simulator.shopping import LUMA, TEE, Clock, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def test_without_the_secret_it_is_not_there(shopper: Shopper) -> None:
    for method, path in ACTIONS:
        for headers in ({}, {SECRET: "wrong"}, {SECRET: shopper.sim.app_id}):
            answer = await shopper.api(method, f"/__control__/{path}", headers=headers)
            assert error(answer) == (404, "RouteNotFound")


async def test_it_is_on_the_api_host_only(shopper: Shopper) -> None:
    headers = {SECRET: shopper.sim.control_secret}
    assert (await shopper.api("GET", "/__control__/ping", headers=headers)).status_code == 200
    assert error(await shopper.pay("GET", "/__control__/ping", headers=headers)) == (404, "RouteNotFound")


async def test_another_process_can_read_the_books_and_what_was_received(shopper: Shopper) -> None:
    await shopper.place(TEE)
    books = await fetch_books(shopper.sim)
    assert books.charges == shopper.sim.books.charges
    assert books.total(LUMA) == 2920
    received = (await ask(shopper.sim, "received"))["received"]
    assert received[0]["fields"] == ["number", "name", "verification_value", "month", "year"]
    assert (await ask(shopper.sim, "requests"))["requests"][-1]["path"].endswith("place-order")


async def test_control_requests_are_not_in_the_log(shopper: Shopper) -> None:
    before = len(shopper.sim.requests)
    await ask(shopper.sim, "ping")
    assert len(shopper.sim.requests) == before


async def test_faults_can_be_set_listed_and_cleared(shopper: Shopper) -> None:
    wish = {"action": "rate-limit", "match": "get_cart_v2", "n": 2, "options": {"retry_after": 3}}
    assert (await ask(shopper.sim, "faults", wish))["options"] == {"retry_after": 3}
    assert [(await shopper.cart()).status_code for _ in range(2)] == [200, 429]
    assert (await ask(shopper.sim, "faults"))["faults"][0]["hits"] == 1
    await ask(shopper.sim, "faults", method="DELETE")
    assert (await ask(shopper.sim, "faults"))["faults"] == []


async def test_prices_stock_terms_key_and_clock_can_be_turned(shopper: Shopper, clock: Clock) -> None:
    sim: Simulator = shopper.sim
    await shopper.add(TEE)
    await shopper.ship()
    await ask(sim, "price", {"store": LUMA, "sku": "WS12-XS-Orange", "cents": 1000})
    await ask(sim, "terms", {"store": LUMA, "shipping_added": 100})
    assert cents((await shopper.cart()).json()["total"]) == 1000 + 600 + 100
    await ask(sim, "stock", {"store": LUMA, "sku": "WS12-XS-Orange", "left": 0})
    assert (await shopper.cart()).json()["cart_status"] == "checkout_blocked"
    kid = (await ask(sim, "rotate-key", {}))["kid"]
    assert (await shopper.pay("GET", "/api/v1/payment/key")).json()["kid"] == kid
    assert (await ask(sim, "rotate-key", {"same_kid": True}))["kid"] == kid
    await ask(sim, "clock", {"advance_seconds": 60})
    assert sim.world.now() == clock() + timedelta(minutes=1)


async def test_another_process_can_hold_events_and_send_orders_back(shopper: Shopper) -> None:
    gate = (await ask(shopper.sim, "gates", {"store": LUMA}))["gate"]
    order = asyncio.create_task(shopper.stream(TEE))
    assert await ask(shopper.sim, "gates/release", {"gate": gate}) == {"event": "creating-cart"}
    assert await ask(shopper.sim, "gates/release", {"gate": gate}) == {"event": "item-added"}
    await ask(shopper.sim, "gates/open", {"gate": gate})
    number = (await order)[-1][1]["order"]["platform_order_number"]
    await ask(shopper.sim, "return", {"order_number": number})
    answer = await shopper.api("GET", f"/api/v1/orders/domains/{LUMA}/order/{number}/status")
    assert answer.json()["status"] == "returned"


@pytest.mark.parametrize("body", [{"action": "nope"}, {}, {"action": "delay"}])
async def test_a_wrong_wish_is_told(shopper: Shopper, body: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="refused"):
        await ask(shopper.sim, "faults", body)


async def test_nobody_there_is_a_connection_error() -> None:
    async with Simulator() as gone:

        class Address:
            api_url = gone.api_url
            control_secret = gone.control_secret

    with pytest.raises(ConnectionError):
        await ask(Address(), "ping")
