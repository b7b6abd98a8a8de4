"""The endpoint table (contract section 4): what is served, on which host, and who may ask.

Klarna (rows 36 to 38) is not served; of section 12's undocumented endpoints only the other path of row 21 is.
"""

import re
from collections.abc import Mapping

from firmly_mcp.simulator.calls import Handler, Route
from firmly_mcp.simulator.endpoints import (
    addons,
    cart,
    catalog,
    checkout,
    devices,
    discovery,
    orders,
    payment,
    promotions,
    session,
    shipments,
    simple_cart,
)

STORE1, STORE2 = "/api/v1/domains/{d}/cart", "/api/v2/domains/{d}/cart"
PAY1, PAY2 = "/api/v1/payment/domains/{d}", "/api/v2/payment/domains/{d}"


def _api(name: str, method: str, path: str, handler: Handler, auth: str = "token") -> Route:
    return Route(name, method, path, "api", auth, handler)


def _pay(name: str, method: str, path: str, handler: Handler, auth: str = "token") -> Route:
    return Route(name, method, path, "payment", auth, handler)


ROUTES: tuple[Route, ...] = (
    _api("get_cart_v2", "GET", STORE2, cart.get_cart),
    _api("add_line_item_v2", "POST", f"{STORE2}/line-items", cart.add_line_item),
    _api("update_line_item_v2", "PUT", STORE2 + "/line-items/{line}", cart.update_line_item),
    _api("clear_cart_v2", "DELETE", f"{STORE2}/line-items", cart.clear_cart),
    _api("add_promo_codes_v2", "POST", f"{STORE2}/promo-codes", promotions.set_promo_codes),
    _api("set_promo_codes_v2", "PUT", f"{STORE2}/promo-codes", promotions.set_promo_codes),
    _api("clear_promo_codes_v2", "DELETE", f"{STORE2}/promo-codes", promotions.clear_promo_codes),
    _api("set_shipping_info_v2", "POST", f"{STORE2}/shipping-info", checkout.set_shipping_info),
    _api("put_shipping_info_v2", "PUT", f"{STORE2}/shipping-info", checkout.set_shipping_info),
    _api("set_billing_info_v2", "POST", f"{STORE2}/billing-info", checkout.set_billing_info),
    _api("set_fulfillment_type_v2", "POST", f"{STORE2}/shipments/fulfillment-type", shipments.set_fulfillment_type),
    _api("set_shipping_method_v2", "POST", f"{STORE2}/shipment/methods", shipments.set_shipping_method),
    _api("other_shipping_method_v2", "POST", f"{STORE2}/shipments/shipping-method", shipments.set_shipping_method),
    _api("get_availability_v2", "POST", f"{STORE2}/shipments/get-availability", shipments.get_availability),
    _api("add_addon_v2", "POST", f"{STORE2}/addons", addons.add_addon),
    _api("remove_addon_v2", "POST", f"{STORE2}/addons/_remove", addons.remove_addon),
    _api("transfer_session_v2", "POST", "/api/v2/domains/{d}/session/transfer", devices.transfer_session),
    _api("get_active_domains", "GET", "/api/v2/carts/active-domains", devices.get_active_domains, "domains"),
    _api("get_active_carts", "GET", "/api/v2/carts/active", devices.get_active_carts, "session"),
    _api("get_postal_code", "GET", "/api/v2/carts/postal-code", devices.get_postal_code, "session"),
    _api("set_postal_code", "POST", "/api/v2/carts/postal-code", devices.set_postal_code, "session"),
    _api("get_cart_v1", "GET", STORE1, simple_cart.get_cart),
    _api("add_item_v1", "POST", STORE1 + "/line-items/{sku}/quantity/{quantity}", simple_cart.add_item),
    _api("update_item_v1", "PUT", STORE1 + "/line-items/{sku}", simple_cart.update_item),
    _api("clear_cart_v1", "DELETE", f"{STORE1}/line-items", simple_cart.clear_cart),
    _api("set_shipping_info_v1", "POST", f"{STORE1}/shipping-info", simple_cart.set_shipping_info),
    _api("set_shipping_method_v1", "POST", f"{STORE1}/shipping-method", simple_cart.set_shipping_method),
    _api("browser_session", "POST", "/api/v1/browser-session", session.browser_session, "none"),
    _api("list_products", "GET", "/api/v1/domains-products/{d}", catalog.list_products),
    _api("get_product", "GET", "/api/v1/domains-products/{d}/{handle:path}", catalog.get_product),
    _api("get_product_from_url", "GET", "/api/v1/domains-pdp", catalog.get_product_from_url, "page"),
    _api("search", "POST", "/api/v1/discovery/search", discovery.search, "discovery"),
    _api("search_next", "GET", "/api/v1/discovery/search", discovery.search_next, "discovery"),
    _api("discovery_options", "GET", "/api/v1/discovery/options", discovery.options, "discovery"),
    _api("get_order_status", "GET", "/api/v1/orders/domains/{d}/order/{order}/status", orders.get_order_status),
    _pay("get_key", "GET", "/api/v1/payment/key", payment.get_key, "none"),
    _pay("complete_order_v1", "POST", f"{PAY1}/complete-order", payment.complete_order_v1),
    _pay("complete_order_v2", "POST", f"{PAY2}/complete-order", payment.complete_order_v2),
    _pay("place_order_v1", "POST", f"{PAY1}/place-order", payment.place_order_v1),
    _pay("place_order_v2", "POST", f"{PAY2}/place-order", payment.place_order_v2),
)


def _pattern(path: str) -> re.Pattern[str]:
    named = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", named) + "/?")


_TABLE = {
    (host, method): [(_pattern(r.path), r) for r in ROUTES if (r.host, r.method) == (host, method)]
    for host, method in {(r.host, r.method) for r in ROUTES}
}


def find(host: str, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The endpoint of a request and what its path says; a trailing slash does not matter (C-5)."""
    for pattern, route in _TABLE.get((host, method), ()):
        found = pattern.fullmatch(path)
        if found is not None:
            return route, found.groupdict()
    return None
