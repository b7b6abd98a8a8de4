"""Carts and orders as Firmly's pages document them: the Full Cart (v2), the Simple Cart (v1), and what paying gives."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .schemas import Answer, Image, Money


class LineItem(Answer):
    """A variant and how many of it (cart-management/get-cart, simple-cart-api/cart/get-cart)."""

    line_item_id: str
    platform_line_item_id: str | None = None
    sku: str
    base_sku: str | None = None
    description: str
    variant_description: str | None = None
    quantity: int = Field(ge=1)
    price: Money
    line_price: Money
    msrp: Money | None = None
    line_discount: Money | None = None
    image: Image
    requires_shipping: bool | None = None


class Address(Answer):
    """An address in an answer (checkout/set-shipping-info, simple-cart-api/checkout/set-shipping-info)."""

    first_name: str
    last_name: str
    email: str
    address1: str
    city: str
    state_or_province: str
    postal_code: str
    country: str
    phone: str | None = None
    address2: str | None = None


class Method(Answer):
    """A way to ship, in a v2 shipment (shipment-configuration/set-shipping-method)."""

    id: str
    description: str
    price: Money
    estimated_delivery: str | None = None


class SimpleMethod(Answer):
    """The same in a v1 cart, where its key is `sku` (simple-cart-api/checkout/set-shipping-method)."""

    sku: str
    description: str
    price: Money
    estimated_delivery: str | None = None


class Fulfillment(Answer):
    """How a shipment reaches the shopper (shipment-configuration/set-fulfillment-type)."""

    id: str
    name: str
    description: str


class Shipment(Answer):
    """Lines that travel together (shipment-configuration/overview)."""

    shipment_id: str
    line_item_ids: list[str] = Field(min_length=1)
    fulfillment_type: Fulfillment | None
    fulfillment_type_options: list[Fulfillment] = Field(min_length=1)
    shipping_method_options: list[Method]
    shipping_method: Method | None
    notes: str | None = None
    selected_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    selected_location: dict[str, Any] | None = None

    @property
    def kinds(self) -> list[str]:
        """The ids that its fulfillment can be set to."""
        return [kind.id for kind in self.fulfillment_type_options]


class Display(Answer):
    """An addon's name (addon-management/add-addon)."""

    name: str
    description: str


class ChildOffer(Answer):
    """An addon of an addon (addon-management/add-addon)."""

    addon_id: str
    price: Money


class Offer(Answer):
    """An addon that a cart is offered; its rules have no documented names (addon-management/overview, add-addon)."""

    addon_id: str
    display: Display
    scope: str
    price: Money
    coverage_mode: str | None = None
    eligible_line_item_ids: list[str] = Field(default_factory=list)
    line_item_pricing: dict[str, Money] = Field(default_factory=dict)
    child_offers: list[ChildOffer] = Field(default_factory=list)


class Selection(Answer):
    """An addon that was chosen (addon-management/add-addon)."""

    addon_id: str
    selected_line_item_ids: list[str] = Field(default_factory=list)
    selected_child_ids: list[str] = Field(default_factory=list)


class Addons(Answer):
    """Offered and chosen addons (addon-management/overview)."""

    offers: list[Offer]
    selections: list[Selection]


class PaymentOption(Answer):
    """A way to pay (cart-management/get-cart)."""

    type: str
    wallet: str | None = None


class AnyCart(Answer):
    """What v1 and v2 share (cart-management/get-cart, simple-cart-api/cart/get-cart)."""

    cart_id: str
    platform_id: str
    shop_id: str
    display_name: str
    line_items: list[LineItem]
    sub_total: Money
    shipping_total: Money
    total: Money
    cart_discount: Money | None = None
    coupons: list[str] = Field(default_factory=list)
    cart_status: str | None = Field(default=None, pattern="^(active|submitted|item_not_shippable|checkout_blocked)$")
    shipping_info: Address | None = None
    payment_method_options: list[PaymentOption] = Field(default_factory=list)


