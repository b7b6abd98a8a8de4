"""What the client makes of addresses: hosts that are kept apart, paths that differ, and what is never sent."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.errors import InvalidRequest, NotFound

from .loopback import Asked, loopback, reply
from .shopping import ADDRESS, LUMA, TEE, client_of

pytestmark = pytest.mark.anyio

CART = f"/api/v2/domains/{LUMA}/cart"
Call = Callable[[FirmlyClient], Awaitable[object]]


async def test_a_catalog_page_is_a_bare_list(tmp_path: Path) -> None:
    async with (
        loopback(lambda _: [reply(200, [{"handle": "tee"}])]) as server,
        client_of(server.url, tmp_path) as client,
    ):
        assert (await client.list_products(LUMA, 2, 500))[0].handle == "tee"
    assert server.asked[0].path == f"/api/v1/domains-products/{LUMA}?page=2&size=500"


async def test_a_payment_call_goes_to_the_payment_host_and_no_other(tmp_path: Path) -> None:
    async with (
        loopback(lambda _: [reply(200, {})]) as api,
        loopback(lambda _: [reply(200, {}, x_firmly_kid="k1")]) as payment,
        client_of(api.url, tmp_path, payment_url=payment.url) as client,
    ):
        assert (await client.payment_key()).header_kid == "k1"
        await client.complete_order(LUMA, "jwe", ADDRESS)
        await client.get_cart(LUMA)
    assert [asked.path for asked in api.asked] == [CART]
    assert len(payment.asked) == 2
    assert payment.sessions == []


async def test_a_key_is_passed_on_as_it_came(tmp_path: Path) -> None:
    sent = {"kid": "k1", "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "private"}
    answer = reply(200, sent, x_firmly_kid="k2")
    async with loopback(lambda _: [answer]) as server, client_of(server.url, tmp_path) as client:
        key = await client.payment_key()
    assert key.model_dump(exclude_none=True) == {
        "kid": "k1", "kty": "RSA", "n": "AQAB", "e": "AQAB", "header_kid": "k2"
    }  # fmt: skip


def missing(*paths: str) -> Callable[[Asked], list[object]]:
    """RouteNotFound for these paths, a cart for others."""
    not_found = reply(404, {"error": "RouteNotFound"})
    return lambda asked: [not_found if asked.path in paths else reply(200, {"cart_id": "c1"})]


async def test_a_cart_whose_address_ends_in_a_slash_is_found_and_remembered(tmp_path: Path) -> None:
    async with loopback(missing(CART)) as server, client_of(server.url, tmp_path) as client:
        await client.get_cart(LUMA)
        await client.get_cart(LUMA)
    assert [asked.path for asked in server.asked] == [CART, f"{CART}/", f"{CART}/"]


async def test_a_shipping_method_is_set_on_either_path_or_said_to_stay(tmp_path: Path) -> None:
    documented, other = f"{CART}/shipment/methods", f"{CART}/shipments/shipping-method"
    async with loopback(missing(documented)) as server, client_of(server.url, tmp_path) as client:
        assert (await client.set_shipping_method(LUMA, "s1", "EXPRESS")).cart_id == "c1"
        assert [asked.path for asked in server.asked] == [documented, other]
    async with loopback(missing(documented, other)) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(NotFound, match="the one it preselected stays") as raised:
            await client.set_shipping_method(LUMA, "s1", "EXPRESS")
    assert raised.value.name == "RouteNotFound"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.add_line_item(LUMA, TEE, 0),
        lambda c: c.add_line_item(LUMA, TEE, -1),
        lambda c: c.update_line_item(LUMA, "l1", -1),
        lambda c: c.update_line_item(LUMA, "..", 1),
        lambda c: c.add_promo_codes(LUMA, []),
        lambda c: c.add_promo_codes(LUMA, ["A"] * 11),
        lambda c: c.get_cart("luma.gift/../other"),
        lambda c: c.get_product(LUMA, ".."),
        lambda c: c.order_status(LUMA, ""),
        lambda c: c.search_products("tee", domains=["a/b"]),
        lambda c: c.list_products("a,b"),
        lambda c: c.next_products("https://evil.example/api/v1/discovery/search?cursor=1"),
        lambda c: c.next_products("/api/v1/discovery/search?cursor=1"),
        lambda c: c.next_products("http://[broken"),
        lambda c: c.get_product_by_url("file:///etc/passwd"),
    ],
)
async def test_what_cannot_be_right_is_not_sent(tmp_path: Path, call: Call) -> None:
    async with loopback(lambda _: [reply(200, {})]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(InvalidRequest) as refused:
            await call(client)
    assert refused.value.status == 0
    assert (server.asked, server.sessions) == ([], [])


@pytest.mark.parametrize(
    "changed",
    [
        "@evil.example/api/v1/discovery/search",
        "/api/v2/domains/a.b/cart",
        "/api/v1/discovery/../carts",
        "9/api/v1/discovery/search",
    ],
)
async def test_a_next_page_leads_nowhere_but_to_search(tmp_path: Path, changed: str) -> None:
    async with loopback(lambda _: [reply(200, {})]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(InvalidRequest):
            await client.next_products(server.url + changed)
    assert server.asked == []


async def test_a_next_page_is_asked_for_as_it_stands_and_posted_where_it_cannot_be_got(tmp_path: Path) -> None:
    def script(asked: Asked) -> list[object]:
        return [reply(200, {"products": []}) if asked.method == "POST" else reply(404, {"error": "RouteNotFound"})]

    page = "/api/v1/discovery/search?query=red+tee&page_size=20&cursor=a%2Bb%3D"
    async with loopback(script) as server, client_of(server.url, tmp_path) as client:
        await client.next_products(server.url + page)
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", page), ("POST", page)]
    assert server.asked[1].json == {"query": "red tee", "page_size": 20, "cursor": "a+b="}


def test_a_client_is_imported_without_loading_http() -> None:
    lines = "import sys, firmly_mcp.api.client; print({'httpx2', 'filelock'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout == "set()\n"
