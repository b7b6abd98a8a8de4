"""What became of orders. Nothing here sends an order."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firmly_mcp.errors import FirmlyError, NotAllowed
from firmly_mcp.server.order_views import OrdersView
from firmly_mcp.server.ordering import attempt_view, question_view
from firmly_mcp.server.status_views import StatusView
from firmly_mcp.server.tool import Ctx, offered, services_of


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
    question = await placement.desk.approval(attempt)
    if question is not None:
        began = await placement.of_approval(question.id)
        if began is None:
            view = await question_view(services, question)
            return StatusView(store=view.store, attempt=view, next=view.next)
        attempt = began.attempt.id
    found = await placement.attempt(attempt)
    if found is None:
        await placement.require_last_journal()
        raise NotAllowed("There is no attempt of this id. Nothing was asked.", next="list_orders")
    known = await attempt_view(services, found, joined=False)
    if found.outcome.order_number is None:
        return StatusView(store=found.draft.store, attempt=known, next=known.next)
    firmly = await services.firmly()
    try:
        status = await firmly.order_status(found.draft.store, found.outcome.order_number)
    except FirmlyError as error:
        return StatusView(
            store=found.draft.store,
            order_number=found.outcome.order_number,
            attempt=known,
            warnings=(f"The store's own status could not be read: {error.message}",),
            next=known.next,
        )
    return StatusView.of(found.draft.store, status, attempt=known)


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
