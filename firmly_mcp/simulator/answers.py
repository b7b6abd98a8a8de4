"""What an endpoint returns: an Answer, or a Refusal in Firmly's error envelope. Money objects and new ids.

STATUS holds the contract's error names with their HTTP status: the documented one where a page states it, else the
proposal of the contract's sections 14 and 15.
"""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

STATUS = {
    # authentication
    "InvalidAppId": 400, "BadRequest": 400, "MissingAuthHeader": 401, "InvalidToken": 401, "InvalidJWTToken": 401,
    "ErrorUnauthorized": 401, "Unauthorized": 401, "TokenExpired": 401, "InvalidAPIToken": 401, "Forbidden": 403,
    # stores, catalog, cart
    "ErrorDomainNotFound": 404,  # the real name is unknown (U-22)
    "AllProductsNotImplemented": 404, "ProductUrlNotImplemented": 404,
    "SizeInvalid": 400,  # the page shows "Size Invalid"
    "ErrorProductNotFound": 404, "ErrorNotEnoughStock": 422, "ErrorCartNotFound": 404,
    "ErrorCartEmpty": 400,  # the real name is unknown (U-23)
    "ErrorCartSubmitted": 409, "ErrorCheckoutBlocked": 409,  # U-20
    "ErrorLineItemNotFound": 404,  # U-23
    "InvalidSKU": 404, "InvalidQuantity": 422, "MerchantError": 500, "ErrorNoLineItem": 422,
    "ErrorCannotTransferSession": 422,
    # shipments, checkout, promotions, addons
    "ErrorShipmentNotFound": 404, "ErrorLocationNotFound": 404, "ErrorInvalidFulfillmentType": 400,
    "ErrorInvalidShippingMethod": 422, "ErrorMissingShippingMethod": 422, "ErrorMissingTaxSync": 422,
    "ErrorCountryNotSupported": 400, "ErrorInvalidState": 422, "ErrorInvalidPromoCode": 422,
    "ErrorPromoNotAvailable": 422, "ErrorClearPromoCodeNotAllowed": 422, "ErrorAddonNotFound": 404,
    "ErrorInvalidAddon": 422,
    # payment
    "ErrorPaymentDeclined": 422, "ErrorMissingRequiredParameters": 422, "ErrorBadRequest": 400,
    "ErrorGatewayNotFound": 404, "ErrorCheckout": 422,
    # orders, validation, system
    "ErrorOrderNotFound": 404, "ErrorInvalidInputBody": 400, "ValidationError": 400, "InvalidRequest": 400,
    "RateLimitExceeded": 429, "ErrorStoreUnavailable": 503, "ServiceUnavailable": 503, "InternalServerError": 500,
    "GatewayTimeout": 504, "RouteNotFound": 404,
}  # fmt: skip
AUTH_NAMES = frozenset({"InvalidAppId", "BadRequest", "InvalidAPIToken"})
SYMBOLS = {"USD": "$", "CAD": "$", "GBP": "£", "EUR": "€"}
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer. `json` is encoded last, so that faults and `encode` can still change it."""

    json: Any = None
    body: bytes | None = None
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body: compact UTF-8; half a surrogate pair from a request becomes a question mark."""
        if self.body is not None:
            return self.body
        return json.dumps(self.json, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


class Refusal(Exception):
    """An error of the contract. `status` overrides the table; `envelope` is `description` or `message` (C-22)."""

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int | None = None,
        envelope: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = STATUS.get(error, 400) if status is None else status
        self.form = envelope or ("message" if error in AUTH_NAMES else "description")
        self.retry_after = retry_after

    def envelope(self) -> Json:
        """Return the error body in one of the two documented shapes."""
        if self.form == "message":
            return {"error": self.error, "message": self.description}
        return {"code": self.status, "error": self.error, "description": self.description}

    def answer(self) -> Answer:
        """Return the refusal as an HTTP answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Answer(self.envelope(), status=self.status, headers=headers)


def money(cents: int, currency: str) -> Json:
    """Return the Money object of an amount; `value` prints as the exact decimal (5340 gives 53.4)."""
    return {"currency": currency, "value": cents / 100, "number": cents, "symbol": SYMBOLS[currency]}


def with_total(view: Json, cents: int) -> Json:
    """Return the view of a cart or an order with another total in the same currency."""
    return {**view, "total": money(cents, view["total"]["currency"])} if "total" in view else view


def share(cents: int, rate: int, whole: int = 100_000) -> int:
    """Return `rate`/`whole` of an amount, rounded half up."""
    return (cents * rate * 2 + whole) // (whole * 2)


def new_id(prefix: str) -> str:
    """Return a new opaque id in Firmly's form: `cart_01` and 24 characters."""
    return f"{prefix}_01" + "".join(secrets.choice(CROCKFORD) for _ in range(24))


def new_device_id() -> str:
    """Return a new device id: a UUID."""
    return str(uuid.uuid4())
