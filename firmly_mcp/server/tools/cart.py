"""The shopper's cart at a store. Nothing here costs money; each change answers with the changed cart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Annotated, Final

import anyio
from pydantic import Field

from firmly_mcp.api import ref as refs
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.models import Cart
from firmly_mcp.errors import CartNotFound, FirmlyError, NotFound
from firmly_mcp.server.cart_views import CartsView, CartView
from firmly_mcp.server.earlier_orders import firmly_to_change
from firmly_mcp.server.tool import Ctx, offered, services_of
from firmly_mcp.store_text import clean

from .arguments import Page, Ref, Store

# Two changes may have waited before it, and the call has 45 s in all.
_READ_SECONDS: Final = 5.0
_NOT_KEPT: Final = "This cart is gone when the server ends: without a usable keyring its session is kept in memory."


def cart_view(firmly: FirmlyClient, store: str, cart: Cart, *, page: int = 1, warnings: Iterable[str] = ()) -> CartView:
    """A cart, with what the shopper must know of the session it belongs to."""
    once = [notice.message for notice in firmly.take_notices() if notice.code != "session_not_kept"]
    always = [] if firmly.session.kept else [_NOT_KEPT]
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
    cart = await firmly.add_line_item(store, refs.unpack(ref), quantity)
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
