"""The errors of the contract's section 10 as data: name, statuses, the class of our tree, and who can answer so.

Where pages disagree on a status all theirs stand here; where none tells one, those that the contract holds possible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.errors import (
    CaptchaRequired,
    CartNotFound,
    InvalidRequest,
    NotFound,
    OutOfStock,
    PaymentDeclined,
    ProductNotFound,
    PromoRejected,
    RateLimited,
    StoreError,
    StoreUnavailable,
    Unauthorized,
)

from .shopping import ADDRESS, LUMA, TEE

Call = Callable[[FirmlyClient], Awaitable[object]]


async def renewed(client: FirmlyClient) -> object:
    """Ask for the session's next token."""
    return await client.session.renewed(await client.session.token())


JWE: Final = "aaaa.bbbb.cccc.dddd.eeee"

CALLS: Final[Mapping[str, Call]] = {
    "browser_session": renewed,
    "search": lambda c: c.search_products("tee"),
    "list_products": lambda c: c.list_products(LUMA),
    "get_product": lambda c: c.get_product(LUMA, "radiant-tee"),
    "get_product_from_url": lambda c: c.get_product_by_url("https://staging.luma.gift/radiant-tee.html"),
    "get_active_domains": lambda c: c.get_active_domains(),
    "get_active_carts": lambda c: c.get_active_carts(),
    "set_postal_code": lambda c: c.set_postal_code("98101"),
    "get_cart_v2": lambda c: c.get_cart(LUMA),
    "add_line_item_v2": lambda c: c.add_line_item(LUMA, TEE, 1),
    "update_line_item_v2": lambda c: c.update_line_item(LUMA, "l1", 1),
    "add_promo_codes_v2": lambda c: c.add_promo_codes(LUMA, ["A"]),
    "clear_promo_codes_v2": lambda c: c.clear_promo_codes(LUMA),
    "set_shipping_info_v2": lambda c: c.set_shipping_info(LUMA, ADDRESS),
    "set_billing_info_v2": lambda c: c.set_billing_info(LUMA, ADDRESS),
    "set_fulfillment_type_v2": lambda c: c.set_fulfillment_type(LUMA, "s1", "SHIP_TO_ADDRESS"),
    "set_shipping_method_v2": lambda c: c.set_shipping_method(LUMA, "s1", "STANDARD"),
    "get_availability_v2": lambda c: c.get_availability(LUMA, "s1"),
    "add_addon_v2": lambda c: c.add_addon(LUMA, "warranty"),
    "remove_addon_v2": lambda c: c.remove_addon(LUMA, "warranty"),
    "complete_order_v2": lambda c: c.complete_order(LUMA, JWE, ADDRESS),
    "get_order_status": lambda c: c.order_status(LUMA, "L-1"),
}


@dataclass(frozen=True)
class Documented:
    """An error; `at` are the endpoints, by the simulator's names, that are tried for it."""

    name: str
    statuses: tuple[int, ...]
    kind: type[StoreError]
    at: tuple[str, ...]


def _rows(kind: type[StoreError], *rows: tuple[str, tuple[int, ...], str]) -> tuple[Documented, ...]:
    return tuple(Documented(name, statuses, kind, tuple(at.split())) for name, statuses, at in rows)


