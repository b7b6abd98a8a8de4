"""Promo codes and addons of a cart. An addon can cost money, but only when the cart is paid."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Annotated, Final

from pydantic import Field

from firmly_mcp.api.models import Cart
from firmly_mcp.errors import FirmlyError, NotAllowed, NotFound
from firmly_mcp.server.cart_views import CartView
from firmly_mcp.server.earlier_orders import firmly_to_change
from firmly_mcp.server.tool import Ctx, offered, services_of

from .arguments import Store
from .cart import cart_after_failure, cart_view, name_what_there_is

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
