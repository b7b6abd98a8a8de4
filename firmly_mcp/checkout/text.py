"""A quote as a person reads it: lines, delivery, addresses and amounts, arranged and cleaned. No I/O.

It says nothing that binds: the terms do. It is made of the same cart at the same moment, so that a desk need not take
the terms apart again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from firmly_mcp.api.models import Address, Cart, LineItem, Shipment
from firmly_mcp.money import Money
from firmly_mcp.untrusted import clean

_KINDS: Final = {"SHIP_TO_ADDRESS": "Shipped to the address", "SCHEDULED_DELIVERY": "Delivered on a date"}
_LOCATION_WORDS: Final = ("name", "address1", "city", "state_or_province", "postal_code")


@dataclass(frozen=True, slots=True)
class Line:
    """What is bought: `price` is of one piece, `line_price` of all."""

    title: str
    variant: str
    sku: str
    quantity: int
    price: Money | None
    line_price: Money | None
    is_recurring: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a shipment comes: each part is empty where the store says nothing."""

    kind: str
    method: str
    price: Money | None
    when: str
    date: str
    place: str
    notes: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who it is for: the address in lines, and how they are reached."""

    lines: tuple[str, ...]
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """All of it. `amounts` are the parts of the total by name, what is taken off with a minus."""

    lines: tuple[Line, ...]
    deliveries: tuple[Delivery, ...]
    recipient: Recipient | None
    billing: Recipient
    addons: tuple[str, ...]
    promo_codes: tuple[str, ...]
    amounts: tuple[tuple[str, Money], ...]
    notices: tuple[str, ...]


def receipt(cart: Cart, billing: Mapping[str, str]) -> Receipt:
    """Arrange a cart for a person; `billing` holds Firmly's address fields."""
    return Receipt(
        lines=tuple(_line(line) for line in cart.line_items),
        deliveries=tuple(_delivery(shipment) for shipment in cart.shipments),
        recipient=_recipient(cart.shipping_info) if cart.shipping_info is not None else None,
        billing=_recipient(Address.model_validate(dict(billing))),
        addons=tuple(_addons(cart)),
        promo_codes=tuple(clean(code, 60) for code in cart.coupons),
        amounts=tuple(_amounts(cart)),
        notices=tuple(_notices(cart)),
    )


def _line(line: LineItem) -> Line:
    return Line(
        title=clean(line.description, 160) or clean(line.sku, 80) or "An item without a name",
        variant=clean(line.variant_description, 120),
        sku=clean(line.sku or line.variant_id, 80),
        quantity=line.quantity or 0,
        price=line.price,
        line_price=line.line_price,
        is_recurring=bool(line.recurring),
    )


def _delivery(shipment: Shipment) -> Delivery:
    kind, method = shipment.fulfillment_type, shipment.shipping_method
    return Delivery(
        kind=_KINDS.get((kind.id or "").upper(), clean(kind.name or kind.id, 80)) if kind else "",
        method=clean(method.description or method.id, 80) if method else "",
        price=method.price if method else None,
        when=clean(method.estimated_delivery, 80) if method else "",
        date=clean(shipment.selected_date, 40),
        place=_place(shipment.selected_location),
        notes=clean(shipment.notes, 200),
    )


def _place(location: Any) -> str:
    if not isinstance(location, dict):
        return clean(str(location), 160) if location else ""
    parts = [clean(str(location[name]), 80) for name in _LOCATION_WORDS if location.get(name)]
    return ", ".join(parts) or clean(str(location.get("id") or ""), 80)


def _recipient(address: Address) -> Recipient:
    town = " ".join(_words(address.city, address.state_or_province or address.state_name, address.postal_code))
    name = " ".join(_words(address.first_name, address.last_name))
    lines = (name, address.company, address.address1, address.address2, town, address.country)
    return Recipient(tuple(_words(*lines)), clean(address.email, 254), clean(address.phone, 40))


def _words(*parts: str | None) -> Iterator[str]:
    yield from (words for part in parts if (words := clean(part, 120)))


def _addons(cart: Cart) -> Iterator[str]:
    names = {offer.addon_id: offer.display.name for offer in cart.addons.offers if offer.display}
    for selection in cart.addons.selections:
        yield clean(names.get(selection.addon_id) or selection.addon_id, 80) or "An addon without a name"


def _amounts(cart: Cart) -> Iterator[tuple[str, Money]]:
    parts = (
        ("Subtotal", cart.sub_total, False),
        ("Discount", cart.cart_discount, True),
        ("Shipping", cart.shipping_total, False),
        ("Tax", cart.tax_total, False),
        ("Addons", cart.addon_total, False),
        ("Store credit", cart.store_credit, True),
    )
    for name, amount, is_taken_off in parts:
        if amount is None or ((is_taken_off or name == "Addons") and not amount.amount):
            continue
        yield name, Money(-abs(amount.amount), amount.currency) if is_taken_off else amount


def _notices(cart: Cart) -> Iterator[str]:
    for notice in (*cart.notices, *cart.notice):
        yield from _words(": ".join(part for part in (notice.code, notice.message) if part))
