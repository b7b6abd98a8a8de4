"""The tools that spend money, and the only ones. Each may be called again: an order is never placed twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from firmly_mcp.checkout.placement import Placing
from firmly_mcp.checkout.purchases import Item
from firmly_mcp.server.order_views import OrderView
from firmly_mcp.server.progress import Progress
from firmly_mcp.server.tool import Ctx, offered, services_of

from .arguments import AddressLabel, CardLabel, Ref, Store

# Hosts give up on a call after 60 s; the order goes on without it and is told by the next call.
WAIT_SECONDS: Final = 40.0

_CHECKING: Final = "Checking the price and the terms; nothing is charged yet."

MaxTotal = Annotated[
    Decimal | None,
    Field(ge=0, allow_inf_nan=False, max_digits=14, decimal_places=4),
    WithJsonSchema({"type": "string", "description": "Refuse if the total is above this, such as 60.00"}),
]


class ItemArgument(BaseModel):
    """A variant and how many of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ref: Ref
    quantity: Annotated[int, Field(ge=1, le=9999)] = 1


@offered("Pay the cart", destructive=True, idempotent=True)
async def complete_order(ctx: Ctx, store: Store, *, card: CardLabel = None, max_total: MaxTotal = None) -> OrderView:
    """Order and pay the cart at a store. THIS SPENDS MONEY. Repeating it never orders twice. Tell the person the
    cart's total first.
    """
    placement = await services_of(ctx).placement()
    async with Progress.of(ctx) as progress:
        await progress.say(_CHECKING)
        return await _outcome(ctx, progress, await placement.complete_order(store, card=card, max_total=max_total))


@offered("Buy items", destructive=True, idempotent=True)
async def place_order(
    ctx: Ctx,
    store: Store,
    *,
    items: Annotated[list[ItemArgument], Field(min_length=1, max_length=50)],
    address: AddressLabel = None,
    card: CardLabel = None,
    max_total: MaxTotal = None,
) -> OrderView:
    """Order and pay these items in one step, without the cart. THIS SPENDS MONEY. Repeating it never orders twice.
    Prefer complete_order, which shows the total first.
    """
    placement = await services_of(ctx).placement()
    wanted = [Item(item.ref, item.quantity) for item in items]
    async with Progress.of(ctx) as progress:
        await progress.say(_CHECKING)
        placing = await placement.place_order(store, wanted, address=address, card=card, max_total=max_total)
        return await _outcome(ctx, progress, placing)


async def _outcome(ctx: Ctx, progress: Progress, placing: Placing) -> OrderView:
    """Follow the attempt while it runs, within the time a call may take, and tell how it then stands."""
    services = services_of(ctx)
    if placing.feed is not None:
        await progress.follow(placing.feed, WAIT_SECONDS)
    placement = await services.placement()
    attempt = await placement.attempt(placing.attempt.id) or placing.attempt
    return OrderView.of(attempt, environment=services.settings.environment, joined=not placing.is_new)
