"""Whatever way Firmly speaks, the same things are bought for the same money."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.api import ref
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.events import OrderPlaced
from firmly_mcp.api.models import Cart, Order
from firmly_mcp.errors import CartNotFound, NotFound
from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.dialect import Dialect

from .shopping import ADDRESS, LUMA, TEE, client_on, sealed

words: dict[str, st.SearchStrategy[Any]] = {
    "bearer": st.sampled_from(["either", "required", "refused"]),
    "shipping_method_path": st.sampled_from(["documented", "other", "both", "neither"]),
    "cart_slash": st.sampled_from(["either", "required", "refused"]),
    "cleared_address": st.sampled_from(["usual", "other"]),
    "countries": st.sampled_from(["by_version", "codes", "names"]),
    "image_key": st.sampled_from(["url", "src"]),
    "cart_tax": st.sampled_from(["tax_total", "tax", "both"]),
    "order_tax": st.sampled_from(["tax", "tax_total", "both"]),
    "no_postal_code": st.sampled_from(["empty", "null"]),
    "promo_key": st.sampled_from(["coupons", "promo_codes"]),
    "no_cart_error": st.sampled_from(["ErrorCartNotFound", "CartNotFound"]),
    "envelope": st.sampled_from(["by_page", "description", "message"]),
    "auth_error": st.sampled_from(["by_page", "InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized"]),
    "statuses": st.sampled_from([(), (("InvalidToken", 400),), (("ErrorCartNotFound", 400), ("CartNotFound", 422))]),
    "method_key": st.sampled_from(["by_version", "id", "sku", "both"]),
    "accessor": st.sampled_from(["option", "name"]),
    "items_at_once": st.booleans(),
    "comments": st.booleans(),
    "crlf": st.booleans(),
    "no_cart": st.sampled_from(["empty", "not_found"]),
    "notices": st.sampled_from(["objects", "strings"]),
    "next_page_method": st.sampled_from(["GET", "POST"]),
    "placed_cart": st.sampled_from(["separate", "replaces"]),
    "money": st.sampled_from(["whole", "value"]),
    "strips_empty": st.booleans(),
    "fulfillment_is_null": st.booleans(),
    "hits_without_domain": st.booleans(),
}


async def filled(client: FirmlyClient) -> Cart:
    """A cart with two orange tees, found by search, its fastest method chosen where that can be done."""
    page = await client.search_products("orange tee xs", page_size=2)
    assert page.next_page is not None
    assert (await client.next_products(page.next_page)).products
    product = await client.get_product(LUMA, page.products[0].handle or "")
    orange = {"Size": "XS", "Color": "Orange"}
    variant = next(variant for variant in product.variants if product.choices(variant) == orange)
    with suppress(CartNotFound):
        assert (await client.get_cart(LUMA)).is_empty
    await client.add_line_item(LUMA, ref.unpack(variant.ref or ""), 2)
    cart = await client.set_shipping_info(LUMA, ADDRESS)
    shipment = cart.shipments[0]
    with suppress(NotFound):
        fastest = shipment.shipping_method_options[-1].id or ""
        cart = await client.set_shipping_method(LUMA, shipment.shipment_id or "", fastest)
        assert cart.shipments[0].shipping_method is not None
        assert cart.shipments[0].shipping_method.id == fastest
    assert cart.line_items[0].image is not None
    assert cart.shipping_info is not None
    assert cart.shipping_info.postal_code == "98101"
    assert cart.doubts == ()
    return cart


async def buys(dialect: Dialect) -> None:
    """Pay the cart, and have the store make another of the same tee."""
    with tempfile.TemporaryDirectory() as locks:
        async with Simulator() as sim, client_on(sim, Path(locks)) as client:
            sim.dialect = dialect
            cart = await filled(client)
            paid = await client.complete_order(LUMA, sealed(await client.payment_key()), ADDRESS)
            assert isinstance(paid, Order)
            items = [({"variant_id": cart.line_items[0].sku}, 1)]
            card = sealed(await client.payment_key())
            async with client.place_order(LUMA, items, ADDRESS, ADDRESS, card) as events:
                last = [event async for event in events][-1]
            assert isinstance(last, OrderPlaced)
            told = [(order.platform_order_number, order.total, order.doubts) for order in (paid, last.order)]
            assert paid.total == cart.total
            assert [order.tax_total is not None for order in (paid, last.order)] == [True, True]
            assert client.take_notices() == ()
            charged = [(charge.order_number, charge.amount) for charge in sim.books.charges]
            assert [(number, int((total.amount if total else 0) * 100)) for number, total, _ in told] == charged
            assert [doubts for *_, doubts in told] == [(), ()]


@pytest.mark.anyio
async def test_amounts_without_a_currency_are_no_amounts(tmp_path: Path) -> None:
    async with Simulator() as sim, client_on(sim, tmp_path) as client:
        sim.dialect = Dialect(money="bare")
        cart = await client.add_line_item(LUMA, TEE, 1)
    assert cart.total is None
    assert "total has no currency" in cart.doubts


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({}, optional=words))
def test_the_books_are_right_in_every_dialect(spoken: dict[str, Any]) -> None:
    anyio.run(buys, Dialect(**spoken))
