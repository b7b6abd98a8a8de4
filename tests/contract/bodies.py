"""Requests as Firmly's pages document them. What a test sends wrongly on purpose is written as plain JSON instead."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """What every request body has in common (developers.firmly.ai: api-reference/overview)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def sent(self) -> dict[str, Any]:
        """As JSON, without what was not given."""
        return self.model_dump(mode="json", exclude_none=True)


class Renewal(Body):
    """An old token to go on with (authentication/browser-session)."""

    access_token: str | None = None


class VariantFilter(Body):
    """An option and the values that will do, exactly as written (discovery/search; keys as in discovery/options)."""

    option: str
    values: list[str]


class Filters(Body):
    """What a search is narrowed by; prices in cents (discovery/search)."""

    domains: list[str] | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    variants: list[VariantFilter] | None = None


class Search(Body):
    """A search (discovery/search)."""

    query: str
    filters: Filters | None = None
    page_size: int | None = Field(default=None, ge=1, le=100)


class SetPostalCode(Body):
    """A postal code for all stores (session/set-postal-code)."""

    postal_code: str


class Handle(Body):
    """A merchant's own cart, in the long form (session/session-transfer)."""

    handle: str
    token: str = Field(min_length=36)
    merchantData: dict[str, Any] = {}  # noqa: N815 - the page's name
    version: str = "1.0"


class Transfer(Body):
    """A merchant's own cart to take over (session/session-transfer)."""

    handle: str | Handle
    cookies: list[Any] | None = None


class AddLineItem(Body):
    """A variant and how many of it (cart-management/add-line-item)."""

    add_to_cart_ref: dict[str, Any]
    quantity: int = Field(ge=1)


class UpdateLineItem(Body):
    """A line's new quantity; 0 removes it (cart-management/update-line-item)."""

    quantity: int = Field(ge=0)


class PromoCodes(Body):
    """Codes, checked in this order (promotions/add-promo-codes)."""

    promo_codes: list[str] = Field(min_length=1, max_length=10)


class FullAddress(Body):
    """An address of a Full Cart (checkout/set-shipping-info, checkout/set-billing-info)."""

    first_name: str = "Ana"
    last_name: str = "Lima"
    email: str = "ana@example.com"
    phone: str = "2065550100"
    address1: str = "1 Test St"
    address2: str | None = None
    city: str = "Seattle"
    state_or_province: str = "WA"
    postal_code: str = "98101"
    country: str = Field(default="US", pattern="^[A-Z]{2}$")


class SimpleAddress(Body):
    """An address of a Simple Cart, the country by name (simple-cart-api/checkout/set-shipping-info)."""

    first_name: str = "Ana"
    last_name: str = "Lima"
    email: str = "ana@example.com"
    phone: str | None = None
    address1: str = "1 Test St"
    address2: str | None = None
    city: str = "Seattle"
    state_or_province: str = "WA"
    postal_code: str = "98101"
    country: str = "United States"


class PaymentAddress(FullAddress):
    """An address beside a sealed card (payment/complete-order-v2, payment/place-order-v2)."""

    company: str | None = None


class SetFulfillmentType(Body):
    """How a shipment reaches the shopper (shipment-configuration/set-fulfillment-type)."""

    shipment_id: str
    fulfillment_type: str
    location_id: str | None = None


class SetShippingMethod(Body):
    """How it travels, and when (shipment-configuration/set-shipping-method)."""

    shipment_id: str
    shipping_method_id: str
    notes: str | None = None
    selected_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")


class GetAvailability(Body):
    """Whose dates are asked for (shipment-configuration/get-availability)."""

    shipment_id: str


class Selected(Body):
    """One addon, for which lines, with which children (addon-management/add-addon)."""

    addon_id: str
    selected_line_item_ids: list[str] | None = None
    selected_child_ids: list[str] | None = None


class AddAddon(Body):
    """Exactly one of them (addon-management/add-addon)."""

    selections: list[Selected] = Field(min_length=1, max_length=1)


class RemoveAddon(Body):
    """An addon, or a part of it, that is given up (addon-management/remove-addon)."""

    addon_id: str
    deselected_line_item_id: str | None = None
    deselected_child_id: str | None = None


class SimpleQuantity(Body):
    """A line's new quantity in a Simple Cart (simple-cart-api/cart/update-item)."""

    quantity: int = Field(ge=0)
    variant_handles: list[str] | None = None


class SimpleShippingMethod(Body):
    """The one method of a Simple Cart (simple-cart-api/checkout/set-shipping-method)."""

    shipping_method: str


class Card(Body):
    """What is sealed: five texts (payment/complete-order-v1)."""

    number: str = Field(pattern=r"^\d{12,19}$")
    name: str
    verification_value: str = Field(pattern=r"^\d{3,4}$")
    month: str = Field(pattern=r"^\d{2}$")
    year: str = Field(pattern=r"^\d{4}$")


class CompleteOrder(Body):
    """Pays a cart (payment/complete-order-v1, payment/complete-order-v2)."""

    encrypted_card: str
    billing_info: PaymentAddress = PaymentAddress()
    captcha_token: str | None = None


class Item(Body):
    """One thing to order (payment/place-order-v2)."""

    add_to_cart_ref: dict[str, Any]
    quantity: int = Field(ge=1)


class SimpleItem(Body):
    """The same in v1, whose page is cut off here; inferred from its error texts (payment/place-order-v1)."""

    variant_id: str
    quantity: int = Field(ge=1)


class PlaceOrder(Body):
    """Buys items in one call (payment/place-order-v1, payment/place-order-v2)."""

    encrypted_card: str
    items: list[Item] | list[SimpleItem]
    billing_info: PaymentAddress = PaymentAddress()
    shipping_info: PaymentAddress = PaymentAddress()
    captcha_token: str | None = None
