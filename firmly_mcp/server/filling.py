"""A form that only a person fills in: it is brought before them, and the call waits while they type.

What they type goes from their browser into the wallet. Nothing of it passes through here or through the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import anyio
from mcp.types import InputRequiredResult

from .ordering import WAIT_SECONDS
from .progress import Progress
from .reaching import Invitation, can_reach, page_done, reach_once
from .tool import Ctx

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


async def filled_in(
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
