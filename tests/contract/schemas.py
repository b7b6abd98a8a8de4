"""Firmly's answers as its pages document them: names, types and what is always there. Unknown fields are welcome.

A field without a default is one that the page shows in every answer, or says is guaranteed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, Field, model_validator

HUNDREDTHS = {"USD", "GBP", "CAD", "EUR"}


class Answer(BaseModel):
    """What every answer has in common (developers.firmly.ai: api-reference/overview)."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


Model = TypeVar("Model", bound=Answer)


class Error(Answer):
    """The error envelope of the API (overview, resources/error-codes) or of the sessions' pages (browser-session)."""

    error: str = Field(min_length=1)
    code: int | None = None
    description: str | None = None
    message: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Error:
        assert self.description or self.message
        return self


class Money(Answer):
    """An amount: `value` in major units, `number` in minor ones (api-reference/overview, every cart page)."""

    currency: str = Field(pattern="^[A-Z]{3}$")
    value: Decimal
    number: int
    symbol: str

    @model_validator(mode="after")
    def _agrees(self) -> Money:
        assert self.currency not in HUNDREDTHS or self.value * 100 == self.number
        return self


class Image(Answer):
    """A picture (catalog/get-product)."""

    url: str
    alt: str | None = None
    type: str | None = None


class Session(Answer):
    """A device's session (authentication/browser-session)."""

    device_created: bool
    access_token: str = Field(pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")
    expires_in: int
    expires: int
    device_id: str = Field(min_length=1)


class ActiveDomains(Answer):
    """Stores with something in the cart (session/get-active-domains)."""

    domains: list[str]


class PostalCode(Answer):
    """The device's postal code, empty when unset (session/get-postal-code, session/set-postal-code)."""

    postal_code: str


class Listed(Answer):
    """An entry of a store's catalog (catalog/get-all-products)."""

    loc: str
    handle: str
    title: str
    image: Image


class CartRef(Answer):
    """What a variant is put in a cart with, passed on unchanged (catalog/overview)."""

    variant_id: str
    product_id: str | None = None
    variant_handles: list[str] | None = None


class Message(Answer):
    """What a store says beside a variant (catalog/get-product)."""

    type: str = Field(pattern="^(promotion|stock)$")
    text: str


class Variant(Answer):
    """One thing that can be bought (catalog/get-product)."""

    handle: str
    sku: str
    title: str
    display_name: str
    price: Money
    available: bool
    variant_option_list: list[str]
    add_to_cart_ref: CartRef
    msrp: Money | None = None
    images: list[Image] = []
    messages: list[Message] = []


class OptionValue(Answer):
    """One value of an option (catalog/get-product)."""

    display_name: str
    value: str
    available: bool | None = None


class Option(Answer):
    """An option; `property_accessor` names the variant's field that holds its value (catalog/get-product)."""

    display_name: str
    property_accessor: str
    position: int = Field(ge=0)
    option_values: list[OptionValue]


class Reviews(Answer):
    """How a product is rated (catalog/get-product)."""

    total_reviews: int
    average_rating: float


class Product(Answer):
    """A product with its variants (catalog/get-product, catalog/get-product-from-url)."""

    base_sku: str
    title: str
    handle: str
    description: str
    product_type: str
    images: list[Image]
    variant_option_values: list[Option]
    variants: list[Variant] = Field(min_length=1)
    pdp_url: str | None = None
    reviews: Reviews | None = None


class PriceRange(Answer):
    """Integer cents, unlike every other amount (discovery/search)."""

    min: int
    max: int


class Hit(Answer):
    """A product in the index (discovery/search)."""

    base_sku: str
    title: str
    handle: str
    description: str
    pdp_url: str
    price_range: PriceRange
    has_available_variants: bool
    images: list[Image]
    variants: list[Variant]
    variant_option_values: list[Option] = []
    domain: str | None = None


class Found(Answer):
    """A page of a search; `next_page` is null at the end (discovery/search)."""

    products: list[Hit]
    page_size: int
    time_taken_ms: int
    next_page: str | None


class FilterOption(Answer):
    """An option that searches can filter by (discovery/options)."""

    option: str
    values: list[str] = Field(min_length=1)


class FilterOptions(Answer):
    """All of them (discovery/options)."""

    variant_options: list[FilterOption]


class Options(Answer):
    """The answer around them (discovery/options)."""

    options: FilterOptions


class Tracking(Answer):
    """Where a parcel is (orders/get-order-status)."""

    tracking_number: str | None = None
    carrier: str | None = None
    shipped_at: str | None = None
    delivered_at: str | None = None


class StatusLine(Answer):
    """An ordered line and how far it is (orders/get-order-status)."""

    line_item_id: str
    sku: str
    status: str
    quantity: int | None = None
    tracking: Tracking | None = None
    refund_amount: Money | None = None


class Parcel(Tracking):
    """A fulfillment (orders/get-order-status)."""

    id: str
    status: str
    line_item_skus: list[str] = []


class Happened(Answer):
    """An event of an order's life (orders/get-order-status)."""

    type: str
    timestamp: str


class OrderStatus(Answer):
    """How far an order is; its status is one of an open set of words (orders/get-order-status)."""

    status: str = Field(pattern="^[a-z_]+$")
    order_number: str
    line_items: list[StatusLine] = []
    fulfillments: list[Parcel] = []
    events: list[Happened] = []


def read(model: type[Model], answer: httpx2.Response) -> Model:
    """A 200 as its page documents it."""
    assert answer.status_code == 200, (answer.request.url, answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("application/json")
    return model.model_validate_json(answer.content)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the error's name, once the envelope is a documented one and repeats the status."""
    assert answer.status_code >= 400, (answer.request.url, answer.status_code, answer.text)
    error = Error.model_validate_json(answer.content)
    assert error.code in {None, answer.status_code}
    return answer.status_code, error.error


def plain(answer: Answer | None) -> dict[str, Any]:
    """The same JSON again, to be sent on unchanged."""
    assert answer is not None
    return answer.model_dump(mode="json", exclude_unset=True)
