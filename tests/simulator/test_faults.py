"""Faults on request: that each does what its row says, and only to the request that was meant."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from firmly_mcp.simulator.answers import STATUS
from firmly_mcp.simulator.faults import ACTIONS, Faults
from tests.simulator.shopping import ADDRESS, HOODIE, LUMA, TEE, Shopper, cents, error, event

pytestmark = pytest.mark.anyio
COMPLETE, PLACE = "complete_order_v2", "place_order_v2"


@pytest.fixture
def fault(shopper: Shopper) -> Any:
    """Adds a fault."""
    return shopper.sim.faults.add


async def filled(shopper: Shopper) -> dict[str, Any]:
    await shopper.add(TEE)
    cart: dict[str, Any] = (await shopper.ship()).json()
    return cart


async def test_a_fault_strikes_the_nth_match_and_then_no_more(shopper: Shopper, fault: Any) -> None:
    struck = fault("refuse", "get_cart_v2", n=2, error="ErrorStoreUnavailable")
    statuses = [(await shopper.cart()).status_code for _ in range(4)]
    assert (statuses, struck.hits) == ([200, 503, 200, 200], 1)


async def test_a_fault_may_strike_several_times_or_for_ever(shopper: Shopper, fault: Any) -> None:
    fault("refuse", "GET */cart", times=2, error="MerchantError")
    assert [(await shopper.cart()).status_code for _ in range(3)] == [500, 500, 200]
    fault("refuse", "api GET */cart", times=None, error="ErrorUnauthorized")
    assert [(await shopper.cart()).status_code for _ in range(3)] == [401] * 3
    shopper.sim.faults.clear()
    assert (await shopper.cart()).status_code == 200


async def test_others_are_left_alone(shopper: Shopper, fault: Any) -> None:
    fault("unavailable", COMPLETE)
    assert (await filled(shopper))["cart_status"] == "active"
    assert error(await shopper.complete()) == (503, "ServiceUnavailable")


@pytest.mark.parametrize(("action", "options"), [("nope", {}), ("refuse", {}), ("delay", {"seconds": 1, "minutes": 1})])
def test_unknown_actions_and_options_are_told_at_once(action: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=action):
        Faults().add(action, **options)


@pytest.mark.parametrize("action", ["reset-before-body", "reset-in-body", "reset-after-body"])
async def test_a_reset_before_the_work_does_nothing(shopper: Shopper, fault: Any, action: str) -> None:
    await filled(shopper)
    fault(action, COMPLETE)
    with pytest.raises(httpx2.TransportError):
        await shopper.complete()
    assert shopper.sim.books.charges == []
    assert shopper.sim.requests[-1].status is None
    assert (await shopper.complete()).status_code == 200


async def test_401_once_429_with_its_wait_and_503(shopper: Shopper, fault: Any) -> None:
    fault("unauthorized")
    assert error(await shopper.cart()) == (401, "InvalidToken")
    fault("rate-limit", retry_after=7)
    limited = await shopper.cart()
    assert (error(limited), limited.headers["retry-after"]) == ((429, "RateLimitExceeded"), "7")
    fault("unavailable")
    assert error(await shopper.cart()) == (503, "ServiceUnavailable")
    assert (await shopper.cart()).status_code == 200


@pytest.mark.parametrize(("name", "status"), STATUS.items())
async def test_every_error_of_the_table_can_be_had(shopper: Shopper, fault: Any, name: str, status: int) -> None:
    fault("refuse", error=name)
    assert error(await shopper.cart()) == (status, name)


async def test_any_error_of_the_contract_can_be_had_with_any_status(shopper: Shopper, fault: Any) -> None:
    fault("refuse", error="ErrorPaymentDeclined", status=402, description="No")
    answer = await shopper.cart()
    assert answer.json() == {"code": 402, "error": "ErrorPaymentDeclined", "description": "No"}


@pytest.mark.parametrize(("action", "charged"), [("delay", 0), ("delay-answer", 1)])
async def test_a_delay_comes_before_or_after_the_work(shopper: Shopper, fault: Any, action: str, charged: int) -> None:
    await filled(shopper)
    sealed = await shopper.sealed()
    fault(action, COMPLETE, seconds=60)
    body = {"encrypted_card": sealed, "billing_info": ADDRESS}
    with pytest.raises(httpx2.ReadTimeout):
        await shopper.pay("POST", f"/api/v2/payment/domains/{LUMA}/complete-order", body, timeout=0.5)
    assert len(shopper.sim.books.charges) == charged


async def test_after_a_delay_the_answer_comes(shopper: Shopper, fault: Any) -> None:
    fault("delay", "get_cart_v2", seconds=0.05)
    fault("delay-answer", "get_cart_v2", seconds=0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert (await shopper.cart()).status_code == 200
    assert loop.time() - started >= 0.1


async def test_a_lost_answer_was_done(shopper: Shopper, fault: Any) -> None:
    await filled(shopper)
    fault("lose-answer", COMPLETE)
    with pytest.raises(httpx2.RemoteProtocolError):
        await shopper.complete()
    assert len(shopper.sim.books.charges) == 1
    assert (await shopper.cart()).json()["cart_status"] == "submitted"


@pytest.mark.parametrize(
    ("action", "options", "status"),
    [
        ("refuse-after", {}, 503),
        ("refuse-after", {"error": "ErrorCheckout", "status": 500}, 500),
        ("gateway-timeout", {}, 504),
    ],
)
async def test_a_charge_can_hide_behind_an_error(
    shopper: Shopper, fault: Any, action: str, options: dict[str, Any], status: int
) -> None:
    await filled(shopper)
    fault(action, COMPLETE, **options)
    assert (await shopper.complete()).status_code == status
    assert len(shopper.sim.books.charges) == 1


async def test_a_truncated_body_breaks_off_and_another_is_no_json(shopper: Shopper, fault: Any) -> None:
    fault("truncate", "get_cart_v2", keep=0.3)
    with pytest.raises(httpx2.RemoteProtocolError):
        await shopper.cart()
    fault("not-json", "get_cart_v2")
    answer = await shopper.cart()
    assert (answer.status_code, answer.text[:6]) == (200, "<html>")


async def test_a_notice_comes_with_200_and_without_an_order(shopper: Shopper, fault: Any) -> None:
    cart = await filled(shopper)
    fault("notice", COMPLETE)
    answer = (await shopper.complete()).json()
    assert answer["notice"] == ["CART_ITEMS_REMOVED"]
    assert "platform_order_number" not in answer
    assert answer["cart_id"] == cart["cart_id"]
    assert shopper.sim.books.charges == []


async def test_prices_stock_and_terms_move_between_the_cart_and_the_payment(shopper: Shopper, fault: Any) -> None:
    await filled(shopper)
    fault("set-price", COMPLETE, store=LUMA, sku="WS12-XS-Orange", cents=3000)
    fault("change-terms", COMPLETE, store=LUMA, tax_added=1000, shipping_added=250)
    assert cents((await shopper.complete()).json()["total"]) == 3000 + 750 + 330
    await filled(shopper)
    fault("set-stock", COMPLETE, store=LUMA, sku="WS12-XS-Orange", left=0)
    assert error(await shopper.complete()) == (422, "ErrorNotEnoughStock")


async def test_a_rise_inside_the_payment_is_charged(shopper: Shopper, fault: Any) -> None:
    fault("set-price", PLACE, store=LUMA, sku="WS12-XS-Orange", cents=2500, inside=True)
    seen = dict(await shopper.stream(TEE))
    assert cents(seen["shipping-updated"]["cart"]["sub_total"]) == 2200
    assert cents(seen["order-placed"]["order"]["sub_total"]) == 2500
    assert shopper.sim.books.charges[0].amount == cents(seen["order-placed"]["order"]["total"]) == 2500 + 500 + 250


async def test_a_currency_can_change(shopper: Shopper, fault: Any) -> None:
    await filled(shopper)
    fault("change-terms", COMPLETE, store=LUMA, currency="CAD")
    assert (await shopper.complete()).json()["total"]["currency"] == "CAD"
    assert shopper.sim.books.charges[0].currency == "CAD"


async def test_the_key_can_rotate_and_the_clock_jump_in_the_middle(shopper: Shopper, fault: Any) -> None:
    await filled(shopper)
    fault("rotate-key", COMPLETE)
    assert error(await shopper.complete()) == (400, "ErrorInvalidInputBody")
    fault("advance-clock", COMPLETE, seconds=3600)
    assert error(await shopper.complete()) == (401, "TokenExpired")


@pytest.mark.parametrize("seconds", [None, 60])
async def test_a_charged_order_can_stay_out_of_the_cart(shopper: Shopper, fault: Any, seconds: float | None) -> None:
    await filled(shopper)
    fault("hide-order", COMPLETE, seconds=seconds)
    assert (await shopper.complete()).status_code == 200
    assert (await shopper.cart()).json()["cart_status"] == "active"
    fault("advance-clock", "get_cart_v2", seconds=61)
    assert (await shopper.cart()).json()["cart_status"] == ("active" if seconds is None else "submitted")


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_stream_can_be_cut_after_any_event(shopper: Shopper, fault: Any, after: int, goes_on: bool) -> None:
    fault("cut-stream", PLACE, after=after, goes_on=goes_on)
    heard = []
    body = await shopper.order_body(TEE)
    url = f"{shopper.sim.payment_url}/api/v2/payment/domains/{LUMA}/place-order?sse=true"
    headers = {"x-firmly-authorization": shopper.token}
    with pytest.raises(httpx2.RemoteProtocolError):  # noqa: PT012 - what was heard before the cut is the point
        async with shopper.http.stream("POST", url, headers=headers, json=body) as answer:
            async for text in answer.aiter_text():
                heard += [event(frame)[0] for frame in text.split("\n\n") if frame]
    assert heard == ["creating-cart", "item-added", "shipping-updated", "order-placed"][:after]
    assert len(shopper.sim.books.charges) == (goes_on or after == 4)


async def test_a_stream_can_lose_its_last_event_or_end_in_an_error_though_charged(shopper: Shopper, fault: Any) -> None:
    fault("refuse-after", PLACE)
    assert (await shopper.stream(TEE))[-1] == (
        "error",
        {"code": 503, "error": "ErrorStoreUnavailable", "description": "Refused on request"},
    )
    fault("lose-answer", PLACE)
    with pytest.raises(httpx2.RemoteProtocolError):
        await shopper.stream(TEE)
    assert len(shopper.sim.books.charges) == 2


async def test_a_stream_can_stall_between_two_events(shopper: Shopper, fault: Any) -> None:
    fault("stall-stream", PLACE, after=3, seconds=60)
    body = await shopper.order_body(TEE)
    with pytest.raises(httpx2.ReadTimeout):
        await shopper.pay("POST", f"/api/v2/payment/domains/{LUMA}/place-order?sse=true", body, timeout=0.5)
    assert shopper.sim.books.charges == []


async def test_events_can_be_repeated_swapped_unknown_and_malformed(shopper: Shopper, fault: Any) -> None:
    fault("repeat-event", PLACE, event=2)
    fault("unknown-event", PLACE, before=3)
    names = [name for name, _ in await shopper.stream(TEE)]
    expected = ["creating-cart", "item-added", "item-added", "warehouse-singing", "shipping-updated", "order-placed"]
    assert names == expected
    fault("swap-events", PLACE, event=3)
    names = [name for name, _ in await shopper.stream(TEE)]
    assert names == ["creating-cart", "item-added", "order-placed", "shipping-updated"]
    fault("swap-events", PLACE, event=4)
    names = [name for name, _ in await shopper.stream(TEE)]
    assert names == ["creating-cart", "item-added", "shipping-updated", "order-placed"]
    fault("malformed-event", PLACE, event=4)
    body = await shopper.order_body(HOODIE)
    answer = await shopper.pay("POST", f"/api/v2/payment/domains/{LUMA}/place-order?sse=true", body)
    assert answer.text.endswith('event: order-placed\ndata: {"cart":\n\n')


@pytest.mark.parametrize("seconds", [None, 60])
async def test_a_charged_cart_can_be_not_found(shopper: Shopper, fault: Any, seconds: float | None) -> None:
    await filled(shopper)
    fault("hide-cart", COMPLETE, seconds=seconds)
    assert (await shopper.complete()).status_code == 200
    assert error(await shopper.cart()) == (404, "ErrorCartNotFound")
    fault("advance-clock", "get_cart_v2", seconds=61)
    later = await shopper.cart()
    assert later.status_code == (404 if seconds is None else 200)
    assert seconds is None or later.json()["cart_status"] == "submitted"


@pytest.mark.parametrize("stated", [-10000, 0, 100])
async def test_an_answer_can_state_another_total_than_was_charged(shopper: Shopper, fault: Any, stated: int) -> None:
    await filled(shopper)
    fault("lie-amount", COMPLETE, cents=stated)
    assert cents((await shopper.complete()).json()["total"]) == stated
    fault("lie-amount", PLACE, cents=stated)
    assert cents(dict(await shopper.stream(TEE))["order-placed"]["order"]["total"]) == stated
    fault("lie-amount", "get_cart_v2", cents=stated)
    assert cents((await shopper.cart()).json()["total"]) == stated
    assert all(charge.amount > 100 for charge in shopper.sim.books.charges)


async def test_an_error_can_come_before_or_after_any_event_of_an_order_that_goes_on(
    shopper: Shopper, fault: Any
) -> None:
    fault("error-before", PLACE)
    names = [name for name, _ in await shopper.stream(TEE)]
    assert names == ["creating-cart", "item-added", "shipping-updated", "error", "order-placed"]
    fault("error-before", PLACE, event="item-added", error="ErrorPaymentDeclined")
    seen = await shopper.stream(TEE)
    assert [name for name, _ in seen] == ["creating-cart", "error", "item-added", "shipping-updated", "order-placed"]
    assert dict(seen)["error"]["error"] == "ErrorPaymentDeclined"
    fault("error-after", PLACE)
    names = [name for name, _ in await shopper.stream(TEE)]
    assert names == ["creating-cart", "item-added", "shipping-updated", "order-placed", "error"]
    assert len(shopper.sim.books.charges) == 3


@pytest.mark.parametrize(("event", "goes_on", "charged"), [("order-placed", True, 1), ("item-added", True, 1),
                                                          ("item-added", False, 0)])  # fmt: skip
async def test_a_stream_can_be_cut_after_an_error(
    shopper: Shopper, fault: Any, event: str, goes_on: bool, charged: int
) -> None:
    fault("error-then-cut", PLACE, event=event, goes_on=goes_on)
    with pytest.raises(httpx2.RemoteProtocolError):
        await shopper.stream(TEE)
    assert len(shopper.sim.books.charges) == charged


async def test_a_change_of_the_cart_can_be_made_and_answered_with_5xx(shopper: Shopper, fault: Any) -> None:
    fault("refuse-after", "add_line_item_v2", error="InternalServerError", status=502)
    assert (await shopper.add(TEE)).status_code == 502
    assert [line["quantity"] for line in (await shopper.cart()).json()["line_items"]] == [1]


def test_every_action_is_tried_here() -> None:
    tried = Path(__file__).read_text("utf-8")
    assert not [action for action in ACTIONS if f'"{action}"' not in tried]
