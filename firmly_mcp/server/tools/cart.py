"""The shopper's cart at a store. Nothing here costs money; each change answers with the changed cart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from typing import Annotated, Final

import anyio
from pydantic import Field

from firmly_mcp.api import encoding
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CartNotFound, FirmlyError, NotAllowed, NotFound
from firmly_mcp.server.earlier_orders import firmly_to_change
from firmly_mcp.server.tool import AddressLabel, Ctx, Page, Ref, Store, offered, services_of
from firmly_mcp.server.views.cart import CartsView, CartView
from firmly_mcp.server.views.shipments import AvailabilityView, PostalCodeView
from firmly_mcp.untrusted import clean

# Two changes may have waited before it, and the call has 45 s in all.
_READ_SECONDS: Final = 5.0

_NOT_KEPT: Final = "This cart is gone when the server ends: without a usable keyring its session is kept in memory."


def cart_view(firmly: FirmlyClient, store: str, cart: Cart, *, page: int = 1, warnings: Iterable[str] = ()) -> CartView:
    """A cart, with what the shopper must know of the session it belongs to."""
    once = [notice.message for notice in firmly.take_notices() if notice.code != "session_not_kept"]
    always = [] if firmly.session.persisted else [_NOT_KEPT]
    return CartView.of(store, cart, page=page, warnings=[*warnings, *once, *always])


async def cart_at(firmly: FirmlyClient, store: str, *, page: int = 1) -> CartView:
    """The cart at a store; where there is none, an empty one."""
    try:
        return cart_view(firmly, store, await firmly.get_cart(store), page=page)
    except CartNotFound:
        return cart_view(firmly, store, Cart())


async def cart_after_failure(firmly: FirmlyClient, store: str, known: Cart, problem: str) -> CartView:
    """The cart as it now is, after the second of two changes failed; `known` is what the first one answered."""
    warnings = [problem]
    try:
        with anyio.fail_after(_READ_SECONDS):
            known = await firmly.get_cart(store)
    except (FirmlyError, TimeoutError):
        warnings.append("The cart could not be read after that, and is shown as it was before. Next: get_cart.")
    return cart_view(firmly, store, known, warnings=warnings)


async def name_what_there_is(
    firmly: FirmlyClient, store: str, error: NotFound, names: Callable[[Cart], Iterable[str | None]]
) -> None:
    """Let the error of a wrong id name the ids that the cart has."""
    if not isinstance(error, CartNotFound):
        with suppress(FirmlyError):
            error.known = tuple(name for name in names(await firmly.get_cart(store)) if name)


def _line_ids(cart: Cart) -> Iterable[str | None]:
    return (line.line_item_id for line in cart.line_items)


@offered("Show the cart", reads=True)
async def get_cart(
    ctx: Ctx,
    store: Annotated[str | None, Field(description="Without it: all carts", max_length=253)] = None,
    page: Page = 1,
) -> CartsView:
    """Show the cart at a store, or all carts: lines, shipping and addon choices, and totals as computed now."""
    firmly = await services_of(ctx).firmly()
    if store is None:
        carts = [cart_view(firmly, clean(cart.shop_id, 253), cart) for cart in await firmly.get_active_carts()]
        return CartsView(carts=tuple(carts), next=None if carts else "search_products")
    return CartsView(carts=(await cart_at(firmly, store, page=page),))


@offered("Add to the cart")
async def add_line_item(
    ctx: Ctx,
    store: Store,
    ref: Ref,
    quantity: Annotated[int, Field(ge=1, le=9999)] = 1,
) -> CartView:
    """Put a variant into the cart at a store. It costs nothing and orders nothing. Next: set_shipping_info."""
    firmly = await firmly_to_change(services_of(ctx), store)
    cart = await firmly.add_line_item(store, encoding.unpack(ref), quantity)
    return cart_view(firmly, store, cart)


@offered("Change a quantity", destructive=True, idempotent=True)
async def update_line_item(
    ctx: Ctx,
    store: Store,
    line_item_id: Annotated[str, Field(description="From the cart's lines", min_length=1, max_length=200)],
    quantity: Annotated[int, Field(description="0 removes the line", ge=0, le=9999)],
) -> CartView:
    """Set the quantity of a line in the cart; 0 removes it."""
    firmly = await firmly_to_change(services_of(ctx), store)
    try:
        return cart_view(firmly, store, await firmly.update_line_item(store, line_item_id, quantity))
    except NotFound as error:
        await name_what_there_is(firmly, store, error, _line_ids)
        raise


@offered("Empty the cart", destructive=True, idempotent=True)
async def clear_cart(ctx: Ctx, store: Store) -> CartView:
    """Remove every line from the cart at a store."""
    firmly = await firmly_to_change(services_of(ctx), store)
    return cart_view(firmly, store, await firmly.clear_cart(store))


# Where a cart goes and how.

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


# Promo codes and addons of a cart.

Id = Annotated[str, Field(max_length=200)]

# Each line and child together is a request to the store, and one call takes at most 45 s.
_MOST_CHANGES: Final = 20


@offered("Set promo codes", destructive=True, idempotent=True)
async def set_promo_codes(
    ctx: Ctx,
    store: Store,
    promo_codes: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(description="All that the cart shall have; [] removes them", max_length=10),
    ],
) -> CartView:
    """Set the promo codes of the cart. A code that does not count is missing from the answer's promo_codes."""
    firmly = await firmly_to_change(services_of(ctx), store)
    if not promo_codes:
        return cart_view(firmly, store, await firmly.clear_promo_codes(store))
    cart = await firmly.add_promo_codes(store, promo_codes)
    missing = sorted({code.casefold() for code in promo_codes} - {code.casefold() for code in cart.coupons})
    warnings = [f"{len(missing)} of the codes did not count"] if missing else []
    return cart_view(firmly, store, cart, warnings=warnings)


