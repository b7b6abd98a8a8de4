"""An order request is sent at most once, and what comes out is no more than what is proven."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Order
from firmly_mcp.api.payments import NotConfirmed, OrderEvent, OrderPlaced, StreamError
from firmly_mcp.errors import (
    FirmlyError,
    InvalidRequest,
    OrderInProgress,
    OutcomeUnknown,
    OutOfStock,
    PaymentDeclined,
    RateLimited,
    Unauthorized,
    Unreachable,
)
from firmly_mcp.simulator import DECLINED_CARD, TEST_CARD, Simulator

from .false_certificate import behind_a_false_certificate
from .loopback import RESET, Asked, loopback, reply, session_reply
from .shopping import ADDRESS, LUMA, TEE, Clock, client_of, sealed

pytestmark = pytest.mark.anyio

Way = Callable[[FirmlyClient], Awaitable[object]]
JWE = "aaaa.bbbb.cccc.dddd.eeee"
WITHOUT_LENGTH = b"HTTP/1.1 422 Said\r\ncontent-type: application/json\r\n\r\n"
ORDER = {"platform_order_number": "L-1", "cart_id": "c1", "total": {"value": 5, "number": 500, "currency": "USD"}}


async def complete(client: FirmlyClient) -> object:
    return await client.complete_order(LUMA, SecretStr(JWE), ADDRESS)


async def place(client: FirmlyClient) -> object:
    async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, JWE) as events:
        happened: list[OrderEvent] = [event async for event in events]
    assert isinstance(happened[-1], OrderPlaced)
    return happened[-1].order


both_ways = pytest.mark.parametrize("order", [complete, place])


@both_ways
async def test_an_answer_with_an_order_number_is_an_order(tmp_path: Path, order: Way) -> None:
    async with loopback(lambda _: [reply(200, ORDER)]) as server, client_of(server.url, tmp_path) as client:
        placed = await order(client)
    assert isinstance(placed, Order)
    assert placed.platform_order_number == "L-1"
    assert server.asked[0].headers["x-firmly-authorization"]
    body = server.asked[0].json
    assert isinstance(body, dict)
    assert (body["encrypted_card"], body["billing_info"]) == (JWE, dict(ADDRESS))


@both_ways
@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (422, "ErrorPaymentDeclined", PaymentDeclined),
        (422, "ErrorNotEnoughStock", OutOfStock),
        (400, "ErrorInvalidInputBody", InvalidRequest),
        (401, "TokenExpired", Unauthorized),
        (429, "RateLimitExceeded", RateLimited),
    ],
)
async def test_a_refusal_of_the_closed_table_is_told_and_not_sent_again(
    tmp_path: Path, order: Way, status: int, name: str, kind: type[FirmlyError]
) -> None:
    refused = reply(status, {"code": status, "error": name}, retry_after="0")
    async with loopback(lambda _: [refused]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(kind) as raised:
            await order(client)
    assert raised.value.money_moved == "no"
    assert len(server.asked) == 1
    assert len(server.sessions) == 1


@both_ways
@pytest.mark.parametrize(
    "steps",
    [
        [],
        [RESET],
        [b"HTTP/1.1 200 OK\r\n"],
        [reply(200, ORDER)[:-9]],
        [reply(200, ORDER)[:-9], RESET],
        [reply(200, b"<html>")],
        [reply(200, [])],
        [reply(204, b"")],
        [reply(301, b"", location="/elsewhere")],
        [reply(401, b"<html>")],
        [reply(404, {"error": "ErrorCartNotFound"})],
        [reply(408, {"error": "ErrorPaymentDeclined"})],
        [reply(409, {"error": "ErrorInvalidInputBody"})],
        [reply(422, {"error": "ErrorCheckout"})],
        [reply(422, {"error": "MerchantError"})],
        [reply(500, {"error": "ErrorPaymentDeclined"})],
        [reply(503, {"error": "ErrorStoreUnavailable"}, retry_after="0")],
        [reply(504, b"<html>gateway</html>")],
        # A refusal that its own envelope contradicts, that names an order, or that any proxy may have written.
        [reply(400, {"code": 500, "error": "ErrorInvalidInputBody"})],
        [reply(422, {"code": "503", "error": "ErrorPaymentDeclined"})],
        [reply(422, {"code": {}, "error": "ErrorPaymentDeclined"})],
        [reply(422, {"code": 409, "error": "ErrorPaymentDeclined"})],
        [reply(422, {"error": "ErrorPaymentDeclined", "order": {"platform_order_number": "L-1"}})],
        [reply(422, {"error": "ErrorPaymentDeclined", "platform_order_number": {"a": 1}})],
        [reply(422, {"error": "ErrorNotEnoughStock", "cart": {"cart_status": "submitted"}})],
        [reply(422, b'{"error": "ErrorCheckout", "code": 422, "error": "ErrorPaymentDeclined"}')],
        [reply(422, b'{"error": "ErrorPaymentDeclined", "platform_order_number": "L-1", "platform_order_number": ""}')],
        [reply(401, {"error": "Unauthorized"})],
        [reply(429, {"error": "RateLimitExceeded"})],
        # A refusal that could be the beginning of something longer.
        [reply(422, {"code": 422, "error": "ErrorPaymentDeclined"})[:-1]],
        [reply(422, b'{"code": 422, "error": "ErrorPaymentDeclined"}', content_length="9999")],
        [WITHOUT_LENGTH + b'{"code": 422, "error": "ErrorPaymentDeclined"}'],
        [reply(302, b"", location="http://[")],
    ],
)
async def test_anything_else_after_the_connection_opened_proves_nothing_and_is_not_sent_again(
    tmp_path: Path, order: Way, steps: list[object]
) -> None:
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(OutcomeUnknown) as raised:
            await order(client)
    assert raised.value.money_moved == "unknown"
    assert JWE not in raised.value.message
    assert len(server.asked) == 1


@both_ways
@pytest.mark.parametrize(
    ("status", "beside"),
    [
        (200, {"error": "ErrorPaymentDeclined", "code": 422}),
        (422, {"error": "ErrorPaymentDeclined", "code": 422}),
        (422, {"error": "ErrorNotEnoughStock", "line_items": "oops"}),
        (503, {"error": "ErrorStoreUnavailable"}),
    ],
)
async def test_an_order_number_counts_for_more_than_the_error_beside_it(
    tmp_path: Path, order: Way, status: int, beside: dict[str, object]
) -> None:
    answer = reply(status, ORDER | beside)
    async with loopback(lambda _: [answer]) as server, client_of(server.url, tmp_path) as client:
        placed = await order(client)
    assert isinstance(placed, Order)
    assert placed.platform_order_number == "L-1"


async def test_a_200_without_an_order_is_neither_yes_nor_no(tmp_path: Path) -> None:
    changed = {"cart_id": "c1", "notice": ["CART_ITEMS_REMOVED"]}
    async with loopback(lambda _: [reply(200, changed)]) as server, client_of(server.url, tmp_path) as client:
        answer = await complete(client)
    assert isinstance(answer, NotConfirmed)
    assert answer.cart.notice[0].code == "CART_ITEMS_REMOVED"


@both_ways
async def test_a_connection_that_never_opened_sent_nothing(tmp_path: Path, order: Way) -> None:
    async with loopback(lambda _: []) as gone:
        pass
    async with (
        loopback(lambda _: []) as server,
        client_of(server.url, tmp_path, payment_url=gone.url) as client,
    ):
        with pytest.raises(Unreachable, match="Nothing was sent") as raised:
            await order(client)
    assert raised.value.money_moved == "no"


@both_ways
async def test_an_order_goes_over_a_connection_of_its_own(tmp_path: Path, order: Way) -> None:
    def script(asked: Asked) -> list[object]:
        return [reply(200, ORDER if "payment" in asked.path else {"cart_id": "c1"})]

    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        await client.get_cart(LUMA)
        await client.get_cart(LUMA)
        assert server.connections == 1
        await order(client)
        await order(client)
        assert server.connections == 3


@pytest.mark.parametrize("way", ["complete_order", "place_order"])
async def test_the_last_look_comes_with_the_connection_open_and_after_what_it_raises_nothing_is_sent(
    tmp_path: Path, way: str
) -> None:
    async with loopback(lambda _: [reply(200, ORDER)]) as server, client_of(server.url, tmp_path) as client:
        await client.session.token()
        asked, connections = len(server.asked), server.connections

        async def look() -> None:
            seen.append((len(server.asked) - asked, server.connections - connections))
            raise OutOfStock("gone", status=0, name="Gone")

        async def order() -> None:
            if way == "complete_order":
                await client.complete_order(LUMA, JWE, ADDRESS, last_look=look)
            async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, JWE, last_look=look):
                raise AssertionError("it was sent")

        seen: list[tuple[int, int]] = []
        with pytest.raises(OutOfStock, match="gone"):
            await order()
        assert seen == [(0, 1)]
        assert len(server.asked) == asked


@both_ways
async def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path, order: Way) -> None:
    async with (
        behind_a_false_certificate(tmp_path) as (url, got),
        loopback(lambda _: []) as server,
        client_of(server.url, tmp_path, payment_url=url) as client,
    ):
        with pytest.raises(Unreachable, match="certificate"):
            await order(client)
    assert b"".join(got) == b""


@both_ways
async def test_a_token_is_renewed_before_an_order_and_never_after(tmp_path: Path, order: Way) -> None:
    clock = Clock()
    refused = reply(401, {"code": 401, "error": "InvalidToken"})
    async with (
        loopback(lambda _: [refused]) as server,
        client_of(server.url, tmp_path, clock=clock) as client,
    ):
        await client.session.token()
        clock.advance(seconds=3600 - 119)
        with pytest.raises(Unauthorized):
            await order(client)
    assert len(server.sessions) == 2
    assert len(server.asked) == 1


@both_ways
async def test_a_token_that_would_end_during_the_order_sends_nothing(tmp_path: Path, order: Way) -> None:
    clock = Clock()
    answers = [session_reply(), reply(503, {"error": "ServiceUnavailable"})]
    async with (
        loopback(lambda _: [reply(200, ORDER)], lambda _: [answers.pop(0)]) as server,
        client_of(server.url, tmp_path, clock=clock) as client,
    ):
        await client.session.token()
        clock.advance(seconds=3600 - 60)
        with pytest.raises(Unreachable, match="The order was not sent"):
            await order(client)
    assert server.asked == []


@both_ways
async def test_without_a_session_nothing_is_sent(tmp_path: Path, order: Way) -> None:
    down = reply(503, {"error": "ServiceUnavailable"})
    async with loopback(lambda _: [], lambda _: [down]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(Unreachable, match="The order was not sent"):
            await order(client)
    assert server.asked == []


async def test_a_store_that_is_none_and_a_quantity_of_none_send_nothing(tmp_path: Path) -> None:
    async with loopback(lambda _: []) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(InvalidRequest):
            await client.complete_order("a/b", JWE, ADDRESS)
        with pytest.raises(InvalidRequest):
            async with client.place_order(LUMA, [(TEE, 0)], ADDRESS, ADDRESS, JWE):
                pass
    assert (server.asked, server.sessions) == ([], [])


async def test_the_cart_cannot_change_between_check_and_outcome(sim: Simulator, client: FirmlyClient) -> None:
    await client.add_line_item(LUMA, TEE, 2)
    shown = await client.set_shipping_info(LUMA, ADDRESS)
    key = await client.payment_key()
    async with client.hold(LUMA) as hold:
        assert await client.get_cart(LUMA, hold=hold) == shown
        with pytest.raises(OrderInProgress):
            await client.add_line_item(LUMA, TEE, 1)
        order = await client.complete_order(LUMA, SecretStr(sealed(key)), ADDRESS, hold=hold)
    assert isinstance(order, Order)
    assert (order.total, order.inconsistencies) == (shown.total, ())
    assert [(charge.order_number, charge.amount) for charge in sim.books.charges] == [
        (order.platform_order_number, 5340)
    ]


async def test_a_declined_card_is_told_in_both_ways(sim: Simulator, client: FirmlyClient) -> None:
    card = sealed(await client.payment_key(), DECLINED_CARD)
    await client.add_line_item(LUMA, TEE, 1)
    await client.set_shipping_info(LUMA, ADDRESS)
    with pytest.raises(PaymentDeclined):
        await client.complete_order(LUMA, card, ADDRESS)
    async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, card) as events:
        last = [event async for event in events][-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, PaymentDeclined)
    assert last.error.money_moved == "no"
    assert sim.books.charges == []


async def test_a_lost_answer_is_charged_once_and_proves_nothing(sim: Simulator, client: FirmlyClient) -> None:
    card = sealed(await client.payment_key(), TEST_CARD)
    await client.add_line_item(LUMA, TEE, 1)
    await client.set_shipping_info(LUMA, ADDRESS)
    sim.faults.add("lose-answer", "complete_order_v2")
    with pytest.raises(OutcomeUnknown):
        await client.complete_order(LUMA, card, ADDRESS)
    assert len(sim.books.charges) == 1
    cart = await client.get_cart(LUMA)
    assert cart.submitted
    assert cart.platform_order_number == sim.books.charges[0].order_number


async def test_a_cancelled_order_gives_its_store_back(sim: Simulator, client: FirmlyClient) -> None:
    card = sealed(await client.payment_key(), TEST_CARD)
    gate = sim.hold_events(LUMA)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.release)
            async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, card) as events:
                await anext(events)
                tasks.cancel_scope.cancel()
                await anext(events)
        gate.open()
        assert (await client.get_cart(LUMA)).cart_id
