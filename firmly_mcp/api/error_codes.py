"""The only maker of StoreErrors, and the closed table of what proves that no order was placed.

An answer is classified by its error name, and by its status where the name is not known. A name proves that nothing was
placed only if it is marked so here *and* came as a 4xx in Firmly's envelope, or as a stream's `error` event, and the
answer does not contradict itself. Sentences are ours; the store's own text goes into `store_message`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

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

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LONGEST_SAID: Final = 2000
# A 408 or 409 may concern an order that another part of the system is still making.
_NO_PROOF_STATUSES: Final = frozenset({408, 409})


class _Unsent(InvalidRequest):
    """What we refuse to send."""


@dataclass(frozen=True)
class ErrorCode:
    """What an error name means: class, our sentence, the tool that helps, and whether it proves "not placed"."""

    kind: type[StoreError]
    sentence: str
    next: str | None = None
    proven: bool = False


def _auth(sentence: str = "Firmly did not accept the session's token. Try again: a new one is asked for.") -> ErrorCode:
    return ErrorCode(Unauthorized, sentence, proven=True)


ERROR_CODES: Final[Mapping[str, ErrorCode]] = {
    # Authentication
    "MissingAuthHeader": _auth(),
    "InvalidToken": _auth(),
    "InvalidJWTToken": _auth(),
    "ErrorUnauthorized": _auth(),
    "Unauthorized": _auth(),
    "TokenExpired": _auth(),
    "InvalidAPIToken": ErrorCode(Unauthorized, "Firmly did not accept the API secret."),
    "Forbidden": ErrorCode(
        Unauthorized, "This App ID may not do that at this store. Firmly enables stores per App ID."
    ),
    "InvalidAppId": ErrorCode(
        Unauthorized, "Firmly does not know this App ID. Check FIRMLY_APP_ID.", "firmly-mcp doctor"
    ),
    "ErrorMissingAppId": ErrorCode(Unauthorized, "No App ID was sent. Set FIRMLY_APP_ID.", "firmly-mcp doctor"),
    # Carts, products, stock
    "ErrorCartNotFound": ErrorCode(CartNotFound, "There is no cart at this store, or it expired.", "add_line_item"),
    "CartNotFound": ErrorCode(CartNotFound, "There is no cart at this store, or it expired.", "add_line_item"),
    "ErrorProductNotFound": ErrorCode(
        ProductNotFound, "The store has no such product or variant.", "search_products", proven=True
    ),
    "InvalidSKU": ErrorCode(ProductNotFound, "The store has no such variant.", "get_product"),
    "ErrorNotEnoughStock": ErrorCode(
        OutOfStock,
        "Fewer are in stock than were asked for. Ask for fewer, or another variant.",
        "get_product",
        proven=True,
    ),
    "InvalidQuantity": ErrorCode(InvalidRequest, "The quantity must be a whole number that the store sells."),
    "ErrorNoLineItem": ErrorCode(InvalidRequest, "The cart is empty.", "add_line_item"),
    "ErrorCannotTransferSession": ErrorCode(InvalidRequest, "The store's own cart could not be taken over."),
    "AllProductsNotImplemented": ErrorCode(
        NotFound, "This store cannot list its catalog. Search it.", "search_products"
    ),
    "ProductUrlNotImplemented": ErrorCode(
        NotFound, "This store cannot be asked by a page's address. Search it.", "search_products"
    ),
    "SizeInvalid": ErrorCode(InvalidRequest, "A catalog page has 100, 500, 1000 or 2000 products."),
    # Shipments, checkout, promo codes, addons
    "ErrorShipmentNotFound": ErrorCode(NotFound, "The cart has no such shipment or location.", "get_cart"),
    "ErrorInvalidFulfillmentType": ErrorCode(
        InvalidRequest, "The shipment cannot be fulfilled so; its options are in the cart.", "get_cart"
    ),
    "ErrorInvalidShippingMethod": ErrorCode(
        InvalidRequest, "The shipment cannot be shipped so; its options are in the cart.", "get_cart"
    ),
    "ErrorMissingShippingMethod": ErrorCode(
        InvalidRequest, "A shipping method has to be chosen first.", "set_fulfillment"
    ),
    "ErrorMissingTaxSync": ErrorCode(
        InvalidRequest, "The cart's tax is not current. Set the address again.", "get_cart"
    ),
    "ErrorCountryNotSupported": ErrorCode(
        InvalidRequest, "The store does not ship to this country.", "set_shipping_info"
    ),
    "ErrorInvalidState": ErrorCode(
        InvalidRequest, "The state or province does not belong to the country.", "set_shipping_info"
    ),
    "ErrorInvalidPromoCode": ErrorCode(PromoRejected, "A promo code is invalid or expired.", "set_promo_codes"),
    "ErrorPromoNotAvailable": ErrorCode(PromoRejected, "A promo code is not for this cart.", "set_promo_codes"),
    "ErrorClearPromoCodeNotAllowed": ErrorCode(
        PromoRejected, "This store does not let promo codes be removed.", "get_cart"
    ),
    "ErrorAddonNotFound": ErrorCode(NotFound, "The cart has no such addon.", "get_cart"),
    # Payment
    "ErrorPaymentDeclined": ErrorCode(
        PaymentDeclined, "The card was declined; nothing was charged.", "list_payment_cards", proven=True
    ),
    "ErrorMissingRequiredParameters": ErrorCode(
        InvalidRequest, "The cart lacks something that the store needs.", "preview_order", proven=True
    ),
    "ErrorBadRequest": ErrorCode(InvalidRequest, "The payment was refused as it was sent."),
    "ErrorGatewayNotFound": ErrorCode(InvalidRequest, "The store does not take this kind of payment."),
    "ErrorCheckout": ErrorCode(StoreUnavailable, "The store's checkout failed.", "get_order_status"),
    "MerchantError": ErrorCode(StoreUnavailable, "The store's own system failed. Try again later."),
    # Validation, system
    "ErrorInvalidInputBody": ErrorCode(
        InvalidRequest, "A value was refused. `said` is the store's reason, where it gave one.", proven=True
    ),
    "ValidationError": ErrorCode(InvalidRequest, "The postal code was refused.", "set_postal_code"),
    "InvalidRequest": ErrorCode(InvalidRequest, "The search was refused. It needs words, and prices in order."),
    "BadRequest": ErrorCode(InvalidRequest, "The request was refused as it was sent."),
    "RateLimitExceeded": ErrorCode(RateLimited, "Too many requests. Wait before the next.", proven=True),
    "ErrorStoreUnavailable": ErrorCode(StoreUnavailable, "The store cannot answer now. Try again later."),
    "ServiceUnavailable": ErrorCode(StoreUnavailable, "Firmly is under maintenance. Try again later."),
    "RouteNotFound": ErrorCode(NotFound, "Firmly does not offer this call here.", proven=True),
}

# A 401 is about the session with any name; these names are, with any status.
SESSION_REFUSED: Final = frozenset(
    {"MissingAuthHeader", "InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized", "TokenExpired"}
)
PROOF_OF_REFUSAL: Final = frozenset(name for name, refusal in ERROR_CODES.items() if refusal.proven)

_BY_STATUS: Final[Mapping[int, ErrorCode]] = {
    401: _auth(),
    403: ErrorCode(Unauthorized, "This App ID may not do that at this store. Firmly enables stores per App ID."),
    404: ErrorCode(NotFound, "The store, or what was asked for there, does not exist or is not enabled."),
    409: ErrorCode(InvalidRequest, "The cart does not allow this as it is now.", "get_cart"),
    429: ErrorCode(RateLimited, "Too many requests. Wait before the next."),
}
_OTHER_4XX: Final = ErrorCode(InvalidRequest, "The request was refused.")
_OTHER: Final = ErrorCode(StoreUnavailable, "The store, or Firmly, cannot answer now. Try again later.")
_CAPTCHA: Final = ErrorCode(
    CaptchaRequired, "The store wants a captcha: a person has to buy this on the store's own page."
)


# Names that a proxy between us and Firmly may use as well, as in `{"error": "Unauthorized"}` alone.
_ANYONES_NAMES: Final = frozenset(
    {
        *("BadRequest", "Forbidden", "InvalidRequest", "InvalidToken", "InvalidJWTToken", "MissingAuthHeader"),
        *("RateLimitExceeded", "RouteNotFound", "ServiceUnavailable", "TokenExpired", "Unauthorized"),
        "ValidationError",
    }
)


@dataclass(frozen=True)
class Envelope:
    """Firmly's error envelope: `{code, error, description}` or `{error, message}` (Firmly: error-codes).

    `status` is the envelope's `code`: 0 where HTTP has no such status, None where the field is missing.
    """

    name: str = ""
    store_message: str = ""
    status: int | None = None

    @property
    def is_firmlys(self) -> bool:
        """Whether Firmly wrote it: a name of Firmly's own, or one with what else its envelope has."""
        return bool(self.name) and (
            self.name not in _ANYONES_NAMES or bool(self.store_message) or self.status is not None
        )

    @property
    def is_of_a_refusal(self) -> bool:
        """Whether its own `code`, if it has one, agrees that the request was refused."""
        return self.status is None or is_refusal(self.status)


