"""The tools that spend money, and the only ones. Each may be called again: an order is never placed twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from firmly_mcp.checkout.wishes import Item, Wish
from firmly_mcp.errors import AddressNotFound, CardNotFound, NotAllowed
from firmly_mcp.server.order_views import OrderView
from firmly_mcp.server.preview_views import PreviewView
from firmly_mcp.server.progress import Progress
from firmly_mcp.server.tool import Ctx, offered, services_of
from firmly_mcp.settings import approve_command

from .arguments import AddressLabel, CardLabel, Ref, Store

# Hosts give up on a call after 60 s; the order goes on without it and is told by the next call.
WAIT_SECONDS: Final = 40.0

_CHECKING: Final = "Checking the price and the terms; nothing is charged yet."

MaxTotal = Annotated[
    Decimal | None,
    Field(ge=0, allow_inf_nan=False, max_digits=14, decimal_places=4),
    WithJsonSchema({"type": "string", "description": "Refuse if the total is above this, such as 60.00"}),
]


Repeat = Annotated[bool, Field(description="The person wants the same once more; they will be asked")]
Reference = Annotated[str | None, Field(description="Your own id for this order, if you keep one", max_length=100)]


class ItemArgument(BaseModel):
    """A variant and how many of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ref: Ref
    quantity: Annotated[int, Field(ge=1, le=9999)] = 1


@offered("Preview an order", reads=True)
async def preview_order(
    ctx: Ctx,
    store: Store,
    *,
    items: Annotated[list[ItemArgument] | None, Field(description="Without them: the cart", max_length=50)] = None,
    address: AddressLabel = None,
    card: CardLabel = None,
) -> PreviewView:
    """Show what an order of the cart, or of these items, would be: every amount, and whether the person will be asked.
    It charges nothing. Next: complete_order or place_order.
    """
    placement = await services_of(ctx).placement()
    wish = Wish(store, _items(items), address=address, card=card)
    try:
        return PreviewView.of(await placement.preview(wish))
    except (NotAllowed, CardNotFound, AddressNotFound) as missing:
        return PreviewView.lacking(store, missing)


@offered("Pay the cart", destructive=True, idempotent=True)
async def complete_order(
    ctx: Ctx,
    store: Store,
    *,
    card: CardLabel = None,
    max_total: MaxTotal = None,
    repeat: Repeat = False,
    reference: Reference = None,
) -> OrderView:
    """Order and pay the cart at a store. THIS SPENDS MONEY, after the person's yes or by their rules. Repeating the
    call never orders twice. Tell the person the total first.
    """
    return await _ordered(ctx, Wish(store, card=card, repeat=repeat, reference=reference), max_total)


@offered("Buy items", destructive=True, idempotent=True)
async def place_order(
    ctx: Ctx,
    store: Store,
    *,
    items: Annotated[list[ItemArgument], Field(min_length=1, max_length=50)],
    address: AddressLabel = None,
    card: CardLabel = None,
    max_total: MaxTotal = None,
    repeat: Repeat = False,
    reference: Reference = None,
) -> OrderView:
    """Order and pay these items in one step, without the cart. THIS SPENDS MONEY, after the person's yes or by their
    rules. Repeating the call never orders twice. Prefer complete_order.
    """
    wish = Wish(store, _items(items), address=address, card=card, repeat=repeat, reference=reference)
    return await _ordered(ctx, wish, max_total)


def _items(items: list[ItemArgument] | None) -> tuple[Item, ...] | None:
    return None if items is None else tuple(Item(item.ref, item.quantity) for item in items)


async def _ordered(ctx: Ctx, wish: Wish, max_total: Decimal | None) -> OrderView:
    """Order, follow the attempt within the time that a call may take, and tell how it then stands."""
    from firmly_mcp.checkout.placement import Asked

    services = services_of(ctx)
    environment = services.settings.environment
    placement = await services.placement()
    async with Progress.of(ctx) as progress:
        await progress.say(_CHECKING)
        answer = await placement.order(wish, max_total=max_total)
        if isinstance(answer, Asked):
            command = approve_command(services.settings, answer.approval.id)
            return OrderView.asking(answer, environment=environment, command=command)
        if answer.feed is not None:
            await progress.follow(answer.feed, WAIT_SECONDS)
        attempt = await placement.attempt(answer.attempt.id) or answer.attempt
        return OrderView.of(attempt, environment=environment, joined=not answer.is_new)
