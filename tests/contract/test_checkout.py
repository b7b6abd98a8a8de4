"""Where a Full Cart goes and who is billed (contract rows 18 and 19)."""

from typing import Any

import pytest

from .bodies import FullAddress
from .cart_schemas import Cart, adds_up
from .schemas import read, refused
from .shopper import Shopper

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("path", ["/shipping-info", "/billing-info"])
REQUIRED = [name for name, field in FullAddress.model_fields.items() if name != "address2"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_address_gives_every_shipment_its_cheapest_method_and_the_cart_its_tax(
    shopper: Shopper, method: str
) -> None:
    await shopper.filled(quantity=2)
    address = shopper.address()
    cart = read(Cart, await shopper.cart(method, "/shipping-info", address))
    assert cart.shipping_info is not None
    assert cart.shipping_info.model_dump(include=set(address.sent())) == address.sent()
    for shipment in cart.shipments:
        prices = [option.price.number for option in shipment.shipping_method_options]
        assert shipment.shipping_method in shipment.shipping_method_options
        assert shipment.shipping_method is not None
        assert shipment.shipping_method.price.number == min(prices)
    assert cart.tax_total.number > 0
    assert await shopper.shown() == cart
    adds_up(cart)


async def test_one_address_is_for_every_store_of_its_own(shopper: Shopper) -> None:
    for place in shopper.service.places:
        cart = await shopper.shipped(place)
        assert all(shipment.shipping_method for shipment in cart.shipments)
        adds_up(cart)


async def test_a_state_may_be_named_in_full(shopper: Shopper) -> None:
    by_code = await shopper.shipped()
    body = FullAddress(state_or_province="Washington")
    cart = read(Cart, await shopper.cart("POST", "/shipping-info", body))
    assert cart.total == by_code.total


async def test_a_second_address_line_is_kept(shopper: Shopper) -> None:
    await shopper.filled()
    cart = read(Cart, await shopper.cart("POST", "/shipping-info", FullAddress(address2="Apt 7")))
    assert cart.shipping_info is not None
    assert cart.shipping_info.address2 == "Apt 7"


async def test_billing_somewhere_else_changes_no_amount(shopper: Shopper) -> None:
    before = await shopper.shipped()
    elsewhere = FullAddress(city="Austin", state_or_province="TX", postal_code="78701")
    cart = read(Cart, await shopper.cart("POST", "/billing-info", elsewhere))
    assert cart.billing_info is not None
    assert cart.billing_info.city == "Austin"
    assert cart.shipping_info == before.shipping_info
    assert (cart.shipping_total, cart.tax_total, cart.total) == (
        before.shipping_total,
        before.tax_total,
        before.total,
    )


@BOTH
async def test_a_country_that_there_is_not_is_not_supported(shopper: Shopper, path: str) -> None:
    await shopper.filled()
    answer = await shopper.cart("POST", path, FullAddress(country="XX"))
    assert refused(answer) == (400, "ErrorCountryNotSupported")


async def test_a_country_that_the_store_does_not_ship_to_is_not_supported(shopper: Shopper) -> None:
    cart = await shopper.filled()
    berlin = FullAddress(city="Berlin", state_or_province="BE", postal_code="10115", country="DE")
    answer = await shopper.cart("POST", "/shipping-info", berlin)
    assert refused(answer) == (400, "ErrorCountryNotSupported")
    assert await shopper.shown() == cart


@BOTH
async def test_a_state_has_to_be_one_of_its_country(shopper: Shopper, path: str) -> None:
    await shopper.filled()
    status, name = refused(await shopper.cart("POST", path, FullAddress(state_or_province="Narnia")))
    assert (status in {400, 422}, name) == (True, "ErrorInvalidState")


@BOTH
@pytest.mark.parametrize(
    "wrong",
    [{"email": "not an address"}, {"email": "@"}, {"postal_code": "1"}, {"postal_code": "SW1A 1AA"}, {"city": 7}],
)
async def test_fields_have_their_form(shopper: Shopper, path: str, wrong: dict[str, Any]) -> None:
    cart = await shopper.filled()
    answer = await shopper.cart("POST", path, {**FullAddress().sent(), **wrong})
    assert refused(answer) == (400, "ErrorInvalidInputBody")
    assert await shopper.shown() == cart


@BOTH
@pytest.mark.parametrize("name", REQUIRED)
async def test_no_required_field_may_be_missing(shopper: Shopper, path: str, name: str) -> None:
    await shopper.filled()
    body = {key: value for key, value in FullAddress().sent().items() if key != name}
    assert refused(await shopper.cart("POST", path, body)) == (400, "ErrorInvalidInputBody")


@BOTH
async def test_an_address_needs_a_cart(shopper: Shopper, path: str) -> None:
    assert refused(await shopper.cart("POST", path, FullAddress())) == (404, "ErrorCartNotFound")


@BOTH
async def test_an_address_needs_a_token(shopper: Shopper, path: str) -> None:
    without = await shopper.cart("POST", path, FullAddress(), x_firmly_authorization=None)
    assert refused(without) == (401, "MissingAuthHeader")
    bad = await shopper.cart("POST", path, FullAddress(), x_firmly_authorization="not-a-token")
    assert refused(bad) == (401, "InvalidToken")