def envelope(body: object) -> Envelope:
    """Read either envelope, also one inside `error`; a name that is not one word of letters is no name."""
    if not isinstance(body, dict):
        return Envelope()
    if isinstance(inner := body.get("error"), dict):
        return envelope(inner | {"error": inner.get("error") if isinstance(inner.get("error"), str) else None})
    name = inner if isinstance(inner, str) and _NAME.fullmatch(inner) else ""
    prose = next((text for key in ("description", "message") if isinstance(text := body.get(key), str)), "")
    return Envelope(name, prose[:_LONGEST_SAID], _declared(body.get("code")))


def _declared(code: object) -> int | None:
    if code is None:
        return None
    text = str(code) if isinstance(code, int | str) and not isinstance(code, bool) else ""
    return int(text) if re.fullmatch("[1-5][0-9]{2}", text) else 0


def is_refusal(status: int) -> bool:
    """Return whether this status refuses the request: a 4xx other than a timeout or a conflict."""
    return 400 <= status < 500 and status not in _NO_PROOF_STATUSES


def names_an_order(body: object) -> bool:
    """Return whether an order number, or a cart that is submitted, is anywhere in this JSON value."""
    left = [body]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            is_submitted = str(item.get("cart_status")).lower() == "submitted"
            if is_submitted or str(item.get("platform_order_number") or "").strip():
                return True
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False


