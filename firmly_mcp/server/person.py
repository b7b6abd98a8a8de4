"""Reaching the person for what only a person may do: their host shows them a link, or their browser opens by itself.

The model gets the link only when nothing else reached the person. A host's "accept" says that somebody agreed to open
the page, and nothing of what they answered there; its "decline" is the person's no, after which the model gets no link;
its "cancel" may be the host's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult

from firmly_mcp.app import Reach
from firmly_mcp.errors import FirmlyError
from firmly_mcp.settings import PAGES_AN_HOUR
from firmly_mcp.system.process import can_open, open_in_browser

from .app import unless_ending
from .subscriptions import STATELESS
from .tool import Ctx, services_of

if TYPE_CHECKING:
    from firmly_mcp.checkout.models import ProgressLog

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


# A form that only a person fills in: it is brought before them, and the call waits while they type.

_WAITING: Final = "Waiting for the person to fill in the page."


class PersonsForm(Protocol):
    """A form on a page: its link, what it is asked for under, and `done` once it is saved."""

    subject: str
    link: str
    done: asyncio.Event


@dataclass(frozen=True, slots=True)
class Filling:
    """What came of it: the person saved the form, has it before them, declined to open it, or was not reached.

    Only one who was not reached leaves a link.
    """

    status: Literal["saved", "asked", "declined", "not_reached"]
    link: str | None = None


async def ask_with_form(
    ctx: Ctx, form_of: Callable[[str | None], Awaitable[PersonsForm]], message: str
) -> Filling | InputRequiredResult:
    """Bring a form before the person, and wait until it is saved or the time of a call is up.

    `form_of` gives the form that was asked for under a subject, or without one a form that nobody has seen.
    """
    if not await can_reach(ctx):
        return Filling("not_reached")
    async with Progress.of(ctx) as progress:
        until = anyio.current_time() + WAIT_SECONDS
        form = await form_of(ctx.request_state)
        reached = await reach_once(ctx, Invitation(form.link, message, form.subject), until)
        if isinstance(reached, InputRequiredResult):
            return reached
        if reached == "not_reached":
            return Filling("not_reached", form.link)
        if reached == "declined":
            return Filling("declined")
        await progress.until(form.done.wait(), until, _WAITING)
        await page_done(ctx, form.subject)
        return Filling("saved" if form.done.is_set() else "asked")


# An attempt's steps as MCP progress: rising values, at most ten a second, a sign of life every ten, quiet at the
# end.

T = TypeVar("T")

PACE: Final = 0.1

HEARTBEAT: Final = 10.0

# A client on a busy machine reads late, and then a step and its result at once: 30 ms were too few for one.
QUIET: Final = 0.25


async def accompanied(awaited: Awaitable[T], company: Awaitable[object]) -> T | None:
    """Wait for something while its company goes on; None where the company ends first.

    An error of ours comes out as it is: in a task group's own error a call's edge would not find it.
    """
    found: T | None = None
    failed: FirmlyError | None = None

    async def wait() -> None:
        nonlocal found, failed
        try:
            found = await awaited
        except FirmlyError as error:
            failed = error
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await company
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return found


class Progress:
    """The progress notifications of one call."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self._ctx = ctx
        # Without a token nothing goes over a wire, and nothing has to be paced.
        self._is_sent = (ctx.request_context.meta or {}).get("progress_token") is not None
        self._value = 0.0
        self._sent_at = float("-inf")

    @classmethod
    @asynccontextmanager
    async def of(cls, ctx: Context[Any, Any]) -> AsyncIterator[Progress]:
        """Progress for a call; leaving it waits until a result may follow."""
        progress = cls(ctx)
        try:
            yield progress
        finally:
            await progress._pause(QUIET)

    async def say(self, words: str, *, by: float = 1.0, total: float | None = None) -> None:
        """Report a step in plain words, not sooner than the pace allows."""
        await self._pause(PACE)
        self._value += by
        # Never a final 100 %: the result says that it is over.
        bound = None if total is None else max(total, self._value + 1)
        await self._ctx.report_progress(self._value, bound, words)
        self._sent_at = anyio.current_time()

    async def until(self, awaited: Awaitable[T], deadline: float, words: str) -> T | None:
        """Wait for something, with a sign of life every ten seconds; None when the time is up first."""

        async def signs_of_life() -> None:
            while True:
                await self.say(words, by=0.01)
                await anyio.sleep(HEARTBEAT)

        with anyio.CancelScope(deadline=deadline):
            return await accompanied(awaited, signs_of_life())
        return None

    async def follow(self, feed: ProgressLog, deadline: float) -> None:
        """Report a feed's steps as they happen, until it ends or the time is up.

        Steps that come faster than the pace are told by their last one.
        """
        told = 0
        words = "Still waiting."
        while (left := deadline - anyio.current_time()) > 0:
            with anyio.move_on_after(min(HEARTBEAT, left)):
                await feed.more_than(told)
            steps = feed.steps[told:]
            if feed.ended:
                return
            if steps:
                told, words = told + len(steps), steps[-1].words
                await self.say(words, by=len(steps), total=feed.expected)
            elif left > HEARTBEAT:
                await self.say(f"Still waiting. {words}", by=0.01, total=feed.expected)

    async def _pause(self, seconds: float) -> None:
        left = self._sent_at + seconds - anyio.current_time()
        if self._is_sent and left > 0:
            await anyio.sleep(left)


# Hosts give up on a call after 60 s; the order goes on without it and is told by the next call.
WAIT_SECONDS: Final = 40.0
