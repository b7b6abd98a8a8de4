"""An order call from its check to the answer: it joins what is under way, puts the question to the person, and waits.

The call only waits: the order is placed by a person's yes or by their rules, and goes on without anybody's call.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import anyio
from mcp.types import InputRequiredResult
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent, State
from firmly_mcp.errors import AddressNotFound, CardNotFound, FirmlyError, NotAllowed
from firmly_mcp.server.app import unless_ending
from firmly_mcp.server.person import WAIT_SECONDS, Invitation, Progress, can_reach, page_done, reach_once
from firmly_mcp.server.tool import AddressLabel, CardLabel, Ctx, Ref, Store, offered, services_of
from firmly_mcp.server.views.orders import OrdersView, OrderView, StatusView
from firmly_mcp.server.views.preview import PreviewView
from firmly_mcp.settings import approve_command

if TYPE_CHECKING:
    from firmly_mcp.app import Reach, Services
    from firmly_mcp.checkout.earlier import Earlier

# How a person answered who declined where their host showed the link.
_CHANNEL: Final = "elicitation"

_CHECKING: Final = "Checking the price and the terms; nothing is charged yet."

_PLACING: Final = "The person approved; the order is being placed by the program in which they did."

_WAITING: Final = "Waiting for the person's answer; nothing is charged yet."


@dataclass(frozen=True, slots=True)
class _Invited:
    """Whether the person has the question before them, or declined it; else the link, where it would be of use."""

    reach: Reach
    link: str | None = None


async def ordered(ctx: Ctx, wish: OrderIntent, max_total: Decimal | None) -> OrderView | InputRequiredResult:
    """Order, follow the attempt or the question within the time that a call may take, and tell how it then stands."""
    services = services_of(ctx)
    placement = await services.placement()
    async with Progress.of(ctx) as progress:
        until = anyio.current_time() + WAIT_SECONDS
        await progress.say(_CHECKING)
        answer = await placement.place(wish, max_total=max_total)
        if isinstance(answer, Approval):
            return await _asked(ctx, answer, progress, until)
        # A host that showed the link makes the call again, and means the same order.
        joined = not answer.is_new and ctx.request_state is None
        return await _followed(services, answer, progress, until, joined=joined)


async def _asked(ctx: Ctx, approval: Approval, progress: Progress, until: float) -> OrderView | InputRequiredResult:
    services = services_of(ctx)
    environment = services.settings.environment
    if approval.status != "open":
        return await question_view(services, approval)
    invited = await _invited(ctx, approval, until)
    if isinstance(invited, InputRequiredResult):
        return invited
    if invited.reach != "not_reached":
        placement = await services.placement()
        if invited.reach == "declined":
            # Where the question was answered elsewhere meanwhile, that answer stands.
            await placement.decline_unseen(approval.id, _CHANNEL)
        answer = unless_ending(services, placement.answered(approval.id))
        answered = await progress.until(answer, until, _WAITING)
        if invited.reach == "shown":
            await page_done(ctx, approval.id)
        attempt = await placement.of_approval(approval.id)
        if attempt is not None:
            if placement.progress(attempt) is None:
                # The person answered in another program, which places the order.
                elsewhere = unless_ending(services, placement.outcome_elsewhere(attempt.id))
                await progress.until(elsewhere, until, _PLACING)
            return await _followed(services, attempt, progress, until, joined=False)
        if answered is not None:
            return await question_view(services, answered)
    return OrderView.asking(
        approval,
        environment=environment,
        command=approve_command(services.settings, approval.id),
        card=approval.card,
        reached=invited.reach == "shown",
        link=invited.link,
        warning=await services.pages_notice(),
        earlier=await _earlier(services, approval),
    )


async def question_view(services: Services, approval: Approval) -> OrderView:
    """How a question stands that began no order."""
    environment, earlier = services.settings.environment, await _earlier(services, approval)
    if not (await services.placement()).is_open(approval):
        return OrderView.unanswered(approval, environment=environment, earlier=earlier)
    command = approve_command(services.settings, approval.id)
    return OrderView.asking(approval, environment=environment, command=command, earlier=earlier)


async def attempt_view(services: Services, attempt: Attempt, *, joined: bool) -> OrderView:
    """How an attempt stands; where it was not placed, another order at its store is stated."""
    earlier = None
    if attempt.state is State.NOT_PLACED:
        earlier = await (await services.placement()).earlier_at(attempt.store)
    return OrderView.of(attempt, environment=services.settings.environment, joined=joined, earlier=earlier)


async def _earlier(services: Services, approval: Approval) -> Earlier | None:
    return await (await services.placement()).earlier_at(approval.store)


async def _followed(
    services: Services, attempt: Attempt, progress: Progress, until: float, *, joined: bool
) -> OrderView:
    placement = await services.placement()
    log = placement.progress(attempt)
    if log is not None:
        await progress.follow(log, until)
    latest = await placement.attempt(attempt.id, asks_store=not services.ending.is_set())
    return await attempt_view(services, latest or attempt, joined=joined)


async def _invited(ctx: Ctx, approval: Approval, until: float) -> _Invited | InputRequiredResult:
    """Bring the question before the person, once: the same call, made again, opens no second page."""
    services = services_of(ctx)
    if not await can_reach(ctx):
        return _Invited("not_reached")
    if services.reached.get(approval.id) == "shown":
        return _Invited("shown")
    try:
        link = await (await services.pages()).approval_link(approval.id)
    except FirmlyError:
        # The command in a terminal is left.
        return _Invited("not_reached")
    message = f"Approve or decline {approval.total} at {approval.store}"
    may_open = await (await services.placement()).may_open_page()
    reached = await reach_once(ctx, Invitation(link, message, approval.id, may_open), until)
    if isinstance(reached, InputRequiredResult):
        return reached
    return _Invited(reached, link if reached == "not_reached" else None)


# The tools that spend money, and the only ones.

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
    wish = OrderIntent(store, _items(items), address=address, card=card)
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
    return await ordered(ctx, OrderIntent(store, card=card, repeat=repeat, reference=reference), max_total)


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
    wish = OrderIntent(store, _items(items), address=address, card=card, repeat=repeat, reference=reference)
    return await ordered(ctx, wish, max_total)


def _items(items: list[ItemArgument] | None) -> tuple[Item, ...] | None:
    return None if items is None else tuple(Item(item.ref, item.quantity) for item in items)


# What became of orders.


@offered("Show how an order stands", reads=True)
async def get_order_status(
    ctx: Ctx,
    attempt: Annotated[str | None, Field(description="Its id; or store and order_number", max_length=80)] = None,
    store: Annotated[str | None, Field(max_length=253)] = None,
    order_number: Annotated[str | None, Field(description="The store's", max_length=200)] = None,
) -> StatusView:
    """Show how an order stands: what is known of the attempt, and what the store says of shipping and returns."""
    services = services_of(ctx)
    if attempt is None:
        if store is None or order_number is None:
            raise NotAllowed("Give attempt, or store and order_number. Nothing was asked.", next="list_orders")
        firmly = await services.firmly()
        return StatusView.of(store, await firmly.order_status(store, order_number))
    placement = await services.placement()
    question = await placement.approval(attempt)
    if question is not None:
        began = await placement.of_approval(question.id)
        if began is None:
            view = await question_view(services, question)
            return StatusView(store=view.store, attempt=view, next=view.next)
        attempt = began.id
    found = await placement.attempt(attempt)
    if found is None:
        await placement.require_last_journal()
        raise NotAllowed("There is no attempt of this id. Nothing was asked.", next="list_orders")
    known = await attempt_view(services, found, joined=False)
    if found.outcome.order_number is None:
        return StatusView(store=found.store, attempt=known, next=known.next)
    firmly = await services.firmly()
    try:
        status = await firmly.order_status(found.store, found.outcome.order_number)
    except FirmlyError as error:
        return StatusView(
            store=found.store,
            order_number=found.outcome.order_number,
            attempt=known,
            warnings=(f"The store's own status could not be read: {error.message}",),
            next=known.next,
        )
    return StatusView.of(found.store, status, attempt=known)


@offered("List orders", reads=True, open_world=False)
async def list_orders(
    ctx: Ctx,
    limit: Annotated[int, Field(description="How many", ge=1, le=50)] = 10,
    before: Annotated[int | None, Field(description="From the last result", ge=1)] = None,
) -> OrdersView:
    """List the attempts to order from this machine, newest first: placed, not placed, and those in doubt."""
    services = services_of(ctx)
    placement = await services.placement()
    await placement.require_last_journal()
    return OrdersView.of(await placement.attempts(limit=limit + 1, before=before), limit=limit)
