"""The Simple Cart and its payments, v1 (contract rows 25 to 30, 32 and 34): the same cart in a flat form."""

from typing import Any

import pytest

from .bodies import CompleteOrder, SimpleAddress, SimpleItem, SimpleQuantity, SimpleShippingMethod
from .cart_schemas import SimpleCart, SimpleOrder, adds_up
from .schemas import Variant, read, refused
from .shopper import CARD, Shopper, events

pytestmark = pytest.mark.anyio


async def put_in(shopper: Shopper, variant: Variant, quantity: int = 1, query: str = "") -> SimpleCart:
    path = f"/line-items/{variant.sku}/quantity/{quantity}{query}"
    return read(SimpleCart, await shopper.simple("POST", path))


async def ready(shopper: Shopper, quantity: int = 1) -> SimpleCart:
    """A cart with an address."""
    await put_in(shopper, (await shopper.variants())[0], quantity)
    return read(SimpleCart, await shopper.simple("POST", "/shipping-info", SimpleAddress()))


async def test_a_cart_that_nobody_filled_is_empty(shopper: Shopper) -> None:
    cart = read(SimpleCart, await shopper.simple("GET", "?fast_mode=true"))
    assert (cart.line_items, cart.total.number) == ([], 0)


async def test_a_variant_is_added_by_its_sku(shopper: Shopper) -> None:
    variant = (await shopper.variants())[0]
    cart = await put_in(shopper, variant, 2)
    assert [(line.sku, line.quantity, line.price) for line in cart.line_items] == [(variant.sku, 2, variant.price)]
    assert read(SimpleCart, await shopper.simple("GET")) == cart
    adds_up(cart)


async def test_an_add_may_carry_the_variants_handles(shopper: Shopper) -> None:
    sku = (await shopper.variants())[0].sku
    answer = await shopper.simple("POST", f"/line-items/{sku}/quantity/1?fast_mode=true", {"variant_handles": []})
    assert read(SimpleCart, answer).line_items[0].sku == sku


async def test_an_add_can_empty_the_cart_first(shopper: Shopper) -> None:
    first, second, *_ = await shopper.variants()
    await put_in(shopper, first)
    cart = await put_in(shopper, second, query="?flush_cart=true")
    assert [line.sku for line in cart.line_items] == [second.sku]


async def test_a_sku_that_no_store_has_is_not_found(shopper: Shopper) -> None:
    answer = await shopper.simple("POST", "/line-items/NOBODY-SELLS-THIS/quantity/1")
    assert refused(answer) == (404, "ErrorProductNotFound")


async def test_more_than_there_are_is_not_added(shopper: Shopper) -> None:
    sku = (await shopper.variants())[0].sku
    status, name = refused(await shopper.simple("POST", f"/line-items/{sku}/quantity/99999999"))
    assert (status in {400, 422}, name) == (True, "ErrorNotEnoughStock")


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "two"])
async def test_a_quantity_that_is_none_is_not_added(shopper: Shopper, quantity: str) -> None:
    sku = (await shopper.variants())[0].sku
    assert refused(await shopper.simple("POST", f"/line-items/{sku}/quantity/{quantity}"))[0] in {400, 404, 422}


@pytest.mark.parametrize("quantity", [3, 0])
async def test_a_line_gets_another_quantity_and_goes_with_none(shopper: Shopper, quantity: int) -> None:
    variant = (await shopper.variants())[0]
    await put_in(shopper, variant)
    body = SimpleQuantity(quantity=quantity, variant_handles=[])
    cart = read(SimpleCart, await shopper.simple("PUT", f"/line-items/{variant.sku}", body))
    assert [line.quantity for line in cart.line_items] == ([quantity] if quantity else [])
    adds_up(cart)


async def test_clearing_empties_the_cart(shopper: Shopper) -> None:
    await ready(shopper)
    cart = read(SimpleCart, await shopper.simple("DELETE", "/line-items"))
    totals = (cart.sub_total, cart.shipping_total, cart.tax, cart.total)
    assert (cart.line_items, [total.number for total in totals]) == ([], [0] * 4)


@pytest.mark.parametrize("country", ["United States", "US"])
async def test_an_address_gives_methods_of_which_the_cheapest_is_chosen(shopper: Shopper, country: str) -> None:
    await put_in(shopper, (await shopper.variants())[0])
    body = SimpleAddress(country=country, phone="2065550100", address2=" ")
    cart = read(SimpleCart, await shopper.simple("POST", "/shipping-info", body))
    assert cart.shipping_method is not None
    assert cart.shipping_method.price.number == min(option.price.number for option in cart.shipping_method_options)
    assert cart.shipping_info is not None
    assert cart.shipping_info.city == "Seattle"
    assert cart.tax.number > 0
    adds_up(cart)


