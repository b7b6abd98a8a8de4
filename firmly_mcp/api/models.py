"""Carts, orders and the payment key as Firmly sends them (Firmly: cart-management, shipment-configuration, payment).

Firmly's own names. Every field may be missing (None, or an empty tuple); ids are opaque.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from firmly_mcp.money import Money

from .fields import Amount, Count, FirmlyModel, Flag, Id, IdText, Inconsistencies, ListOf, Text, read

# What stores write where they have no picture.
_NO_PICTURE = frozenset({"", "undefined", "null"})


class Address(FirmlyModel):
    """A shipping or billing address (Firmly: set-shipping-info). `country` is ISO 3166 alpha-2, or a name."""

    aliases: ClassVar[Mapping[str, str]] = {
        "address_line_1": "address1",
        "address_line_2": "address2",
        "state_code": "state_or_province",
        "zip": "postal_code",
        "country_code": "country",
    }
    first_name: Text = None
    last_name: Text = None
    email: Text = None
    phone: Text = None
    company: Text = None
    address1: Text = None
    address2: Text = None
    city: Text = None
    state_or_province: Text = None
    state_name: Text = None
    postal_code: Text = None
    country: Text = None


class Image(FirmlyModel):
    """A picture's address."""

    aliases: ClassVar[Mapping[str, str]] = {"src": "url"}
    url: Text = None
    alt: Text = None


def _usable(raw: object) -> bool:
    if isinstance(raw, dict):
        url = raw.get("url") if raw.get("url") is not None else raw.get("src")
        return not (url is None or (isinstance(url, str) and url.strip().lower() in _NO_PICTURE))
    return raw is not None


def _pictures(raw: object) -> object:
    return [image for image in raw if _usable(image)] if isinstance(raw, list) else raw


Pictures = Annotated[ListOf[Image], BeforeValidator(_pictures)]


class LineItem(FirmlyModel):
    """A variant in a cart and how many of it; `price` is of one, `line_price` of all."""

    line_item_id: Id = None
    sku: Id = None
    base_sku: Id = None
    variant_id: Id = None
    description: Text = None
    variant_description: Text = None
    quantity: Count = None
    price: Amount = None
    line_price: Amount = None
    discount: Amount = None
    line_discount: Amount = None
    discounts: ListOf[object] = ()
    requires_shipping: Flag = None
    recurring: object = None


class FulfillmentType(FirmlyModel):
    """How a shipment reaches the shopper: `SHIP_TO_ADDRESS`, `SCHEDULED_DELIVERY`, or a pickup, which has two names."""

    id: Id = None
    name: Text = None


class ShippingMethod(FirmlyModel):
    """A way to ship and its price; `estimated_delivery` is free text."""

    aliases: ClassVar[Mapping[str, str]] = {"sku": "id"}
    id: Id = None
    description: Text = None
    price: Amount = None
    estimated_delivery: Text = None


class Shipment(FirmlyModel):
    """Lines that travel together, how, and what else the store offers for them (Firmly: shipment-configuration)."""

    shipment_id: Id = None
    fulfillment_type: FulfillmentType | None = None
    fulfillment_type_options: ListOf[FulfillmentType] = ()
    shipping_method: ShippingMethod | None = None
    shipping_method_options: ListOf[ShippingMethod] = ()
    notes: Text = None
    selected_date: Text = None
    selected_location: object = None


class AddonDisplay(FirmlyModel):
    """An addon's name and description."""

    name: Text = None


class AddonOffer(FirmlyModel):
    """An addon on offer. Constraints (required, how many) have no documented names: they are in `model_extra`."""

    model_config = ConfigDict(extra="allow")
    addon_id: Id = None
    display: AddonDisplay | None = None
    price: Amount = None
    eligible_line_item_ids: ListOf[IdText] = ()
    child_offers: ListOf[AddonOffer] = ()


class AddonSelection(FirmlyModel):
    """An addon that was chosen; the store's other fields are in `model_extra`."""

    model_config = ConfigDict(extra="allow")
    addon_id: Id = None
    selected_line_item_ids: ListOf[IdText] = ()
    selected_child_ids: ListOf[IdText] = ()
    price: Amount = None


class Addons(FirmlyModel):
    """Offered and chosen addons."""

    offers: ListOf[AddonOffer] = ()
    selections: ListOf[AddonSelection] = ()


class Notice(FirmlyModel):
    """A store's note about a cart, such as `PRICE_INCREASED`; stores send a word or an object."""

    aliases: ClassVar[Mapping[str, str]] = {"description": "message", "text": "message", "type": "code"}
    code: Text = None
    message: Text = None

    @model_validator(mode="before")
    @classmethod
    def _from_a_word(cls, raw: Any) -> Any:
        return {"code": raw} if isinstance(raw, str) else raw


def _notices(raw: object) -> object:
    return [raw] if isinstance(raw, str | dict) else raw


Notices = Annotated[ListOf[Notice], BeforeValidator(_notices)]

CartAddons = Annotated[Addons, BeforeValidator(lambda raw: {} if raw is None else raw)]


