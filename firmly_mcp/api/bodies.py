"""What requests hold, checked before it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firmly_mcp.money import Money, minor_units

from .models import Address
from .refusals import invalid

AddressFields = Address | Mapping[str, str]
# What is ordered: an `add_to_cart_ref` (`ref.unpack`) and how many of it.
Item = tuple[Mapping[str, object], int]


def at_least(least: int, quantity: int) -> int:
    """A quantity that can be sent.

    Raises:
        InvalidRequest: `InvalidAmount`, status 0: below `least`.
    """
    if quantity < least:
        raise invalid("InvalidAmount", f"A quantity is a whole number from {least}.")
    return quantity


def items_body(items: Sequence[Item]) -> list[dict[str, object]]:
    """Place-order's items. Raises InvalidRequest for a quantity below 1."""
    return [{"add_to_cart_ref": dict(ref), "quantity": at_least(1, quantity)} for ref, quantity in items]


def address_body(address: AddressFields) -> dict[str, str]:
    """An address in Firmly's field names, without the empty ones."""
    fields = address.model_dump(exclude={"state_name"}) if isinstance(address, Address) else address
    return {name: value for name, value in fields.items() if value}


def cents(price: Money | None, rounding: str) -> int | None:
    """A price as discovery's integer minor units, rounded as `decimal` names it."""
    if price is None:
        return None
    return int(price.amount.scaleb(minor_units(price.currency)).to_integral_value(rounding=rounding))


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
