"""The tools that spend money, and the only ones. Each may be called again: an order is never placed twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from mcp.types import InputRequiredResult
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from firmly_mcp.checkout.wishes import Item, Wish
from firmly_mcp.errors import AddressNotFound, CardNotFound, NotAllowed
from firmly_mcp.server.order_views import OrderView
from firmly_mcp.server.ordering import ordered
from firmly_mcp.server.preview_views import PreviewView
from firmly_mcp.server.tool import Ctx, offered, services_of

from .arguments import AddressLabel, CardLabel, Ref, Store

MaxTotal = Annotated[
    Decimal | None,
    Field(ge=0, allow_inf_nan=False, max_digits=14, decimal_places=4),
    WithJsonSchema({"type": "string", "description": "Refuse a total above this, such as 60.00"}),
]


Repeat = Annotated[bool, Field(description="Only if the person wants the same once more")]
Reference = Annotated[str | None, Field(description="Your own id for this order", max_length=100)]


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
    items: Annotated[list[ItemArgument] | None, Field(description="Without: the cart", max_length=50)] = None,
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
) -> OrderView | InputRequiredResult:
    """Order and pay the cart at a store. THIS SPENDS MONEY, after the person's yes or by their rules. Repeating the
    call never orders twice. Tell the person the total first.
    """
    return await ordered(ctx, Wish(store, card=card, repeat=repeat, reference=reference), max_total)


@offered("Buy items", destructive=True, idempotent=True)
async def place_order(
    ctx: Ctx,
    store: Store,
    *,
    items: Annotated[list[ItemArgument], Field(description="What to buy", min_length=1, max_length=50)],
    address: AddressLabel = None,
    card: CardLabel = None,
    max_total: MaxTotal = None,
    repeat: Repeat = False,
    reference: Reference = None,
) -> OrderView | InputRequiredResult:
    """Order and pay these items in one step, without the cart. THIS SPENDS MONEY, after the person's yes or by their
    rules. Repeating the call never orders twice. Prefer complete_order.
    """
    wish = Wish(store, _items(items), address=address, card=card, repeat=repeat, reference=reference)
    return await ordered(ctx, wish, max_total)


def _items(items: list[ItemArgument] | None) -> tuple[Item, ...] | None:
    return None if items is None else tuple(Item(item.ref, item.quantity) for item in items)