class Cart(FirmlyModel):
    """A cart at one store (Firmly: get-cart); `inconsistencies` states what contradicts in its amounts."""

    aliases: ClassVar[Mapping[str, str]] = {"tax": "tax_total", "promo_codes": "coupons"}
    cart_id: Id = None
    shop_id: Text = None
    cart_status: Text = None
    line_items: ListOf[LineItem] = ()
    shipments: ListOf[Shipment] = ()
    addons: CartAddons = Field(default_factory=Addons)
    sub_total: Amount = None
    shipping_total: Amount = None
    tax_total: Amount = None
    addon_total: Amount = None
    cart_discount: Amount = None
    store_credit: Amount = None
    total: Amount = None
    coupons: ListOf[IdText] = ()
    notices: Notices = ()
    notice: Notices = ()
    shipping_info: Address | None = None
    platform_order_number: Id = None
    inconsistencies: Inconsistencies = ()

    @property
    def is_empty(self) -> bool:
        """No line items."""
        return not self.line_items

    @property
    def submitted(self) -> bool:
        """Whether its status is `submitted`. The proof of an order is its `platform_order_number`."""
        return (self.cart_status or "").lower() == "submitted"

    def find_inconsistencies(self) -> Iterable[str]:
        """A sentence for each sum that does not add up."""
        return inconsistencies(self)


class Order(Cart):
    """What the store confirmed: the submitted cart and the order's own fields (Firmly: place-order, complete-order)."""


class PaymentKey(FirmlyModel):
    """The RSA key that cards are encrypted for, as sent: nothing is checked here (Firmly: get-public-key).

    `header_kid` is the answer's `x-firmly-kid`; numbers are base64url text.
    """

    kid: Text = None
    kty: Text = None
    n: Text = None
    e: Text = None
    use: Text = None
    alg: Text = None
    header_kid: Text = None


def carts(raw: object) -> tuple[Cart, ...]:
    """Read the list of active carts (Firmly: get-active-carts).

    Raises:
        UnexpectedAnswer: not such a list, or a cart has a field of the wrong type.
    """
    return tuple(read(Cart, cart) for cart in read(_ActiveCarts, raw).carts)


class _ActiveCarts(FirmlyModel):
    carts: ListOf[object] = ()


# Whether a cart's numbers agree with each other.


def inconsistencies(cart: Cart) -> Iterator[str]:
    """A sentence for each sum that does not hold; nothing for one that cannot be made."""
    yield from (doubt for position, line in enumerate(cart.line_items, start=1) if (doubt := _in_line(position, line)))
    prices = [_of_line(line) for line in cart.line_items]
    if prices and not _sums_to(cart.sub_total, prices, _given_away(cart)):
        yield f"the lines do not add up to the sub_total of {_shown(cart.sub_total)}"
    parts = [cart.sub_total, cart.shipping_total, cart.tax_total, cart.addon_total]
    known = [part for part in parts if part is not None]
    if cart.sub_total is not None and not _sums_to(cart.total, known, _given_away(cart)):
        yield f"the parts do not add up to the total of {_shown(cart.total)}"


def line_price(line: LineItem) -> Money | None:
    """Return what a line costs: where the store does not state it, its price as often as it is bought."""
    if line.line_price is not None or line.price is None or line.quantity is None:
        return line.line_price
    return line.price * line.quantity


def _of_line(line: LineItem) -> Money | None:
    """Return what a line costs; None where that is not stated and reduced by a discount, or not known."""
    is_reduced = line.discounts or line.discount is not None or line.line_discount is not None
    return None if is_reduced and line.line_price is None else line_price(line)


def _in_line(position: int, line: LineItem) -> str | None:
    if line.price is None or line.quantity is None or line.line_price is None:
        return None
    reductions = [line.discount, line.discount * line.quantity if line.discount else None, line.line_discount]
    if line.discounts or _sums_to(line.line_price, [line.price * line.quantity], _amounts(reductions)):
        return None
    return f"line {position}: {line.quantity} times {line.price.plain} is not {line.line_price.plain}"


def _given_away(cart: Cart) -> list[Decimal]:
    """What may have been taken off: the discount, the lines' discounts, store credit, and both kinds together."""
    discounts = _amounts([cart.cart_discount])
    discounts += [sum(_amounts([line.line_discount for line in cart.line_items]), Decimal(0))]
    credit = _amounts([cart.store_credit])
    return discounts + credit + [discount + one for discount in discounts for one in credit]


def _amounts(values: Iterable[Money | None]) -> list[Decimal]:
    # Some stores send a discount as a negative amount.
    return [abs(value.amount) for value in values if value is not None]


def _sums_to(total: Money | None, parts: list[Money | None] | list[Money], reductions: list[Decimal]) -> bool:
    """Whether the parts make the total, perhaps less one of the reductions; True where that cannot be computed."""
    known = [part for part in parts if part is not None]
    if total is None or len(known) < len(parts) or {part.currency for part in known} - {total.currency}:
        return True
    whole = sum((part.amount for part in known), Decimal(0))
    return total.amount in {whole, *(whole - reduction for reduction in reductions)}


def _shown(amount: Money | None) -> str:
    return amount.plain if amount is not None else "nothing"