@offered("Choose an addon", destructive=True, idempotent=True)
async def set_addon(
    ctx: Ctx,
    store: Store,
    addon_id: Annotated[str, Field(description="From the cart", min_length=1, max_length=200)],
    *,
    remove: Annotated[bool, Field(description="Remove it instead")] = False,
    line_item_ids: Annotated[list[Id], Field(description="Only for these lines", max_length=50)] = [],  # noqa: B006 - pydantic copies it
    child_ids: Annotated[list[Id], Field(description="Choices within the addon", max_length=50)] = [],  # noqa: B006 - as above
) -> CartView:
    """Add an addon that the cart offers, such as a warranty or gift wrap, or remove it. Some stores require one."""
    firmly = await firmly_to_change(services_of(ctx), store)
    cart = Cart()
    if not remove:
        try:
            cart = await firmly.add_addon(store, addon_id, line_item_ids=line_item_ids, child_ids=child_ids)
        except NotFound as error:
            await name_what_there_is(firmly, store, error, _addon_ids)
            raise
        return cart_view(firmly, store, cart)
    lines: list[str | None] = [*line_item_ids] or [None]
    children: list[str | None] = [*child_ids] or [None]
    if len(lines) * len(children) > _MOST_CHANGES:
        raise NotAllowed(
            f"These lines and choices are more than {_MOST_CHANGES} changes. Give fewer; nothing was changed.",
            next="set_addon with fewer lines or choices",
        )
    for number, (line, child) in enumerate(product(lines, children)):
        try:
            cart = await firmly.remove_addon(store, addon_id, line_item_id=line, child_id=child)
        except FirmlyError as error:
            if number == 0:
                raise
            problem = f"The addon was removed in part, then a removal failed: {error.message}"
            return await cart_after_failure(firmly, store, cart, problem)
    return cart_view(firmly, store, cart)


def _addon_ids(cart: Cart) -> Iterable[str | None]:
    return (offer.addon_id for offer in cart.addons.offers)