class Cart(AnyCart):
    """A Full Cart (cart-management/overview, get-cart, concepts/cart-lifecycle)."""

    shipments: list[Shipment]
    addons: Addons
    tax_total: Money
    addon_total: Money
    notices: list[Any] = Field(default_factory=list)
    billing_info: Address | None = None
    schema_version: str = Field(pattern=r"^2\.0$")
    platform_order_number: str | None = None


class SimpleCart(AnyCart):
    """A Simple Cart (simple-cart-api/cart/get-cart)."""

    tax: Money
    shipping_method: SimpleMethod | None = None
    shipping_method_options: list[SimpleMethod] = Field(default_factory=list)


class ActiveCarts(Answer):
    """All carts with something in them (session/get-active-carts)."""

    domains: list[str]
    carts: list[Cart]


class Slot(Answer):
    """A part of a day (shipment-configuration/get-availability)."""

    slot_id: str
    start_time: str = Field(pattern=r"^\d{2}:\d{2}$")
    end_time: str = Field(pattern=r"^\d{2}:\d{2}$")
    available: bool


class Day(Answer):
    """A day to deliver on (shipment-configuration/get-availability)."""

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    time_slots: list[Slot]


class Window(Answer):
    """A span of days with a price (shipment-configuration/get-availability)."""

    window_id: str
    name: str
    price: Money
    date_range: dict[str, str]


class Availability(Answer):
    """When a scheduled shipment can come (shipment-configuration/get-availability)."""

    shipment_id: str
    fulfillment_type: Fulfillment
    available_dates: list[Day]
    delivery_windows: list[Window]


class Urls(Answer):
    """Pages of an order (payment/place-order-v1)."""

    thank_you_page: str


class Paid(Answer):
    """How it was paid (payment/place-order-v1)."""

    payment_type: str
    last_four: str = Field(pattern=r"^\d{4}$")
    card_type: str
    month: int
    year: int


class AnyOrder(Answer):
    """What placing and completing an order give in v1 and v2 (payment/place-order-v1, complete-order-v1)."""

    platform_order_number: str = Field(min_length=1)
    cart_id: str
    line_items: list[LineItem] = Field(min_length=1)
    total: Money
    cart_status: str = Field(default="submitted", pattern="^submitted$")
    submitted_at: str | None = None
    sub_total: Money | None = None
    shipping_total: Money | None = None
    tax: Money | None = None
    cart_discount: Money | None = None
    shipping_info: Address | None = None
    billing_info: Address | None = None
    urls: Urls | None = None
    payment_summary: Paid | None = None


class Order(AnyOrder):
    """A Full Cart's order (payment/complete-order-v2, payment/place-order-v2)."""

    shipments: list[Shipment]
    addons: Addons


class SimpleOrder(AnyOrder):
    """A Simple Cart's order (payment/complete-order-v1, payment/place-order-v1)."""

    submitted_at: str
    sub_total: Money
    shipping_total: Money
    tax: Money
    shipping_info: Address
    shipping_method: SimpleMethod
    urls: Urls
    payment_summary: Paid


def adds_up(cart: Cart | SimpleCart) -> None:
    """The arithmetic of the documented examples (cart-management/update-line-item)."""
    for line in cart.line_items:
        assert line.line_price.number == line.price.number * line.quantity
    assert cart.sub_total.number == sum(line.line_price.number for line in cart.line_items)
    off = 0 if cart.cart_discount is None else cart.cart_discount.number
    tax, addons = (cart.tax_total.number, cart.addon_total.number) if isinstance(cart, Cart) else (cart.tax.number, 0)
    assert cart.total.number == cart.sub_total.number - off + cart.shipping_total.number + tax + addons
    if isinstance(cart, Cart):
        methods = [shipment.shipping_method for shipment in cart.shipments if shipment.shipping_method]
        assert cart.shipping_total.number == sum(method.price.number for method in methods)
