"""What this shopper has had to do with: stores with a cart or an order, and the latest attempts to order."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp import MCPError
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import INTERNAL_ERROR

from firmly_mcp.errors import FirmlyError
from firmly_mcp.untrusted import clean

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.models import Attempt

    from .views.view import View

_LATEST: Final = 50


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A store, whether its cart has something in it, and how many of the latest attempts were there."""

    store: str
    has_cart: bool
    attempts: int


async def known_stores(services: Services) -> list[KnownStore]:
    """The stores, those with a cart first."""
    firmly = await services.firmly()
    with_cart = [clean(store, 253) for store in await firmly.get_active_domains()]
    ordered = [attempt.store for attempt in await latest_attempts(services)]
    names = dict.fromkeys((*with_cart, *ordered))
    return [KnownStore(store, store in with_cart, ordered.count(store)) for store in names if store]


async def latest_attempts(services: Services) -> Sequence[Attempt]:
    """The latest attempts, newest first."""
    return await (await services.placement()).attempts(limit=_LATEST)


# What a host may read beside the tools: the stores, carts, orders and rules of this shopper, as JSON.

STORES: Final = "firmly://stores"

CART: Final = "firmly://{store}/cart"

ORDERS: Final = "firmly://orders"

ORDER: Final = "firmly://orders/{attempt}"

RULES: Final = "firmly://rules"

_JSON: Final = "application/json"


def add_resources(server: MCPServer[Any], services: Services) -> None:
    """Serve every resource."""

    @server.resource(STORES, title="Stores", mime_type=_JSON)
    async def stores() -> str:
        """The stores where this shopper has a cart or has ordered."""
        known = await _told(known_stores(services))
        shown = [{"store": one.store, "cart": one.has_cart, "orders": one.attempts} for one in known]
        return json.dumps({"stores": shown, "next": "search_products finds products at every store"})

    @server.resource(ORDERS, title="Orders", mime_type=_JSON)
    async def orders() -> str:
        """The latest attempts to order, newest first."""
        from .views.orders import OrdersView

        attempts = await _told(latest_attempts(services))
        return _object(OrdersView.of(attempts, limit=len(attempts)))

    @server.resource(ORDER, title="Order", mime_type=_JSON)
    async def order(attempt: str) -> str:
        """One attempt to order: how it stands, and what is known about the money."""
        from .tools.orders import attempt_view

        placement = await _told(services.placement())
        found = await _told(placement.attempt(attempt))
        if found is None:
            raise ResourceNotFoundError("There is no attempt of this id.")
        return _object(await _told(attempt_view(services, found, joined=False)))

    @server.resource(CART, title="Cart", mime_type=_JSON)
    async def cart(store: str) -> str:
        """The cart at a store, with totals as the store computes them now."""
        from .tools.cart import cart_at

        firmly = await _told(services.firmly())
        return _object(await _told(cart_at(firmly, store)))

    @server.resource(RULES, title="Spending rules", mime_type=_JSON)
    async def rules() -> str:
        """What the person's rules ask and refuse, without amounts."""
        return _object(await _told(_rules(services)))


async def _rules(services: Services) -> View:

    from .views.rules import RulesView

    accepted = await services.accepted()
    rules = await accepted.load()
    return RulesView.of(rules, prints_code=bool(services.settings.cvv_command))


def _object(view: View) -> str:
    return json.dumps(view.structured(), ensure_ascii=False, separators=(",", ":"))


async def _told(reading: Awaitable[Any]) -> Any:
    """What is read; an error of ours becomes the protocol's, in our own words."""
    try:
        return await reading
    except FirmlyError as error:
        raise MCPError(INTERNAL_ERROR, error.message) from None
