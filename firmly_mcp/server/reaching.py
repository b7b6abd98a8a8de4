"""Reaching the person for what only a person may do: their host shows them a link, or their browser opens by itself.

The model gets the link only when nothing else reached the person. A host's "accept" says that somebody agreed to open
the page, and nothing of what they answered there; its "decline" is the person's no, after which the model gets no link;
its "cancel" may be the host's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult

from firmly_mcp.browser import can_open, open_in_browser
from firmly_mcp.services import Reach
from firmly_mcp.settings import PAGES_AN_HOUR

from .lifetime import unless_ending
from .notices import STATELESS
from .tool import services_of

_PAGE: Final = "page"
_HOUR: Final = 3600.0

Answer = Literal["accept", "decline", "cancel"]


@dataclass(frozen=True, slots=True)
class Invitation:
    """A page that waits for the person. `subject` is what it is about: the same link is asked for only once."""

    link: str
    message: str
    subject: str
    may_open: bool = True


async def can_reach(ctx: Context[Any, Any]) -> bool:
    """Whether a link would be of any use: to the host, to a browser here, or to one that knows the pages' port."""
    services = services_of(ctx)
    settings = services.settings
    if shows_links(ctx) or (settings.open_pages and can_open()):
        return True
    return bool(settings.pages_port) and await services.pages_notice() is None


async def reach_once(ctx: Context[Any, Any], invitation: Invitation, deadline: float) -> Reach | InputRequiredResult:
    """Whether the person was reached, by this call or an earlier one; a page is brought before them only once.

    Or what the host has to be told first, after which it makes the call again.
    """
    services = services_of(ctx)
    reached = services.reached
    if invitation.subject in reached:
        return reached[invitation.subject]
    answer: Reach | InputRequiredResult | None = "not_reached"
    with anyio.CancelScope(deadline=deadline):
        answer = await unless_ending(services, _reach(ctx, invitation))
    if answer is None:
        return "not_reached"
    if not isinstance(answer, InputRequiredResult):
        reached[invitation.subject] = answer
    return answer


async def _reach(ctx: Context[Any, Any], invitation: Invitation) -> Reach | InputRequiredResult:
    if ctx.request_state is None and _is_one_too_many(services_of(ctx).brought):
        return "not_reached"
    if shows_links(ctx):
        answer = await _asked_by_host(ctx, invitation)
        if isinstance(answer, InputRequiredResult):
            return answer
        if answer != "cancel":
            return "shown" if answer == "accept" else "declined"
    may_open = invitation.may_open and services_of(ctx).settings.open_pages
    return "shown" if may_open and await open_in_browser(invitation.link) else "not_reached"


def _is_one_too_many(brought: list[float]) -> bool:
    now = anyio.current_time()
    brought[:] = [moment for moment in brought if moment > now - _HOUR]
    if len(brought) >= PAGES_AN_HOUR:
        return True
    brought.append(now)
    return False


def shows_links(ctx: Context[Any, Any]) -> bool:
    """Whether the host says that it can show a person a link (MCP: elicitation in URL mode)."""
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    return declared is not None and declared.url is not None


async def page_done(ctx: Context[Any, Any], subject: str) -> None:
    """Tell a host of the older protocol that the page it showed is not needed any more."""
    if shows_links(ctx) and ctx.protocol_version != STATELESS:
        await ctx.session.send_elicit_complete(subject, related_request_id=ctx.request_id)


async def _asked_by_host(ctx: Context[Any, Any], invitation: Invitation) -> Answer | InputRequiredResult:
    if ctx.protocol_version == STATELESS:
        return _asked_in_rounds(ctx, invitation)
    try:
        answer = await ctx.elicit_url(invitation.message, invitation.link, invitation.subject)
    except MCPError:
        # The host cannot do what it declared, or it is gone: it has asked nobody.
        return "cancel"
    return answer.action


def _asked_in_rounds(ctx: Context[Any, Any], invitation: Invitation) -> Answer | InputRequiredResult:
    """The state that comes back may be replayed: it only says that the link was shown, and places nothing."""
    if ctx.request_state is None:
        asking = ElicitRequest(params=ElicitRequestURLParams(message=invitation.message, url=invitation.link))
        return InputRequiredResult(request_state=invitation.subject, input_requests={_PAGE: asking})
    reply = (ctx.input_responses or {}).get(_PAGE)
    # A host is asked once in a call. A no holds for whatever the call asks now, a yes for its own question only.
    if not isinstance(reply, ElicitResult):
        return "cancel"
    return reply.action if ctx.request_state == invitation.subject or reply.action == "decline" else "cancel"