@pytest.mark.parametrize("name", sorted(SimpleAddress().sent()))
async def test_no_required_field_may_be_missing(shopper: Shopper, name: str) -> None:
    await put_in(shopper, (await shopper.variants())[0])
    body = {key: value for key, value in SimpleAddress().sent().items() if key != name}
    assert refused(await shopper.simple("POST", "/shipping-info", body))[0] in {400, 422}


async def test_another_method_changes_what_shipping_costs(shopper: Shopper) -> None:
    before = await ready(shopper)
    wanted = max(before.shipping_method_options, key=lambda option: option.price.number)
    body = SimpleShippingMethod(shipping_method=wanted.sku)
    cart = read(SimpleCart, await shopper.simple("POST", "/shipping-method", body))
    assert cart.shipping_method == wanted
    assert cart.shipping_total == wanted.price
    assert cart.total.number > before.total.number
    adds_up(cart)


async def test_a_method_that_is_no_option_is_refused(shopper: Shopper) -> None:
    await ready(shopper)
    status, name = refused(
        await shopper.simple("POST", "/shipping-method", SimpleShippingMethod(shipping_method="BY-PIGEON"))
    )
    assert (status in {400, 422}, name) == (True, "ErrorInvalidShippingMethod")


async def test_a_method_needs_an_address_first(shopper: Shopper) -> None:
    await put_in(shopper, (await shopper.variants())[0])
    body = SimpleShippingMethod(shipping_method="STANDARD")
    assert refused(await shopper.simple("POST", "/shipping-method", body))[0] in {400, 404, 409, 422}


async def test_v1_and_v2_are_two_forms_of_one_cart(shopper: Shopper) -> None:
    simple = await ready(shopper, 2)
    full = await shopper.shown()
    assert (full.cart_id, full.total, full.tax_total) == (simple.cart_id, simple.total, simple.tax)


async def test_paying_a_simple_cart_gives_a_whole_order(shopper: Shopper) -> None:
    cart = await ready(shopper, 2)
    order = read(SimpleOrder, await shopper.complete(1))
    assert (order.cart_id, order.total, order.tax) == (cart.cart_id, cart.total, cart.tax)
    assert order.shipping_method == cart.shipping_method
    assert (await shopper.shown()).platform_order_number == order.platform_order_number


async def test_a_card_that_cannot_be_opened_is_refused(shopper: Shopper) -> None:
    await ready(shopper)
    answer = await shopper.completed_with(CompleteOrder(encrypted_card="a.b"), 1)
    assert refused(answer) == (400, "ErrorInvalidInputBody")


async def test_without_a_cart_there_is_nothing_to_pay(shopper: Shopper) -> None:
    assert refused(await shopper.complete(1)) == (404, "ErrorCartNotFound")


async def test_a_declined_card_orders_nothing(shopper: Shopper) -> None:
    number = shopper.told(shopper.service.known.declined_card, "a card that is declined")
    await ready(shopper)
    answer = await shopper.complete(1, CARD.model_copy(update={"number": number}))
    assert refused(answer)[1] == "ErrorPaymentDeclined"


@pytest.mark.parametrize("sse", [False, True])
async def test_items_are_bought_in_one_call_or_one_stream(shopper: Shopper, sse: bool) -> None:
    ref = (await shopper.variants())[0].add_to_cart_ref
    answer = await shopper.place_order([SimpleItem(variant_id=ref.variant_id, quantity=2)], 1, sse=sse)
    if sse:
        *_, (last, data) = events(answer.text)
        assert last == "order-placed"
        order = SimpleOrder.model_validate(data["order"], strict=False)
    else:
        order = read(SimpleOrder, answer)
    assert [line.quantity for line in order.line_items] == [2]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ([SimpleItem(variant_id="NOBODY-SELLS-THIS", quantity=1)], (404, "ErrorProductNotFound")),
        ([], (400, "ErrorInvalidInputBody")),
    ],
)
async def test_items_that_cannot_be_bought_are_refused(
    shopper: Shopper, wrong: list[Any], expected: tuple[int, str]
) -> None:
    assert refused(await shopper.place_order(wrong, 1)) == expected
