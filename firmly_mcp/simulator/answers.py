"""What an endpoint gives back: an Answer, or a Refusal in Firmly's error envelope.

STATUS holds the error names of the contract with their HTTP status: the documented one where there is one, else the
proposal of the contract's sections 14 and 15.
"""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

STATUS = {
    # authentication
    "InvalidAppId": 400,
    "BadRequest": 400,
    "MissingAuthHeader": 401,
    "InvalidToken": 401,
    "InvalidJWTToken": 401,
    "ErrorUnauthorized": 401,
    "Unauthorized": 401,
    "TokenExpired": 401,
    "InvalidAPIToken": 401,
    "Forbidden": 403,
    # stores, catalog, cart
    "ErrorDomainNotFound": 404,  # the real name is unknown (U-22)
    "AllProductsNotImplemented": 404,
    "ProductUrlNotImplemented": 404,
    "SizeInvalid": 400,  # the page shows "Size Invalid"
    "ErrorProductNotFound": 404,
    "ErrorNotEnoughStock": 422,
    "ErrorCartNotFound": 404,
    "ErrorCartEmpty": 400,  # the real name is unknown (U-23)
    "ErrorCartSubmitted": 409,  # U-20
    "ErrorCheckoutBlocked": 409,  # U-20
    "ErrorLineItemNotFound": 404,  # U-23
    "InvalidSKU": 404,
    "InvalidQuantity": 422,
    "MerchantError": 500,
    "ErrorNoLineItem": 422,
    "ErrorCannotTransferSession": 422,
    # shipments, checkout, promotions, addons
    "ErrorShipmentNotFound": 404,
    "ErrorLocationNotFound": 404,
    "ErrorInvalidFulfillmentType": 400,
    "ErrorInvalidShippingMethod": 422,
    "ErrorMissingShippingMethod": 422,
    "ErrorMissingTaxSync": 422,
    "ErrorCountryNotSupported": 400,
    "ErrorInvalidState": 422,
    "ErrorInvalidPromoCode": 422,
    "ErrorPromoNotAvailable": 422,
    "ErrorClearPromoCodeNotAllowed": 422,
    "ErrorAddonNotFound": 404,
    "ErrorInvalidAddon": 422,
    # payment
    "ErrorPaymentDeclined": 422,
    "ErrorMissingRequiredParameters": 422,
    "ErrorBadRequest": 400,
    "ErrorGatewayNotFound": 404,
    "ErrorCheckout": 422,
    # orders, validation, system
    "ErrorOrderNotFound": 404,
    "ErrorInvalidInputBody": 400,
    "ValidationError": 400,
    "InvalidRequest": 400,
    "RateLimitExceeded": 429,
    "ErrorStoreUnavailable": 503,
    "ServiceUnavailable": 503,
    "InternalServerError": 500,
    "GatewayTimeout": 504,
    "RouteNotFound": 404,
}

AUTH_NAMES = frozenset({"InvalidAppId", "BadRequest", "InvalidAPIToken"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer. `json` is encoded late, so that a dialect can still change its words."""

    json: Any = None
    body: bytes | None = None
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The bytes of the body."""
        return encode(self.json) if self.body is None else self.body


class Refusal(Exception):
    """The endpoint says no. `status` overrides the table; `envelope` is `description` or `message` (C-22)."""

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

    def envelope(self) -> dict[str, Any]:
        """The error body, in one of the two documented shapes."""
        if self.form == "message":
            return {"error": self.error, "message": self.description}
        return {"code": self.status, "error": self.error, "description": self.description}

    def answer(self) -> Answer:
        """The refusal as an HTTP answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Answer(self.envelope(), status=self.status, headers=headers)


def encode(value: Any) -> bytes:
    """JSON as it goes out: compact UTF-8; half a character that someone sent becomes a question mark."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


Json = dict[str, Any]

SYMBOLS = {"USD": "$", "CAD": "$", "GBP": "£", "EUR": "€"}


def money(cents: int, currency: str) -> Json:
    """The Money object of `cents`; `value` prints as the exact decimal (5340 gives 53.4)."""
    return {"currency": currency, "value": cents / 100, "number": cents, "symbol": SYMBOLS[currency]}


def with_total(view: Json, cents: int) -> Json:
    """The view of a cart or an order with another total in the same currency."""
    return {**view, "total": money(cents, view["total"]["currency"])} if "total" in view else view


def share(cents: int, rate: int, whole: int = 100_000) -> int:
    """`rate`/`whole` of an amount, rounded half up; never below zero for amounts that are not."""
    return (cents * rate * 2 + whole) // (whole * 2)


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def fresh(prefix: str) -> str:
    """`cart_01…`: a prefix and 26 characters that never come twice."""
    return f"{prefix}_01" + "".join(secrets.choice(CROCKFORD) for _ in range(24))


def fresh_device() -> str:
    """A device id: a UUID."""
    return str(uuid.uuid4())
