"""What the journal says beside a call: of an error, that something was ordered; of a cart, that it is evidence.

Both cost a call nothing while nothing was ever ordered: without a journal there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from firmly_mcp.errors import FirmlyError

from .views.view import ErrorView

if TYPE_CHECKING:
    from firmly_mcp.api.client import FirmlyClient
    from firmly_mcp.app import Services

# These are about every store where they name none.
_ABOUT_ALL: Final = frozenset({"get_cart", "set_postal_code", "list_orders"})
_LONGEST_NAME: Final = 253


async def stating_earlier_order(
    view: ErrorView, tool: str, arguments: Mapping[str, Any], services: Services
) -> ErrorView:
    """An error's view, with the order that is in doubt at the call's store, or was placed there within a day."""
    if view.attempt is not None or not services.has_journal():
        return view
    try:
        placement = await services.placement()
        store = arguments.get("store")
        if store is None and isinstance(attempt := arguments.get("attempt"), str):
            store = await placement.store_of(attempt)
        if store is None and tool not in _ABOUT_ALL:
            return view
        if store is not None and not (isinstance(store, str) and len(store) <= _LONGEST_NAME):
            return view
        return view.stating(await placement.earlier_at(store))
    except FirmlyError:
        # What failed here failed the call too, and its own error says so.
        return view


async def firmly_to_change(services: Services, store: str | None) -> FirmlyClient:
    """Firmly for a call that changes the cart at this store (None: all carts), which first is read as evidence.

    Raises:
        OrderInProgress: the cart is being paid.
        NotAllowed: what became of an earlier order with it cannot be read now.
    """
    if services.has_journal():
        await (await services.placement()).read_before_change(store)
    return await services.firmly()
