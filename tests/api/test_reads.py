"""Reads repeat where that is harmless, changes do not, and an odd answer is told as what it is."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.transport import LARGEST_ANSWER, Http, NoAnswer, Request
from firmly_mcp.errors import (
    CaptchaRequired,
    CartNotFound,
    FirmlyError,
    InvalidRequest,
    OutOfStock,
    ProductNotFound,
    RateLimited,
    StoreUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)

from .loopback import RESET, SILENCE, TOKEN, Asked, Script, loopback, reply, session_reply
from .shopping import ADDRESS, LUMA, TEE, client_of

pytestmark = pytest.mark.anyio

EMPTY_CART = reply(200, {"cart_id": "c1", "line_items": []})


def in_turn(*answers: object) -> Script:
    """One answer for each request, the last for all that follow."""
    left = list(answers)
    return lambda _: [left.pop(0) if len(left) > 1 else left[0]]


async def test_a_request_carries_the_raw_token_and_no_cookie(tmp_path: Path) -> None:
    answer = reply(200, {}, set_cookie="a=b; Path=/")
    async with loopback(lambda _: [answer]) as server, client_of(server.url, tmp_path) as client:
        await client.get_cart(LUMA)
        await client.get_cart(LUMA)
    assert [asked.headers["x-firmly-authorization"] for asked in server.asked] == [TOKEN, TOKEN]
    assert not any("cookie" in asked.headers or "authorization" in asked.headers for asked in server.asked)
    assert server.sessions[0].headers["x-firmly-app-id"] == "app-1"
    assert "x-firmly-authorization" not in server.sessions[0].headers


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with (
        loopback(lambda _: [EMPTY_CART]) as elsewhere,
        loopback(lambda _: [reply(307, b"", location=f"{elsewhere.url}/x")]) as server,
        client_of(server.url, tmp_path) as client,
    ):
        with pytest.raises(UnexpectedAnswer):
            await client.get_cart(LUMA)
        with pytest.raises(UnexpectedAnswer):
            await client.add_line_item(LUMA, TEE, 1)
    assert elsewhere.connections == 0


async def test_no_proxy_is_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with loopback(lambda _: [EMPTY_CART]) as server, client_of(server.url, tmp_path) as client:
        assert (await client.get_cart(LUMA)).is_empty


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([reply(200, b"<html>It works!</html>")], UnexpectedAnswer),
        ([reply(200, b"")], UnexpectedAnswer),
        ([reply(200, b'{"cart_id": "c')], UnexpectedAnswer),
        ([EMPTY_CART[:-5], RESET], UnexpectedAnswer),
        ([EMPTY_CART[:-5]], UnexpectedAnswer),
        ([EMPTY_CART[:20]], Unreachable),
        ([RESET], Unreachable),
        ([], Unreachable),
        ([b"SSH-2.0-OpenSSH\r\n"], Unreachable),
        ([reply(200, b"x", content_encoding="gzip")], UnexpectedAnswer),
        ([reply(200, {"cart_id": []})], UnexpectedAnswer),
        ([reply(502, b"<html>bad gateway</html>")], StoreUnavailable),
        ([reply(404, {"error": "CartNotFound"})], CartNotFound),
    ],
)
async def test_an_odd_answer_to_a_read_is_a_clear_error(
    tmp_path: Path, steps: list[object], error: type[FirmlyError]
) -> None:
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(error) as raised:
            await client.get_cart(LUMA)
    assert raised.value.money_moved == "no"
    assert raised.value.message.endswith(".")
    assert "html" not in raised.value.message
    assert len(server.asked) == 1


async def test_an_answer_beyond_all_bounds_is_not_read_to_its_end(tmp_path: Path) -> None:
    def endless(_: Asked) -> Iterable[object]:
        yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
        for _chunk in range(2 * LARGEST_ANSWER // 1_000_000):
            yield b" " * 1_000_000

    async with loopback(endless) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(UnexpectedAnswer, match="16 MiB"):
            await client.get_cart(LUMA)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_read_is_tried_again_as_the_answer_asks(tmp_path: Path, status: int) -> None:
    script = in_turn(reply(status, {}, retry_after="0"), reply(status, {}, retry_after="0"), EMPTY_CART)
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        assert (await client.get_cart(LUMA)).cart_id == "c1"
    assert len(server.asked) == 3


async def test_a_read_is_tried_three_times_at_most(tmp_path: Path) -> None:
    script = in_turn(reply(503, {"error": "ServiceUnavailable"}, retry_after="0"))
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(StoreUnavailable):
            await client.search_products("tee")
    assert len(server.asked) == 3


async def test_a_long_wait_is_the_readers_to_decide(tmp_path: Path) -> None:
    script = in_turn(reply(429, {"error": "RateLimitExceeded"}, retry_after="60"))
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(RateLimited) as raised:
            await client.search_products("tee")
    assert raised.value.retry_after == 60
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([reply(503, {"error": "ServiceUnavailable"}, retry_after="0")], StoreUnavailable),
        ([reply(429, {"error": "RateLimitExceeded"}, retry_after="0")], RateLimited),
        ([RESET], UnexpectedAnswer),
        ([], UnexpectedAnswer),
        ([EMPTY_CART[:-5]], UnexpectedAnswer),
        ([reply(200, b"oops")], UnexpectedAnswer),
    ],
)
async def test_a_change_is_sent_once(tmp_path: Path, steps: list[object], error: type[FirmlyError]) -> None:
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(error) as raised:
            await client.add_line_item(LUMA, TEE, 1)
    assert len(server.asked) == 1
    if error is UnexpectedAnswer:
        assert "may have been made" in raised.value.message
        assert raised.value.next == "get_cart"
        assert not raised.value.retry_safe


Change = Callable[[FirmlyClient], Awaitable[object]]
# Changes that add: made twice, they leave more than made once.
ADDING: dict[str, Change] = {
    "line": lambda c: c.add_line_item(LUMA, TEE, 1),
    "promo codes": lambda c: c.add_promo_codes(LUMA, ["SPRING"]),
    "addon": lambda c: c.add_addon(LUMA, "a1"),
    "addon removed": lambda c: c.remove_addon(LUMA, "a1"),
}
SETTING: dict[str, Change] = {
    "quantity": lambda c: c.update_line_item(LUMA, "l1", 2),
    "clear": lambda c: c.clear_cart(LUMA),
    "no promo codes": lambda c: c.clear_promo_codes(LUMA),
    "shipping": lambda c: c.set_shipping_info(LUMA, ADDRESS),
    "billing": lambda c: c.set_billing_info(LUMA, ADDRESS),
    "type": lambda c: c.set_fulfillment_type(LUMA, "s1", "SHIP_TO_ADDRESS"),
    "method": lambda c: c.set_shipping_method(LUMA, "s1", "ground"),
    "postal code": lambda c: c.set_postal_code("98101"),
}
# Answers that do not prove that a change was refused.
NO_REFUSALS: list[list[object]] = [
    [],
    [RESET],
    [EMPTY_CART[:-5]],
    [reply(200, b"oops")],
    [reply(200, [])],
    [reply(200, {"cart_id": [], "postal_code": []})],
    [reply(200, {"code": 422, "error": "ErrorNotEnoughStock"})],
    [reply(307, b"", location="/elsewhere")],
    [reply(500, {"code": 500, "error": "ErrorProductNotFound", "description": "no"})],
    [reply(502, {"code": 502, "error": "ErrorInternal", "description": "the cart could not be drawn"})],
    [reply(503, {"error": "ServiceUnavailable", "message": "no"}, retry_after="0")],
    [reply(504, b"<html>")],
    [reply(408, {"code": 408, "error": "ErrorProductNotFound"})],
    [reply(409, {"code": 409, "error": "ErrorNotEnoughStock"})],
    [reply(422, {"code": 503, "error": "ErrorNotEnoughStock"})],
    [reply(422, {"code": 422, "error": "ErrorStoreUnavailable", "description": "no"})],
    [reply(422, {"code": 422, "error": "MerchantError", "description": "no"})],
    [reply(422, b'{"error": "ErrorCheckout", "error": "ErrorNotEnoughStock"}')],
    [reply(429, b"slow down", retry_after="0")],
    [reply(429, {"error": "RateLimitExceeded"}, retry_after="0")],
    [reply(404, b"<html>")],
    [b"HTTP/1.0 404 No\r\n\r\n" + b'{"code": 404, "error": "ErrorProductNotFound"}'],
]


@pytest.mark.parametrize("name", [*ADDING, *SETTING])
@pytest.mark.parametrize("steps", NO_REFUSALS)
async def test_a_change_may_have_been_made_unless_its_answer_proves_a_refusal(
    tmp_path: Path, name: str, steps: list[object]
) -> None:
    change = ADDING.get(name) or SETTING[name]
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(FirmlyError) as raised:
            await change(client)
    error = raised.value
    assert "may have been made" in error.message
    assert (error.next, error.money_moved, error.perhaps_made) == ("get_cart", "no", True)
    assert error.retry_safe is (name in SETTING)
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ADDING)
@pytest.mark.parametrize("steps", [[reply(401, b"<html>")], [reply(401, {"error": "WhoAreYou", "message": "no"})]])
async def test_a_401_that_is_not_firmlys_word_does_not_repeat_what_adds(
    tmp_path: Path, name: str, steps: list[object]
) -> None:
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(Unauthorized, match="may have been made"):
            await ADDING[name](client)
    assert len(server.asked) == 1


@pytest.mark.parametrize("change", [ADDING["line"], SETTING["shipping"]])
@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (404, "ErrorProductNotFound", ProductNotFound),
        (422, "ErrorNotEnoughStock", OutOfStock),
        (400, "ErrorInvalidInputBody", InvalidRequest),
        (429, "RateLimitExceeded", RateLimited),
        (403, "Forbidden", Unauthorized),
        (422, "ErrorCaptchaRequired", CaptchaRequired),
    ],
)
async def test_a_known_refusal_in_firmlys_envelope_was_not_made(
    tmp_path: Path, change: Change, status: int, name: str, kind: type[FirmlyError]
) -> None:
    refused = reply(status, {"code": status, "error": name, "description": "no"})
    async with loopback(lambda _: [refused]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(kind) as raised:
            await change(client)
    assert not raised.value.perhaps_made
    assert raised.value.retry_safe is (kind is RateLimited)
    assert len(server.asked) == 1


async def test_delivery_dates_are_read_and_change_nothing(tmp_path: Path) -> None:
    script = in_turn(reply(503, {"error": "ServiceUnavailable"}, retry_after="0"), reply(200, {}))
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        await client.get_availability(LUMA, "s1")
    assert len(server.asked) == 2


async def test_where_nobody_listens_nothing_was_sent(tmp_path: Path) -> None:
    async with loopback(lambda _: [EMPTY_CART]) as server:
        pass
    async with client_of(server.url, tmp_path) as client:
        for call in (client.get_cart(LUMA), client.add_line_item(LUMA, TEE, 1), client.payment_key()):
            with pytest.raises(Unreachable, match="Nothing was sent"):
                await call


async def test_silence_ends_in_time() -> None:
    async with loopback(lambda _: [SILENCE]) as server, Http() as http:
        with pytest.raises(NoAnswer):
            await http.send(Request("GET", server.url), seconds=0.05)


async def test_an_error_names_the_request_it_belongs_to(tmp_path: Path) -> None:
    script = in_turn(reply(404, {"error": "ErrorCartNotFound"}), reply(404, {}, x_firmly_request_id="theirs-1"))
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(CartNotFound) as raised:
            await client.get_cart(LUMA)
        assert raised.value.request_id == server.asked[0].headers["x-firmly-request-id"]
        with pytest.raises(FirmlyError) as other:
            await client.get_cart(LUMA)
        assert getattr(other.value, "request_id", None) == "theirs-1"


async def test_nothing_is_logged_of_a_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = in_turn(reply(429, {"description": "prose"}, retry_after="0"), reply(200, {}, x_secret="header"))
    async with (
        loopback(script, lambda _: [session_reply("token-secret")]) as server,
        client_of(server.url, tmp_path) as client,
    ):
        await client.search_products("words-secret")
        await client.set_shipping_info(LUMA, {"email": "mail-secret"})
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == []
    assert "secret" not in repr(client.session.__dict__)
