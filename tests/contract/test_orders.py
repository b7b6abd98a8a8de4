"""What became of an order (contract row 39)."""

import pytest

from .cart_schemas import Order
from .schemas import OrderStatus, read, refused
from .shopper import Shopper

pytestmark = pytest.mark.anyio


def path(shopper: Shopper, number: str) -> str:
    return f"/api/v1/orders/domains/{shopper.place.domain}/order/{number}/status"


async def test_an_order_tells_how_far_each_of_its_lines_is(shopper: Shopper) -> None:
    cart = await shopper.shipped(quantity=2)
    order = read(Order, await shopper.complete())
    status = read(OrderStatus, await shopper.api("GET", path(shopper, order.platform_order_number)))
    assert status.order_number == order.platform_order_number
    assert {line.sku for line in status.line_items} <= {line.sku for line in cart.line_items}
    assert all(line.status for line in status.line_items)


async def test_an_order_that_nobody_placed_is_not_found(shopper: Shopper) -> None:
    assert refused(await shopper.api("GET", path(shopper, "NOBODY-ORDERED-THIS")))[0] == 404


async def test_an_order_is_its_stores(shopper: Shopper) -> None:
    await shopper.shipped()
    order = read(Order, await shopper.complete())
    if len(shopper.service.places) < 2:
        shopper.lacks("a second store")
    other = shopper.service.places[1].domain
    answer = await shopper.api("GET", f"/api/v1/orders/domains/{other}/order/{order.platform_order_number}/status")
    assert refused(answer)[0] == 404
