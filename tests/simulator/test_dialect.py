"""Dialects: each changes what it says it changes, and none changes what is charged."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.simulator import Simulator
from tests.dialects import Dialect
from tests.simulator.shopping import HOODIE, LUMA, TEE, Shopper, error

pytestmark = pytest.mark.anyio
Effect = Callable[[Shopper], Awaitable[Any]]
ELSEWHERE = {
    "bearer": "test_identity",
    "pdp_by_app_id": "test_identity",
    "pickup_id": "test_shipments",
    "shipping_method_path": "test_shipments",
    "no_postal_code": "test_devices",
    "bad_promos": "test_promotions",
    "promo_codes": "test_promotions",
}


async def filled(shopper: Shopper) -> Any:
    await shopper.add(TEE)
    return (await shopper.ship()).json()


async def ordered(shopper: Shopper) -> Any:
    await filled(shopper)
    return (await shopper.complete()).json()


async def simple(shopper: Shopper) -> Any:
    await filled(shopper)
    return (await shopper.api("GET", f"/api/v1/domains/{LUMA}/cart")).json()


async def hit(shopper: Shopper) -> Any:
    return (await shopper.api("POST", "/api/v1/discovery/search", {"query": "radiant tee"})).json()["products"][0]


async def cleared(shopper: Shopper) -> Any:
    await filled(shopper)
    return (await shopper.cart("DELETE", "/line-items")).json()


async def noticed(shopper: Shopper) -> Any:
    await shopper.add(TEE)
    shopper.sim.set_price(LUMA, "WS12-XS-Orange", 2300)
    return (await shopper.cart()).json()["notices"]


async def streamed(shopper: Shopper, *items: Any) -> str:
    body = await shopper.order_body(*items)
    return (await shopper.pay("POST", f"/api/v2/payment/domains/{LUMA}/place-order?sse=true", body)).text


async def slashes(shopper: Shopper) -> Any:
    return [(await shopper.cart("GET", slash)).status_code for slash in ("", "/")]


async def old_add(shopper: Shopper) -> Any:
    body = {"sku": "WS12-XS-Orange", "quantity": 1, "price": {"currency": "USD", "value": 22}}
    return (await shopper.cart("POST", "/line-items", body)).status_code


async def no_cart(shopper: Shopper) -> Any:
    return error(await shopper.ship())


async def unread_cart(shopper: Shopper) -> Any:
    return (await shopper.cart()).status_code


async def bad_token(shopper: Shopper) -> Any:
    return error(await shopper.api("GET", "/api/v2/carts/active", headers={"x-firmly-authorization": "x"}))


async def envelopes(shopper: Shopper) -> Any:
    session = await shopper.http.post(f"{shopper.sim.api_url}/api/v1/browser-session")
    return [sorted(answer.json()) for answer in (session, await shopper.ship())]


async def pages(shopper: Shopper) -> Any:
    """Statuses of the next page by GET and by POST, and whether its filter still holds."""
    body = {"query": "tee", "page_size": 2, "filters": {"max_price": 2000}}
    link = urlsplit((await shopper.api("POST", "/api/v1/discovery/search", body)).json()["next_page"])
    answers = [await shopper.api(method, f"{link.path}?{link.query}") for method in ("GET", "POST")]
    hits = answers[1].json()["products"]
    return [answer.status_code for answer in answers], all(each["price_range"]["min"] <= 2000 for each in hits)


async def placed_beside(shopper: Shopper) -> Any:
    await shopper.add(HOODIE)
    await shopper.place(TEE)
    return (await shopper.cart()).json()["cart_status"]


def part(*path: str | int) -> Callable[[Any], Any]:
    def found(whole: Any) -> Any:
        for step in path:
            whole = whole[step]
        return whole

    return found


WHOLE = {"currency": "USD", "value": 22.0, "number": 2200, "symbol": "$"}


class Row(NamedTuple):
    """A switch's word; what is done and looked at; what is seen there usually, and with that word."""

    field: str
    value: Any
    effect: Effect
    seen: Callable[[Any], Any]
    usual: Any
    changed: Any


