"""Whatever way Firmly speaks, the same things are bought for the same money."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.api import encoding
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Cart, Order
from firmly_mcp.api.payments import OrderEvent, OrderPlaced, ShippingUpdated, StreamError
from firmly_mcp.errors import CartNotFound, NotFound, PaymentDeclined, PromoRejected
from firmly_mcp.money import Money
from firmly_mcp.simulator import DECLINED_CARD, TEST_CARD, Simulator
from firmly_mcp.simulator.ledger import Charge
from tests.dialects import Dialect

from .documented_errors import NAMED
from .shopping import ADDRESS, LUMA, TEE, client_on, sealed

VOLTA, SEATTLE = "volta-electronics.example", "volta-seattle"
TELEVISION = "/us/tvs/horizon-oled-smart-tv-sku-ol109"
HOODIE = {"variant_id": "MH07-XS-Gray"}
PRICE, RAISED = 2200, 2300


# Every word of every switch. Amounts without a currency are none: a test of their own is about that.
CLOSED: dict[str, tuple[Any, ...]] = {
    name: tuple(word for word in (get_args(kind) or (False, True)) if word != "bare" or name != "money")
    for name, kind in get_type_hints(Dialect).items()
    if name != "statuses"
}
STATUSES = [
    *((error.name, status) for error in NAMED for status in error.statuses),
    *(("ErrorCartNotFound", 400), ("CartNotFound", 422), ("ErrorPaymentDeclined", 403)),
]
SPOKEN = st.fixed_dictionaries(
    {},
    optional={
        "statuses": st.lists(st.sampled_from(STATUSES), max_size=4).map(tuple),
        **{name: st.sampled_from(words) for name, words in CLOSED.items()},
    },
)


def cents(amount: Money | None) -> int:
    assert amount is not None
    return int(amount.amount * 100)


def is_charged(charge: Charge, order: Order, read: Cart) -> None:
    """The books have this order once, for what the cart said before."""
    assert charge.order_number == order.platform_order_number
    assert charge.cart_id == order.cart_id == read.cart_id
    assert charge.amount == cents(order.total) == cents(read.total)
    for shown in (order, read):
        assert shown.inconsistencies == ()
        assert [(each.sku, each.quantity, each.price, each.line_price) for each in charge.lines] == [
            (line.sku, line.quantity, cents(line.price), cents(line.line_price)) for line in shown.line_items
        ]


async def found(client: FirmlyClient, dialect: Dialect) -> dict[str, object]:
    """The orange tee in XS, by search, next page, page and address."""
    most = Money.parse("30", "USD")
    page = await client.search_products("orange tee xs", max_price=most, page_size=2)
    assert page.next_page is not None
    more = (await client.next_products(page.next_page)).products
    assert more
    if dialect.cursor_keeps_filters:
        assert all(hit.price_from is None or hit.price_from.amount <= most.amount for hit in more)
    hit = page.products[0]
    assert hit.store == ("luma.gift" if dialect.luma_alias and not dialect.hits_without_domain else LUMA)
    product = await client.get_product(LUMA, hit.handle or "")
    assert (await client.get_product_by_url(hit.pdp_url or "")) == product
    orange = {"Size": "XS", "Color": "Orange"}
    variant = next(variant for variant in product.variants if product.choices(variant) == orange)
    return encoding.unpack(variant.ref or "")


async def before_a_cart(client: FirmlyClient, dialect: Dialect) -> None:
    """What a device without a cart is told."""
    assert await client.set_postal_code("98101") == "98101"
    if dialect.no_cart == "empty":
        assert (await client.get_cart(LUMA)).is_empty
    else:
        with pytest.raises(CartNotFound):
            await client.get_cart(LUMA)
    with pytest.raises(CartNotFound):
        await client.set_billing_info(VOLTA, ADDRESS)


async def filled(client: FirmlyClient, dialect: Dialect, tee: dict[str, object]) -> Cart:
    """Two orange tees after a cleared cart, with promo codes."""
    await client.add_line_item(LUMA, tee, 1)
    assert (await client.set_shipping_info(LUMA, ADDRESS)).shipping_info is not None
    cleared = await client.clear_cart(LUMA)
    assert (cleared.is_empty, cleared.inconsistencies) == (True, ())
    assert (cleared.shipping_info is not None) is dialect.clear_keeps_address
    if cleared.shipping_info is not None:
        assert (cleared.shipping_info.postal_code, cleared.shipping_info.address1) == ("98101", "1 Test St")
    await client.add_line_item(LUMA, tee, 2)
    await client.set_shipping_info(LUMA, ADDRESS)
    if dialect.bad_promos == "skipped":
        assert (await client.add_promo_codes(LUMA, ["NOBODYS", "SAVE10"])).coupons == ("SAVE10",)
    else:
        with pytest.raises(PromoRejected):
            await client.add_promo_codes(LUMA, ["NOBODYS", "SAVE10"])
    await client.add_promo_codes(LUMA, ["SAVE10"])
    cart = await client.add_promo_codes(LUMA, ["FIVEOFF"])
    assert cart.coupons == (("SAVE10", "FIVEOFF") if dialect.promo_codes == "add" else ("FIVEOFF",))
    return cart


async def sped_up(client: FirmlyClient, dialect: Dialect, cart: Cart) -> None:
    """The dearest method, which is the fastest, where one can be chosen."""
    shipment = cart.shipments[0]
    wanted = shipment.shipping_method_options[-1].id or ""
    choosing = client.set_shipping_method(LUMA, shipment.shipment_id or "", wanted)
    if dialect.shipping_method_path == "neither":
        with pytest.raises(NotFound, match="stays"):
            await choosing
        return
    chosen = (await choosing).shipments[0].shipping_method
    assert chosen is not None
    assert (chosen.id, shipment.shipping_method == chosen) == (wanted, False)


async def pays(sim: Simulator, client: FirmlyClient, dialect: Dialect) -> None:
    """The cart, after its price rose under it."""
    await sped_up(client, dialect, await filled(client, dialect, await found(client, dialect)))
    sim.set_price(LUMA, str(TEE["variant_id"]), RAISED)
    cart = await client.get_cart(LUMA)
    assert [notice.code for notice in cart.notices] == ["PRICE_INCREASED"]
    paid = await client.complete_order(LUMA, sealed(await client.payment_key()), ADDRESS)
    assert isinstance(paid, Order)
    assert paid.tax_total == cart.tax_total is not None
    is_charged(sim.books.charges[-1], paid, cart)
    assert (await client.get_cart(LUMA)).submitted


async def picks_up(sim: Simulator, client: FirmlyClient, dialect: Dialect) -> None:
    """A television, at the shop in Seattle."""
    product = await client.get_product(VOLTA, TELEVISION)
    variant = next(variant for variant in product.variants if variant.available)
    await client.add_line_item(VOLTA, variant.add_to_cart_ref or {}, 1)
    cart = await client.set_shipping_info(VOLTA, ADDRESS)
    kind = dialect.pickup_id
    assert kind in {option.id for option in cart.shipments[0].fulfillment_type_options}
    cart = await client.set_fulfillment_type(VOLTA, cart.shipments[0].shipment_id or "", kind, SEATTLE)
    assert (cart.shipments[0].fulfillment_type is None) is dialect.fulfillment_is_null
    assert cents(cart.shipping_total) == 0
    paid = await client.complete_order(VOLTA, sealed(await client.payment_key()), ADDRESS)
    assert isinstance(paid, Order)
    is_charged(sim.books.charges[-1], paid, cart)
    sim.set_stock(VOLTA, variant.sku or "", None)


async def streamed(client: FirmlyClient, card: dict[str, str]) -> list[OrderEvent]:
    sealed_card = sealed(await client.payment_key(), card)
    async with client.place_order(LUMA, [(TEE, 1), (HOODIE, 1)], ADDRESS, ADDRESS, sealed_card) as events:
        return [event async for event in events]


async def has_it_made(sim: Simulator, client: FirmlyClient, dialect: Dialect) -> None:
    """A tee and a hoodie in one stream, beside a cart; a first card is declined."""
    other = await client.add_line_item(LUMA, HOODIE, 3)
    before = len(sim.books.charges)
    declined = (await streamed(client, DECLINED_CARD))[-1]
    assert isinstance(declined, StreamError)
    assert (type(declined.error), declined.error.money_moved) == (PaymentDeclined, "no")
    assert len(sim.books.charges) == before
    *told, placed = await streamed(client, TEST_CARD)
    assert len(told) == (3 if dialect.items_at_once else 4)
    assert isinstance(told[-1], ShippingUpdated)
    assert isinstance(placed, OrderPlaced)
    is_charged(sim.books.charges[-1], placed.order, told[-1].cart)
    shown = await client.get_cart(LUMA)
    assert (shown.cart_id == other.cart_id, shown.submitted) == (
        (True, False) if dialect.placed_cart == "separate" else (False, True)
    )


async def shops(sim: Simulator, dialect: Dialect) -> None:
    """All of it, on a device of its own; nothing else may be in the books."""
    sim.world.encode = dialect
    sim.set_price(LUMA, str(TEE["variant_id"]), PRICE)
    before = len(sim.books.charges)
    with tempfile.TemporaryDirectory() as locks:
        async with client_on(sim, Path(locks)) as client:
            await before_a_cart(client, dialect)
            await pays(sim, client, dialect)
            await picks_up(sim, client, dialect)
            await has_it_made(sim, client, dialect)
            assert client.take_notices() == ()
    assert len(sim.books.charges) - before == 3


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """An event loop that outlives the examples."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def lasting(portal: BlockingPortal) -> Iterator[Simulator]:
    """One simulator for all of them: it is asked to speak otherwise, again and again."""
    with portal.wrap_async_context_manager(Simulator()) as sim:
        yield sim


@settings(max_examples=40, deadline=None)
@given(spoken=SPOKEN)
def test_the_books_are_right_in_every_dialect(
    portal: BlockingPortal, lasting: Simulator, spoken: dict[str, Any]
) -> None:
    portal.call(shops, lasting, Dialect(**spoken))


ROUNDS = max(len(words) for words in CLOSED.values())


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_books_are_right_with_every_word_of_every_switch(
    portal: BlockingPortal, lasting: Simulator, number: int
) -> None:
    spoken = {name: words[number % len(words)] for name, words in CLOSED.items()}
    portal.call(shops, lasting, Dialect(**spoken))


@pytest.mark.anyio
async def test_amounts_without_a_currency_are_no_amounts(tmp_path: Path) -> None:
    async with Simulator() as sim, client_on(sim, tmp_path) as client:
        sim.world.encode = Dialect(money="bare")
        cart = await client.add_line_item(LUMA, TEE, 1)
    assert cart.total is None
    assert "total has no currency" in cart.inconsistencies
