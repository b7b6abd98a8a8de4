"""Where a cart goes and how. Nothing here costs money."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import FirmlyError, NotAllowed
from firmly_mcp.server.cart_views import CartView
from firmly_mcp.server.delivery_views import AvailabilityView, PostalCodeView
from firmly_mcp.server.earlier_orders import firmly_to_change
from firmly_mcp.server.tool import Ctx, offered, services_of
from firmly_mcp.store_text import clean

from .arguments import AddressLabel, Store
from .cart import cart_after_failure, cart_view

ShipmentId = Annotated[str | None, Field(description="Needed if there are several", max_length=200)]


@offered("Set the shipping address", destructive=True, idempotent=True)
async def set_shipping_info(
    ctx: Ctx,
    store: Store,
    address: AddressLabel = None,
    billing_address: Annotated[
        str | None, Field(description="Its label, if the bill goes elsewhere", max_length=80)
    ] = None,
) -> CartView:
    """Ship the cart to an address of the person's address book, by its label. The store then computes shipping, tax
    and the total; the cheapest method is chosen. Next: tell the person the total.
    """
    services = services_of(ctx)
    vault = await services.vault()
    shipping = await vault.address(address)
    billing = await vault.address(billing_address) if billing_address else None
    firmly = await firmly_to_change(services, store)
    cart = await firmly.set_shipping_info(store, shipping.as_firmly())
    if billing is None:
        return cart_view(firmly, store, cart)
    try:
        return cart_view(firmly, store, await firmly.set_billing_info(store, billing.as_firmly()))
    except FirmlyError as error:
        return await cart_after_failure(firmly, store, cart, f"The billing address was not set: {error.message}")


@offered("Choose how it is delivered", destructive=True, idempotent=True)
async def set_fulfillment(
    ctx: Ctx,
    store: Store,
    shipment_id: ShipmentId = None,
    *,
    type: Annotated[  # noqa: A002 - Firmly's word, and the model's
        str | None, Field(description="One of its types", max_length=80)
    ] = None,
    location_id: Annotated[str | None, Field(description="For pickup", max_length=200)] = None,
    method: Annotated[str | None, Field(description="Id of one of its methods", max_length=200)] = None,
    date: Annotated[dt.date | None, Field(description="For scheduled delivery")] = None,
    notes: Annotated[str | None, Field(description="Delivery instructions", max_length=500)] = None,
) -> CartView:
    """Choose a shipment's fulfillment type, or its shipping method with date and notes, from those the cart shows.
    The total changes with it.
    """
    if type is None and method is None:
        raise NotAllowed("Give a type or a method from the cart's shipments. Nothing was changed.", next="get_cart")
    firmly = await firmly_to_change(services_of(ctx), store)
    cart = await firmly.get_cart(store)
    shipment = _shipment(cart, shipment_id)
    if type is not None:
        cart = await firmly.set_fulfillment_type(store, shipment, type, location_id)
    if method is None:
        return cart_view(firmly, store, cart)
    day = date.isoformat() if date else None
    try:
        cart = await firmly.set_shipping_method(store, shipment, method, notes=notes, selected_date=day)
    except FirmlyError as error:
        if type is None:
            raise
        problem = f"The type was set, the method was not: {error.message}"
        return await cart_after_failure(firmly, store, cart, problem)
    return cart_view(firmly, store, cart)


@offered("Show delivery dates", reads=True)
async def get_availability(ctx: Ctx, store: Store, shipment_id: ShipmentId = None) -> AvailabilityView:
    """Show the dates on which a shipment with SCHEDULED_DELIVERY can come. Next: set_fulfillment with a date."""
    firmly = await services_of(ctx).firmly()
    shipment = shipment_id or _shipment(await firmly.get_cart(store), None)
    return AvailabilityView.of(store, await firmly.get_availability(store, shipment))


@offered("Set the postal code", destructive=True, idempotent=True)
async def set_postal_code(
    ctx: Ctx, postal_code: Annotated[str, Field(description="Such as 90210", min_length=1, max_length=20)]
) -> PostalCodeView:
    """Set the shopper's postal code for prices and stock at all stores, before there is an address."""
    firmly = await firmly_to_change(services_of(ctx), None)
    return PostalCodeView(postal_code=clean(await firmly.set_postal_code(postal_code) or postal_code, 20))


def _shipment(cart: Cart, wanted: str | None) -> str:
    """The id of the shipment that is meant: this one, or the only one.

    Raises:
        NotAllowed: there is none such; says which there are.
    """
    known = [shipment.shipment_id for shipment in cart.shipments if shipment.shipment_id]
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted in known:
        return wanted
    which = "Say which shipment is meant." if known else "The cart has nothing to ship."
    error = NotAllowed(f"{which} Nothing was changed.", next="get_cart")
    error.known = tuple(known)
    raise error