EFFECTS = [
    Row("cart_slash", "required", slashes, part(), [200, 200], [404, 200]),
    Row("cart_slash", "refused", slashes, part(), [200, 200], [200, 404]),
    Row("takes_old_add_body", True, old_add, part(), 400, 200),
    Row("cleared_address", "other", cleared, lambda cart: "zip" in cart["shipping_info"], False, True),
    Row("clear_keeps_address", False, cleared, lambda cart: "shipping_info" in cart, True, False),
    Row("countries", "names", filled, part("shipping_info", "country"), "US", "United States"),
    Row("countries", "codes", simple, part("shipping_info", "country"), "United States", "US"),
    Row("statuses", (("ErrorCartNotFound", 410),), no_cart, part(0), 404, 410),
    Row("image_key", "src", filled, lambda cart: "src" in cart["line_items"][0]["image"], False, True),
    Row("cart_tax", "tax", filled, lambda cart: ("tax" in cart, "tax_total" in cart), (False, True), (True, False)),
    Row("cart_tax", "both", filled, lambda cart: cart.get("tax") == cart["tax_total"], False, True),
    Row(
        "order_tax",
        "tax_total",
        ordered,
        lambda order: ("tax" in order, "tax_total" in order),
        (True, False),
        (False, True),
    ),
    Row("order_tax", "both", ordered, lambda order: order["tax"] == order.get("tax_total"), False, True),
    Row("promo_key", "promo_codes", filled, lambda cart: "promo_codes" in cart, False, True),
    Row("no_cart_error", "CartNotFound", no_cart, part(1), "ErrorCartNotFound", "CartNotFound"),
    Row("envelope", "description", envelopes, part(0), ["error", "message"], ["code", "description", "error"]),
    Row("envelope", "message", envelopes, part(1), ["code", "description", "error"], ["error", "message"]),
    Row("auth_error", "ErrorUnauthorized", bad_token, part(1), "InvalidJWTToken", "ErrorUnauthorized"),
    Row("method_key", "sku", filled, lambda cart: "sku" in cart["shipments"][0]["shipping_method"], False, True),
    Row("method_key", "both", filled, lambda cart: "sku" in cart["shipments"][0]["shipping_method"], False, True),
    Row("method_key", "id", simple, lambda cart: "id" in cart["shipping_method"], False, True),
    Row("accessor", "name", hit, part("variant_option_values", 0, "property_accessor"), "option1", "size"),
    Row("accessor", "name", hit, lambda hit: hit["variants"][0].get("size"), None, "XS"),
    Row("error_event", "wrapped", lambda s: streamed(s, {"variant_id": "x"}), lambda t: '{"error":{' in t, False, True),
    Row("items_at_once", True, lambda s: streamed(s, TEE, HOODIE), lambda text: text.count("item-added"), 2, 1),
    Row("comments", True, lambda s: streamed(s, TEE), lambda text: ": still working\n" in text, False, True),
    Row("crlf", True, lambda s: streamed(s, TEE), lambda text: text.count("\r\n") == text.count("\n"), False, True),
    Row("no_cart", "not_found", unread_cart, part(), 200, 404),
    Row("notices", "strings", noticed, lambda notices: isinstance(notices[0], str), False, True),
    Row("next_page_method", "POST", pages, part(0), [200, 200], [404, 200]),
    Row("cursor_keeps_filters", False, pages, part(1), True, False),
    Row("placed_cart", "replaces", placed_beside, part(), "active", "submitted"),
    Row("money", "value", filled, part("line_items", 0, "price"), WHOLE, {"currency": "USD", "value": 22.0}),
    Row("money", "bare", filled, part("line_items", 0, "price"), WHOLE, {"value": 22.0}),
    Row("strips_empty", True, cleared, lambda cart: ("shipments" in cart, cart["line_items"]), (True, []), (False, [])),
    Row("fulfillment_is_null", True, filled, lambda c: c["shipments"][0]["fulfillment_type"] is None, False, True),
    Row("hits_without_domain", True, hit, lambda hit: "domain" in hit, True, False),
    Row("luma_alias", True, hit, part("domain"), LUMA, "luma.gift"),
]


@pytest.mark.parametrize("row", EFFECTS, ids=lambda row: f"{row.field}={row.value}")
async def test_a_switch_changes_what_it_says(shopper: Shopper, http: httpx2.AsyncClient, row: Row) -> None:
    assert row.seen(await row.effect(shopper)) == row.usual
    async with Simulator(now=shopper.sim.world.now) as sim:
        sim.world.encode = Dialect(**{row.field: row.value})
        again = Shopper(sim, http)
        await again.session()
        assert row.seen(await row.effect(again)) == row.changed


def test_every_switch_is_tried() -> None:
    assert {field.name for field in fields(Dialect)} == {row.field for row in EFFECTS} | set(ELSEWHERE)


def test_every_switch_names_where_it_comes_from() -> None:
    import inspect
    import re

    source = inspect.getsource(Dialect)
    for field in fields(Dialect):
        assert re.search(rf'{field.name}: .*\n    """(C-|U-|Section |\d\.\d)', source), field.name


@pytest.mark.parametrize("wrong", [{"money": "gold"}, {"crlf": "yes"}, {"no_cart": None}])
def test_a_word_that_no_dialect_has_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Dialect(**wrong)


STATUSES = st.lists(
    st.tuples(
        st.sampled_from(
            ["ErrorCartNotFound", "RouteNotFound", "ErrorInvalidPromoCode", "ErrorMissingRequiredParameters"]
        ),
        st.sampled_from([400, 404, 409, 422]),
    ),
    max_size=3,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(dialect=st.builds(Dialect, statuses=STATUSES), streams=st.booleans(), promo=st.booleans())
def test_no_dialect_changes_what_is_charged(dialect: Dialect, streams: bool, promo: bool) -> None:
    asyncio.run(buys_something(dialect, streams=streams, promo=promo))


async def buys_something(dialect: Dialect, *, streams: bool, promo: bool) -> None:
    """Buy one tee as someone would who knows this dialect."""
    async with Simulator() as sim, httpx2.AsyncClient(trust_env=False, verify=False) as http:
        sim.world.encode = dialect
        shopper = Shopper(sim, http)
        await shopper.session()
        if dialect.bearer == "required":
            shopper.token = f"Bearer {shopper.token}"
        found = await shopper.api("POST", "/api/v1/discovery/search", {"query": "radiant tee xs orange"})
        variants = found.json()["products"][0]["variants"]
        ref = next(each["add_to_cart_ref"] for each in variants if each["sku"] == "WS12-XS-Orange")
        expected = 2920
        if streams:
            text = await streamed(shopper, ref)
            last = text.replace("\r\n", "\n").rstrip().split("\n")[-1]
            order = json.loads(last.removeprefix("data: "))["order"]
        else:
            await shopper.add(ref)
            assert (await shopper.ship()).status_code == 200
            if promo:
                assert (await shopper.cart("POST", "/promo-codes", {"promo_codes": ["SAVE10"]})).status_code == 200
                expected = 1980 + 500 + 198
            order = (await shopper.complete()).json()
        [charge] = sim.books.charges
        assert (charge.amount, charge.currency) == (expected, "USD")
        assert charge.order_number == order["platform_order_number"]
        assert round(order["total"]["value"] * 100) == expected
