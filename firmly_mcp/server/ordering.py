"""An order call from its check to the answer: it joins what is under way, puts the question to the person, and waits.

The call only waits: the order is placed by a person's yes or by their rules, and goes on without anybody's call.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio
from mcp.types import InputRequiredResult

from firmly_mcp.checkout.attempts import Attempt, State
from firmly_mcp.checkout.wishes import Wish
from firmly_mcp.errors import FirmlyError
from firmly_mcp.settings import approve_command

from .lifetime import unless_ending
from .order_views import OrderView
from .progress import Progress
from .reaching import Invitation, can_reach, page_done, reach_once
from .tool import Ctx, services_of

if TYPE_CHECKING:
    from firmly_mcp.checkout.approvals import Approval
    from firmly_mcp.checkout.desk import Asked
    from firmly_mcp.checkout.earlier import Earlier
    from firmly_mcp.checkout.sending import Placing
    from firmly_mcp.services import Reach, Services

# Hosts give up on a call after 60 s; the order goes on without it and is told by the next call.
WAIT_SECONDS: Final = 40.0

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


async def ordered(ctx: Ctx, wish: Wish, max_total: Decimal | None) -> OrderView | InputRequiredResult:
    """Order, follow the attempt or the question within the time that a call may take, and tell how it then stands."""
    from firmly_mcp.checkout.desk import Asked

    services = services_of(ctx)
    placement = await services.placement()
    async with Progress.of(ctx) as progress:
        until = anyio.current_time() + WAIT_SECONDS
        await progress.say(_CHECKING)
        answer = await placement.order(wish, max_total=max_total)
        if isinstance(answer, Asked):
            return await _asked(ctx, answer, progress, until)
        # A host that showed the link makes the call again, and means the same order.
        joined = not answer.is_new and ctx.request_state is None
        return await _followed(services, answer, progress, until, joined=joined)


async def _asked(ctx: Ctx, asked: Asked, progress: Progress, until: float) -> OrderView | InputRequiredResult:
    services = services_of(ctx)
    environment = services.settings.environment
    if asked.approval.answer != "open":
        return await question_view(services, asked.approval)
    invited = await _invited(ctx, asked, until)
    if isinstance(invited, InputRequiredResult):
        return invited
    if invited.reach != "not_reached":
        placement = await services.placement()
        if invited.reach == "declined":
            # Where the question was answered elsewhere meanwhile, that answer stands.
            await placement.desk.decline_unseen(asked.approval.id, _CHANNEL)
        answer = unless_ending(services, placement.desk.answered(asked.approval.id))
        answered = await progress.until(answer, until, _WAITING)
        if invited.reach == "shown":
            await page_done(ctx, asked.approval.id)
        placing = await placement.of_approval(asked.approval.id)
        if placing is not None:
            if placing.feed is None:
                # The person answered in another program, which places the order.
                elsewhere = unless_ending(services, placement.outcome_elsewhere(placing.attempt.id))
                await progress.until(elsewhere, until, _PLACING)
            return await _followed(services, placing, progress, until, joined=False)
        if answered is not None:
            return await question_view(services, answered)
    payer = asked.quote.payer
    return OrderView.asking(
        asked.approval,
        environment=environment,
        command=approve_command(services.settings, asked.approval.id),
        card=f"{payer.card_label}, {payer.card_brand} ending {payer.card_last_four}",
        reached=invited.reach == "shown",
        link=invited.link,
        warning=await services.pages_notice(),
        earlier=await _earlier(services, asked.approval),
    )


async def question_view(services: Services, approval: Approval) -> OrderView:
    """How a question stands that began no order."""
    environment, earlier = services.settings.environment, await _earlier(services, approval)
    if not (await services.placement()).desk.is_open(approval):
        return OrderView.unanswered(approval, environment=environment, earlier=earlier)
    command = approve_command(services.settings, approval.id)
    return OrderView.asking(approval, environment=environment, command=command, earlier=earlier)


async def attempt_view(services: Services, attempt: Attempt, *, joined: bool) -> OrderView:
    """How an attempt stands; where it was not placed, another order at its store is stated."""
    earlier = None
    if attempt.state is State.NOT_PLACED:
        earlier = await (await services.placement()).earlier_at(attempt.draft.store)
    return OrderView.of(attempt, environment=services.settings.environment, joined=joined, earlier=earlier)


async def _earlier(services: Services, approval: Approval) -> Earlier | None:
    return await (await services.placement()).earlier_at(approval.wish.store)


async def _followed(
    services: Services, placing: Placing, progress: Progress, until: float, *, joined: bool
) -> OrderView:
    if placing.feed is not None:
        await progress.follow(placing.feed, until)
    placement = await services.placement()
    attempt = await placement.attempt(placing.attempt.id, asks_store=not services.ending.is_set())
    return await attempt_view(services, attempt or placing.attempt, joined=joined)


async def _invited(ctx: Ctx, asked: Asked, until: float) -> _Invited | InputRequiredResult:
    """Bring the question before the person, once: the same call, made again, opens no second page."""
    services, question = services_of(ctx), asked.approval.id
    if not await can_reach(ctx):
        return _Invited("not_reached")
    if services.reached.get(question) == "shown":
        return _Invited("shown")
    try:
        link = await (await services.pages()).approval_link(question)
    except FirmlyError:
        # The command in a terminal is left.
        return _Invited("not_reached")
    message = f"Approve or decline {asked.quote.total} at {asked.quote.store}"
    reached = await reach_once(ctx, Invitation(link, message, question, asked.may_open), until)
    if isinstance(reached, InputRequiredResult):
        return reached
    return _Invited(reached, link if reached == "not_reached" else None)
