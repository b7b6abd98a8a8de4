"""The Full Cart (contract rows 12 to 15)."""

from typing import Any

import pytest

from .bodies import AddLineItem, UpdateLineItem
from .cart_schemas import Cart, adds_up
from .schemas import plain, read, refused
from .shopper import Shopper

pytestmark = pytest.mark.anyio
NOT_ENOUGH = {400, 422}  # C-10
NO_QUANTITY = {400, 422}


async def test_a_cart_that_nobody_filled_is_empty_or_not_found(shopper: Shopper) -> None:
    answer = await shopper.cart("GET", "/")
    if answer.status_code == 200:
        assert read(Cart, answer).line_items == []
    else:
        status, name = refused(answer)
        assert status == 404
        assert name in {"ErrorCartNotFound", "CartNotFound"}


@pytest.mark.parametrize("quantity", [1, 3])
async def test_a_variant_is_added_and_the_whole_cart_comes_back(shopper: Shopper, quantity: int) -> None:
    variant = (await shopper.variants())[0]
    cart = await shopper.add(variant.add_to_cart_ref, quantity)
    [line] = cart.line_items
    assert (line.sku, line.quantity, line.price) == (variant.sku, quantity, variant.price)
    assert (cart.shop_id, cart.cart_status) == (shopper.place.domain, "active")
    assert [shipment.line_item_ids for shipment in cart.shipments] == [[line.line_item_id]]
    assert await shopper.shown() == cart
    adds_up(cart)


async def test_every_stores_reference_goes_into_its_cart_as_it_came(shopper: Shopper) -> None:
    for place in shopper.service.places:
        variant = (await shopper.variants(place))[0]
        cart = await shopper.add(variant.add_to_cart_ref, at=place)
        assert [line.sku for line in cart.line_items] == [variant.sku]
        assert cart.total.currency == variant.price.currency


async def test_a_cart_is_read_without_a_trailing_slash(shopper: Shopper) -> None:
    cart = await shopper.filled()
    assert read(Cart, await shopper.cart("GET")) == cart


async def test_a_cart_is_read_with_a_trailing_slash(shopper: Shopper) -> None:
    cart = await shopper.filled()
    assert read(Cart, await shopper.cart("GET", "/")) == cart


async def test_the_same_variant_again_is_one_more_of_it(shopper: Shopper) -> None:
    ref = (await shopper.variants())[0].add_to_cart_ref
    await shopper.add(ref)
    cart = await shopper.add(ref, 2)
    assert sum(line.quantity for line in cart.line_items) == 3
    adds_up(cart)


async def test_another_variant_is_another_line(shopper: Shopper) -> None:
    first, second, *_ = await shopper.variants()
    await shopper.add(first.add_to_cart_ref)
    cart = await shopper.add(second.add_to_cart_ref)
    assert [line.sku for line in cart.line_items] == [first.sku, second.sku]
    adds_up(cart)


@pytest.mark.parametrize(("flush", "lines"), [("true", 1), ("false", 2)])
async def test_an_add_can_empty_the_cart_first(shopper: Shopper, flush: str, lines: int) -> None:
    first, second, *_ = await shopper.variants()
    await shopper.add(first.add_to_cart_ref)
    body = AddLineItem(add_to_cart_ref=plain(second.add_to_cart_ref), quantity=1)
    cart = read(Cart, await shopper.cart("POST", f"/line-items?flush_cart={flush}", body))
    assert [line.sku for line in cart.line_items][-lines:] == [first.sku, second.sku][-lines:]
    assert len(cart.line_items) == lines


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "two", None])
async def test_a_quantity_that_is_none_is_not_added(shopper: Shopper, quantity: Any) -> None:
    ref = plain((await shopper.variants())[0].add_to_cart_ref)
    status, _ = refused(await shopper.cart("POST", "/line-items", {"add_to_cart_ref": ref, "quantity": quantity}))
    assert status in NO_QUANTITY


@pytest.mark.parametrize(
    "body", [{"quantity": 1}, {"add_to_cart_ref": {}, "quantity": 1}, {"add_to_cart_ref": "x"}, []]
)
async def test_a_body_without_a_reference_is_refused(shopper: Shopper, body: Any) -> None:
    assert refused(await shopper.cart("POST", "/line-items", body)) == (400, "ErrorInvalidInputBody")