NAMED: Final = (
    *_rows(
        Unauthorized,
        ("MissingAuthHeader", (401,), "get_active_carts add_promo_codes_v2 set_billing_info_v2"),
        ("InvalidToken", (400, 401), "add_promo_codes_v2 set_shipping_info_v2 complete_order_v2"),
        ("InvalidJWTToken", (401,), "set_postal_code get_active_carts"),
        ("ErrorUnauthorized", (401,), "get_cart_v2 complete_order_v2"),
        ("Unauthorized", (401,), "search get_active_domains"),
        ("TokenExpired", (401,), "search complete_order_v2"),
        ("Forbidden", (403,), "search"),
        ("InvalidAppId", (400,), "browser_session"),
        ("InvalidAPIToken", (401,), "search"),
        ("ErrorMissingAppId", (400,), "browser_session"),
    ),
    *_rows(
        CartNotFound,
        ("ErrorCartNotFound", (404,), "get_cart_v2 clear_promo_codes_v2 set_billing_info_v2 complete_order_v2"),
        ("CartNotFound", (404,), "get_cart_v2 complete_order_v2"),
    ),
    *_rows(
        ProductNotFound,
        ("ErrorProductNotFound", (404,), "get_product add_line_item_v2 complete_order_v2"),
        ("InvalidSKU", (400, 404, 422), "add_line_item_v2"),
    ),
    *_rows(OutOfStock, ("ErrorNotEnoughStock", (400, 422), "add_line_item_v2 complete_order_v2")),
    *_rows(
        PromoRejected,
        ("ErrorInvalidPromoCode", (400, 422), "add_promo_codes_v2"),
        ("ErrorPromoNotAvailable", (422,), "add_promo_codes_v2"),
        ("ErrorClearPromoCodeNotAllowed", (422,), "clear_promo_codes_v2"),
    ),
    *_rows(
        NotFound,
        ("AllProductsNotImplemented", (404,), "list_products"),
        ("ProductUrlNotImplemented", (404,), "get_product_from_url"),
        ("ErrorShipmentNotFound", (404,), "set_fulfillment_type_v2 set_shipping_method_v2 get_availability_v2"),
        ("ErrorAddonNotFound", (404,), "add_addon_v2 remove_addon_v2"),
        ("RouteNotFound", (404,), "update_line_item_v2 complete_order_v2"),
    ),
    *_rows(
        InvalidRequest,
        ("InvalidQuantity", (400, 422), "add_line_item_v2 update_line_item_v2"),
        # Documented of session/transfer, which is not called here: tried where another cart call answers so.
        ("ErrorNoLineItem", (422,), "add_line_item_v2"),
        ("ErrorCannotTransferSession", (422,), "add_line_item_v2"),
        ("SizeInvalid", (400,), "list_products"),
        ("ErrorInvalidFulfillmentType", (400, 422), "set_fulfillment_type_v2"),
        ("ErrorInvalidShippingMethod", (400, 422), "set_shipping_method_v2"),
        ("ErrorMissingShippingMethod", (400, 422), "complete_order_v2"),
        ("ErrorMissingTaxSync", (400, 422), "complete_order_v2"),
        ("ErrorCountryNotSupported", (400,), "set_shipping_info_v2 set_billing_info_v2"),
        ("ErrorInvalidState", (400, 422), "set_shipping_info_v2 set_billing_info_v2"),
        ("ErrorMissingRequiredParameters", (400, 422), "complete_order_v2"),
        ("ErrorBadRequest", (400,), "complete_order_v2"),
        ("ErrorGatewayNotFound", (404, 422), "complete_order_v2"),
        ("ErrorInvalidInputBody", (400,), "add_line_item_v2 add_promo_codes_v2 set_billing_info_v2 complete_order_v2"),
        ("ValidationError", (400,), "set_postal_code"),
        ("InvalidRequest", (400,), "search"),
        ("BadRequest", (400,), "search"),
    ),
    *_rows(PaymentDeclined, ("ErrorPaymentDeclined", (400, 402, 422), "complete_order_v2")),
    *_rows(RateLimited, ("RateLimitExceeded", (429,), "search add_line_item_v2 complete_order_v2")),
    *_rows(
        StoreUnavailable,
        ("ErrorStoreUnavailable", (500, 503), "add_line_item_v2 complete_order_v2"),
        ("ServiceUnavailable", (503,), "search add_line_item_v2"),
        ("ErrorCheckout", (422, 500), "complete_order_v2"),
        ("MerchantError", (422, 500, 502), "add_line_item_v2 complete_order_v2"),
    ),
)

# What no page names: the pages show prose or nothing, the names are the simulator's. The status alone tells the class.
UNNAMED: Final = (
    *_rows(
        InvalidRequest,
        ("Size Invalid", (400,), "list_products"),
        ("ErrorCartEmpty", (400,), "add_promo_codes_v2"),
        ("ErrorCartSubmitted", (409,), "update_line_item_v2"),
    ),
    *_rows(
        NotFound,
        ("ErrorLineItemNotFound", (404,), "update_line_item_v2"),
        ("ErrorOrderNotFound", (404,), "get_order_status"),
        ("ErrorDomainNotFound", (404,), "get_cart_v2"),
    ),
    *_rows(Unauthorized, ("ErrorOtherDevice", (401,), "get_cart_v2")),
    *_rows(StoreUnavailable, ("Internal Server Error", (500,), "get_active_domains")),
    *_rows(CaptchaRequired, ("ErrorCaptchaRequired", (400, 422), "complete_order_v2")),
)
