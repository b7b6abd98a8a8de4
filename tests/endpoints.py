"""Firmly's endpoints: who calls each, which tool is behind it, how sure its contract is. The reference shows this list.

`documented` is a page of developers.firmly.ai, `seen in code` is public code that calls it, `inferred` is our reading
of both. A client method of None stands for what the simulator alone serves, for other clients: v1, and a few more.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Sure = Literal["documented, seen in code", "documented", "seen in code", "inferred"]
BOTH: Final = "documented, seen in code"
STORE: Final = "/api/v2/domains/{d}"
CART: Final = f"{STORE}/cart"
SIMPLE: Final = "/api/v1/domains/{d}/cart"
PAY: Final = "payment/domains/{d}"
ORDERS: Final = ("complete_order", "place_order")


class Endpoint(NamedTuple):
    """One row. `methods` are what the page allows; the client sends the first."""

    methods: str
    path: str
    client: str | None = None
    tools: tuple[str, ...] = ()
    sure: Sure = "documented"


ENDPOINTS: Final = (
    Endpoint("POST", "/api/v1/browser-session", "session.token", (), BOTH),
    Endpoint("GET", "/api/v1/domains-products/{d}", "list_products", ("list_products",)),
    Endpoint("GET", "/api/v1/domains-products/{d}/{handle}", "get_product", ("get_product",), BOTH),
    Endpoint("GET", "/api/v1/domains-pdp", "get_product_by_url", ("get_product",), BOTH),
    Endpoint("POST", "/api/v1/discovery/search", "search_products", ("search_products",), BOTH),
    Endpoint("GET", "/api/v1/discovery/search", "next_products", ("search_products",), "inferred"),
    Endpoint("GET", "/api/v1/discovery/options"),
    Endpoint("GET", "/api/v2/carts/active-domains", "get_active_domains"),
    Endpoint("GET", "/api/v2/carts/active", "get_active_carts", ("get_cart",)),
    Endpoint("GET", "/api/v2/carts/postal-code"),
    Endpoint("POST", "/api/v2/carts/postal-code", "set_postal_code", ("set_postal_code",)),
    Endpoint("POST", f"{STORE}/session/transfer"),
    Endpoint("GET", CART, "get_cart", ("get_cart",), BOTH),
    Endpoint("POST", f"{CART}/line-items", "add_line_item", ("add_line_item",), BOTH),
    Endpoint("PUT", f"{CART}/line-items/{{line}}", "update_line_item", ("update_line_item",)),
    Endpoint("DELETE", f"{CART}/line-items", "clear_cart", ("clear_cart",)),
    Endpoint("POST PUT", f"{CART}/promo-codes", "add_promo_codes", ("set_promo_codes",)),
    Endpoint("DELETE", f"{CART}/promo-codes", "clear_promo_codes", ("set_promo_codes",)),
    Endpoint("POST PUT", f"{CART}/shipping-info", "set_shipping_info", ("set_shipping_info",)),
    Endpoint("POST", f"{CART}/billing-info", "set_billing_info", ("set_shipping_info",)),
    Endpoint("POST", f"{CART}/shipments/fulfillment-type", "set_fulfillment_type", ("set_fulfillment",)),
    Endpoint("POST", f"{CART}/shipment/methods", "set_shipping_method", ("set_fulfillment",)),
    Endpoint("POST", f"{CART}/shipments/shipping-method", "set_shipping_method", ("set_fulfillment",), "seen in code"),
    Endpoint("POST", f"{CART}/shipments/get-availability", "get_availability", ("get_availability",)),
    Endpoint("POST", f"{CART}/addons", "add_addon", ("set_addon",)),
    Endpoint("POST", f"{CART}/addons/_remove", "remove_addon", ("set_addon",)),
    Endpoint("GET", "/api/v1/payment/key", "payment_key", ORDERS, BOTH),
    Endpoint("POST", f"/api/v2/{PAY}/complete-order", "complete_order", ("complete_order",)),
    Endpoint("POST", f"/api/v2/{PAY}/place-order", "place_order", ("place_order",)),
    Endpoint("GET", "/api/v1/orders/domains/{d}/order/{order}/status", "order_status", ("get_order_status",)),
    Endpoint("GET", SIMPLE, sure=BOTH),
    Endpoint("POST", f"{SIMPLE}/line-items/{{sku}}/quantity/{{quantity}}", sure=BOTH),
    Endpoint("PUT", f"{SIMPLE}/line-items/{{sku}}", sure=BOTH),
    Endpoint("DELETE", f"{SIMPLE}/line-items", sure=BOTH),
    Endpoint("POST", f"{SIMPLE}/shipping-info", sure=BOTH),
    Endpoint("POST", f"{SIMPLE}/shipping-method", sure=BOTH),
    Endpoint("POST", f"/api/v1/{PAY}/complete-order", sure=BOTH),
    Endpoint("POST", f"/api/v1/{PAY}/place-order"),
)
