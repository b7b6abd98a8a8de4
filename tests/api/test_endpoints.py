"""Each endpoint is called as Firmly documents it: method, path, body, and with a token where one is asked for."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Address
from firmly_mcp.money import Money

from .loopback import loopback, reply
from .shopping import ADDRESS, LUMA, client_of

pytestmark = pytest.mark.anyio

CART = f"/api/v2/domains/{LUMA}/cart"
Call = Callable[[FirmlyClient], Awaitable[object]]

# (the call, method, path, body): the contract's section 4 and 5, row by row.
ENDPOINTS: list[tuple[Call, str, str, object]] = [
    (
        lambda c: c.search_products("tee", min_price=Money.parse("9.991", "USD"), max_price=Money.parse("30", "USD")),
        "POST",
        "/api/v1/discovery/search",
        {"query": "tee", "filters": {"min_price": 1000, "max_price": 3000}},
    ),
    (
        lambda c: c.search_products(
            "tee", domains=["LUMA.gift"], in_stock=True, variants={"size": ["XS", "S"]}, page_size=5
        ),
        "POST",
        "/api/v1/discovery/search",
        {
            "query": "tee",
            "filters": {
                "domains": ["luma.gift"],
                "in_stock": True,
                "variants": [{"option": "size", "values": ["XS", "S"]}],
            },
            "page_size": 5,
        },
    ),
    (lambda c: c.search_products("tee"), "POST", "/api/v1/discovery/search", {"query": "tee"}),
    (lambda c: c.list_products(LUMA), "GET", f"/api/v1/domains-products/{LUMA}?page=1&size=100", None),
    (lambda c: c.get_product(LUMA, "/us/tv"), "GET", f"/api/v1/domains-products/{LUMA}/%2Fus%2Ftv", None),
    (
        lambda c: c.get_product_by_url("https://a.example/p?b=%C3%A9&c=1"),
        "GET",
        "/api/v1/domains-pdp?url=https%3A%2F%2Fa.example%2Fp%3Fb%3D%25C3%25A9%26c%3D1",
        None,
    ),
    (lambda c: c.get_active_domains(), "GET", "/api/v2/carts/active-domains", None),
    (lambda c: c.get_active_carts(), "GET", "/api/v2/carts/active", None),
    (lambda c: c.set_postal_code("98101"), "POST", "/api/v2/carts/postal-code", {"postal_code": "98101"}),
    (lambda c: c.get_cart(LUMA), "GET", CART, None),
    (
        lambda c: c.add_line_item(LUMA, {"variant_id": "v", "weight": Decimal("1.5")}, 2),
        "POST",
        f"{CART}/line-items",
        {"add_to_cart_ref": {"variant_id": "v", "weight": 1.5}, "quantity": 2},
    ),
    (lambda c: c.update_line_item(LUMA, "l/1", 0), "PUT", f"{CART}/line-items/l%2F1", {"quantity": 0}),
    (lambda c: c.clear_cart(LUMA), "DELETE", f"{CART}/line-items", None),
    (lambda c: c.add_promo_codes(LUMA, ("A", "B")), "POST", f"{CART}/promo-codes", {"promo_codes": ["A", "B"]}),
    (lambda c: c.clear_promo_codes(LUMA), "DELETE", f"{CART}/promo-codes", None),
    (lambda c: c.set_shipping_info(LUMA, ADDRESS), "POST", f"{CART}/shipping-info", ADDRESS),
    (
        lambda c: c.set_shipping_info(LUMA, Address(first_name="Ana", address2="", state_name="Washington")),
        "POST",
        f"{CART}/shipping-info",
        {"first_name": "Ana"},
    ),
    (lambda c: c.set_billing_info(LUMA, ADDRESS), "POST", f"{CART}/billing-info", ADDRESS),
    (
        lambda c: c.set_fulfillment_type(LUMA, "s1", "IN_STORE_PICKUP", "shop-1"),
        "POST",
        f"{CART}/shipments/fulfillment-type",
        {"shipment_id": "s1", "fulfillment_type": "IN_STORE_PICKUP", "location_id": "shop-1"},
    ),
    (
        lambda c: c.set_shipping_method(LUMA, "s1", "EXPRESS", notes="ring", selected_date="2026-05-06"),
        "POST",
        f"{CART}/shipment/methods",
        {"shipment_id": "s1", "shipping_method_id": "EXPRESS", "notes": "ring", "selected_date": "2026-05-06"},
    ),
    (
        lambda c: c.get_availability(LUMA, "s1"),
        "POST",
        f"{CART}/shipments/get-availability",
        {"shipment_id": "s1"},
    ),
    (
        lambda c: c.add_addon(LUMA, "warranty", line_item_ids=["l1"], child_ids=["2y"]),
        "POST",
        f"{CART}/addons",
        {"selections": [{"addon_id": "warranty", "selected_line_item_ids": ["l1"], "selected_child_ids": ["2y"]}]},
    ),
    (lambda c: c.add_addon(LUMA, "a"), "POST", f"{CART}/addons", {"selections": [{"addon_id": "a"}]}),
    (
        lambda c: c.remove_addon(LUMA, "warranty", line_item_id="l1"),
        "POST",
        f"{CART}/addons/_remove",
        {"addon_id": "warranty", "deselected_line_item_id": "l1"},
    ),
    (lambda c: c.payment_key(), "GET", "/api/v1/payment/key", None),
    (lambda c: c.order_status(LUMA, "L/1"), "GET", f"/api/v1/orders/domains/{LUMA}/order/L%2F1/status", None),
    (
        lambda c: c.complete_order(LUMA, "jwe", ADDRESS, captcha_token="robot"),
        "POST",
        f"/api/v2/payment/domains/{LUMA}/complete-order",
        {"billing_info": ADDRESS, "captcha_token": "robot", "encrypted_card": "jwe"},
    ),
]


@pytest.mark.parametrize(("call", "method", "path", "body"), ENDPOINTS)
async def test_an_endpoint_is_called_as_documented(
    tmp_path: Path, call: Call, method: str, path: str, body: object
) -> None:
    async with (
        loopback(lambda asked: [reply(200, [] if "size=" in asked.path else {})]) as server,
        client_of(server.url, tmp_path) as client,
    ):
        await call(client)
    asked = server.asked[-1]
    assert (asked.method, asked.path, asked.json) == (method, path, body)
    assert ("x-firmly-authorization" in asked.headers) is ("payment/key" not in path)
