"""A whole purchase works at the simulator, and a store's no is the right error."""

from collections.abc import Awaitable, Callable

import pytest

from firmly_mcp.api import encoding
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Order
from firmly_mcp.errors import InvalidRequest, NotFound, OutOfStock, ProductNotFound, StoreError
from firmly_mcp.money import Money
from firmly_mcp.simulator import Simulator

from .shopping import ADDRESS, LUMA, TEE, sealed

pytestmark = pytest.mark.anyio

Call = Callable[[FirmlyClient], Awaitable[object]]


async def test_a_purchase_from_search_to_order(sim: Simulator, client: FirmlyClient) -> None:
    page = await client.search_products("orange tee xs", max_price=Money.parse("30", "USD"), page_size=3)
    hit = page.products[0]
    assert (hit.title, hit.store, str(hit.price_from)) == ("Radiant Tee", LUMA, "22.00 USD")
    assert page.next_page is not None
    assert (await client.next_products(page.next_page)).products
    product = await client.get_product(LUMA, hit.handle or "")
    variant = next(variant for variant in product.variants if variant.sku == "WS12-XS-Orange")
    assert product.choices(variant) == {"Size": "XS", "Color": "Orange"}
    await client.add_line_item(LUMA, encoding.unpack(variant.ref or ""), 3)
    cart = await client.get_cart(LUMA)
    cart = await client.update_line_item(LUMA, cart.line_items[0].line_item_id or "", 2)
    cart = await client.set_shipping_info(LUMA, ADDRESS)
    assert (str(cart.total), cart.inconsistencies) == ("53.40 USD", ())
    order = await client.complete_order(LUMA, sealed(await client.payment_key()), ADDRESS)
    assert isinstance(order, Order)
    assert [charge.amount for charge in sim.books.charges] == [5340]
    assert sim.books.charges[0].order_number == order.platform_order_number


async def test_every_store_of_the_simulator_can_be_searched_read_and_filled(client: FirmlyClient) -> None:
    for store in (LUMA, "volta-electronics.example", "hearth-and-home.example", "fernhill-garden.example"):
        page = await client.search_products("a", domains=[store], in_stock=True, page_size=3)
        assert page.inconsistencies == ()
        for hit in page.products:
            product = await client.get_product(store, hit.handle or "")
            variant = next(variant for variant in product.variants if variant.available)
            assert product.inconsistencies == ()
            assert all("undefined" not in (image.url or "") for image in product.images)
            cart = await client.add_line_item(store, encoding.unpack(variant.ref or ""), 1)
            assert [line.sku for line in cart.line_items] == [variant.sku]
            assert cart.inconsistencies == ()
            assert (await client.clear_cart(store)).is_empty


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda c: c.get_product(LUMA, "no-such-thing"), ProductNotFound),
        (lambda c: c.add_line_item(LUMA, {"variant_id": "no-such-thing"}, 1), ProductNotFound),
        (lambda c: c.add_line_item(LUMA, {"variant_id": "WS12-L-Orange"}, 2), OutOfStock),
        (lambda c: c.update_line_item(LUMA, "no-such-line", 1), NotFound),
        (lambda c: c.set_shipping_info(LUMA, {**ADDRESS, "country": "XX"}), InvalidRequest),
        (lambda c: c.list_products("volta-electronics.example"), NotFound),
        (lambda c: c.get_cart("no-such-store.example"), NotFound),
    ],
)
async def test_a_stores_no_is_the_right_error(client: FirmlyClient, call: Call, kind: type[StoreError]) -> None:
    await client.add_line_item(LUMA, TEE, 1)
    with pytest.raises(kind) as raised:
        await call(client)
    assert raised.value.status >= 400
    assert raised.value.name
    assert raised.value.request_id