def error_from_response(
    status: int, body: object, headers: Mapping[str, str], *, request_id: str | None = None, order: bool = False
) -> StoreError:
    """Return the error of an answer; with `order` it answers an order request, which may have moved money."""
    found = envelope(body)
    error = _error(found, status, request_id)
    if order and not (
        found.is_firmlys and found.is_of_a_refusal and not names_an_order(body) and proves_not_placed(error)
    ):
        error.money_moved = "unknown"
    if isinstance(error, RateLimited):
        error.retry_after = retry_after(headers)
    return error


def error_from_event(body: object, *, request_id: str | None = None) -> StoreError:
    """Return the error of a stream's `error` event; its status is 0, or a `code` that proves nothing."""
    found = envelope(body)
    error = _error(found, 0 if found.is_of_a_refusal else found.status or 0, request_id)
    if not found.is_of_a_refusal or names_an_order(body) or not proves_not_placed(error):
        error.money_moved = "unknown"
    return error


def proves_not_placed(error: StoreError) -> bool:
    """Whether this answer to an order request proves that no order was placed; so does what was never sent.

    The error of an answer that contradicts itself has `money_moved` "unknown" and proves nothing.
    """
    if isinstance(error, _Unsent):
        return True
    refused = error.status == 0 or is_refusal(error.status)
    return refused and error.name in PROOF_OF_REFUSAL and error.money_moved == "no"


def proves_not_made(status: int, body: object, *, repeatable: bool) -> bool:
    """Return whether this answer to a change of a cart proves that the change was not made.

    A refusal that is known here, as a 4xx in Firmly's envelope; for a `repeatable` change, of any name. A bare 429 or
    404 may be a proxy's, which answers so for a request that it passed on, too.
    """
    found = envelope(body)
    meaning = ERROR_CODES.get(found.name) or _meaning_of(status, found.name)
    is_known = found.is_firmlys and (found.name in ERROR_CODES or meaning is _CAPTCHA)
    is_written = is_known or (repeatable and bool(found.store_message or found.is_firmlys))
    return is_written and found.is_of_a_refusal and is_refusal(status) and meaning.kind is not StoreUnavailable


def session_refused(status: int, body: object) -> bool:
    """Whether the token was not accepted."""
    return status == 401 or (400 <= status < 500 and envelope(body).name in SESSION_REFUSED)


def proves_session_refused(status: int, body: object) -> bool:
    """Return whether the token was not accepted, in Firmly's words, so that nothing was done."""
    found = envelope(body)
    return is_refusal(status) and found.is_of_a_refusal and found.name in SESSION_REFUSED


def invalid_request(name: str, message: str, *, next: str | None = None) -> InvalidRequest:  # noqa: A002 - the field's name everywhere
    """What we refuse to send: status 0, a name that Firmly does not have."""
    return _Unsent(message, status=0, name=name, next=next)


def method_kept(error: StoreError) -> StoreError:
    """The store has no call to choose a shipping method: what it preselected stays."""
    message = "The shipping method cannot be chosen at this store; the one it preselected stays."
    return NotFound(message, status=error.status, name=error.name, request_id=error.request_id, next="get_cart")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The `Retry-After` header in seconds; None where it is missing or a date."""
    text = headers.get("retry-after", "").strip()
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) else None


def _error(found: Envelope, status: int, request_id: str | None) -> StoreError:
    meaning = ERROR_CODES.get(found.name) or _meaning_of(status, found.name)
    return meaning.kind(
        meaning.sentence,
        status=status,
        name=found.name,
        store_message=found.store_message,
        request_id=request_id,
        next=meaning.next,
    )


def _meaning_of(status: int, name: str) -> ErrorCode:
    if "captcha" in name.lower():
        return _CAPTCHA
    return _BY_STATUS.get(status) or (_OTHER_4XX if 400 <= status < 500 and status != 408 else _OTHER)