async def test_a_variant_that_no_store_has_is_not_found(shopper: Shopper) -> None:
    body = AddLineItem(add_to_cart_ref={"variant_id": "NOBODY-SELLS-THIS"}, quantity=1)
    assert refused(await shopper.cart("POST", "/line-items", body)) == (404, "ErrorProductNotFound")


async def test_more_than_there_are_is_not_added_and_leaves_the_cart(shopper: Shopper) -> None:
    cart = await shopper.filled()
    ref = plain((await shopper.variants())[0].add_to_cart_ref)
    body = AddLineItem(add_to_cart_ref=ref, quantity=99_999_999)
    status, name = refused(await shopper.cart("POST", "/line-items", body))
    assert (status in NOT_ENOUGH, name) == (True, "ErrorNotEnoughStock")
    assert await shopper.shown() == cart


async def test_a_line_gets_another_quantity(shopper: Shopper) -> None:
    line = (await shopper.filled()).line_items[0]
    answer = await shopper.cart("PUT", f"/line-items/{line.line_item_id}", UpdateLineItem(quantity=4))
    cart = read(Cart, answer)
    assert [(each.line_item_id, each.quantity) for each in cart.line_items] == [(line.line_item_id, 4)]
    adds_up(cart)


async def test_a_line_of_none_is_removed_and_the_others_keep_their_shipment(shopper: Shopper) -> None:
    first, second, *_ = await shopper.variants()
    await shopper.add(first.add_to_cart_ref)
    before = await shopper.add(second.add_to_cart_ref)
    path = f"/line-items/{before.line_items[0].line_item_id}"
    cart = read(Cart, await shopper.cart("PUT", path, UpdateLineItem(quantity=0)))
    assert [line.sku for line in cart.line_items] == [second.sku]
    [shipment] = cart.shipments
    assert shipment.line_item_ids == [cart.line_items[0].line_item_id]
    assert shipment.shipment_id in {each.shipment_id for each in before.shipments}
    adds_up(cart)


async def test_a_shipment_without_lines_disappears(shopper: Shopper) -> None:
    line = (await shopper.filled()).line_items[0]
    answer = await shopper.cart("PUT", f"/line-items/{line.line_item_id}", UpdateLineItem(quantity=0))
    cart = read(Cart, answer)
    assert (cart.line_items, cart.shipments, cart.total.number) == ([], [], 0)


async def test_a_line_that_is_not_in_the_cart_is_not_found(shopper: Shopper) -> None:
    await shopper.filled()
    status, _ = refused(await shopper.cart("PUT", "/line-items/no-such-line", UpdateLineItem(quantity=1)))
    assert status == 404


@pytest.mark.parametrize("body", [{"quantity": -1}, {"quantity": 0.5}, {"quantity": "two"}, {}])
async def test_a_line_does_not_get_a_quantity_that_is_none(shopper: Shopper, body: dict[str, Any]) -> None:
    cart = await shopper.filled()
    path = f"/line-items/{cart.line_items[0].line_item_id}"
    status, _ = refused(await shopper.cart("PUT", path, body))
    assert status in NO_QUANTITY
    assert await shopper.shown() == cart


async def test_clearing_empties_the_cart_and_keeps_its_id_and_address(shopper: Shopper) -> None:
    before = await shopper.shipped()
    cart = read(Cart, await shopper.cart("DELETE", "/line-items"))
    assert (cart.line_items, cart.shipments, cart.coupons) == ([], [], [])
    assert (cart.addons.offers, cart.addons.selections) == ([], [])
    totals = (cart.sub_total, cart.shipping_total, cart.tax_total, cart.addon_total, cart.total)
    assert [total.number for total in totals] == [0] * 5
    assert (cart.cart_id, cart.payment_method_options) == (before.cart_id, before.payment_method_options)
    assert cart.shipping_info == before.shipping_info


async def test_a_cart_is_one_devices_at_one_store(shopper: Shopper, another: Shopper) -> None:
    cart = await shopper.filled()
    theirs = await another.filled(quantity=2)
    assert cart.cart_id != theirs.cart_id
    assert await shopper.shown() == cart


async def test_a_store_that_nobody_knows_has_no_cart(shopper: Shopper) -> None:
    answer = await shopper.api("GET", "/api/v2/domains/nobody-knows.example/cart/")
    assert refused(answer)[0] in {403, 404}


async def test_the_payment_host_has_no_carts(shopper: Shopper) -> None:
    answer = await shopper.pay("GET", f"/api/v2/domains/{shopper.place.domain}/cart/")
    assert refused(answer)[0] in {403, 404}
