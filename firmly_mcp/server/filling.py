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

from firmly_mcp.browser import can_open

from .ordering import WAIT_SECONDS
from .progress import Progress
from .reaching import Invitation, page_done, reach, shows_links
from .tool import Ctx, services_of

_WAITING: Final = "Waiting for the person to fill in the page."


class PersonsForm(Protocol):
    """A form on a page: its link, what it is asked for under, and `done` once it is saved."""

    subject: str
    link: str
    done: asyncio.Event


@dataclass(frozen=True, slots=True)
class Filling:
    """What came of it: the person saved the form, has it before them, or was not reached. Only then is there a link."""

    status: Literal["saved", "asked", "not_reached"]
    link: str | None = None


async def filled_in(
    ctx: Ctx, form_of: Callable[[str | None], Awaitable[PersonsForm]], message: str
) -> Filling | InputRequiredResult:
    """Bring a form before the person, and wait until it is saved or the time of a call is up.

    `form_of` gives the form that was asked for under a subject, or without one a form that nobody has seen.
    """
    services = services_of(ctx)
    may_open = services.settings.open_pages and can_open()
    if not (shows_links(ctx) or may_open or services.settings.pages_port):
        return Filling("not_reached")
    async with Progress.of(ctx) as progress:
        until = anyio.current_time() + WAIT_SECONDS
        form = await form_of(ctx.request_state)
        if form.subject not in services.reached:
            invitation = Invitation(form.link, message, form.subject, may_open)
            reached: bool | InputRequiredResult = False
            with anyio.CancelScope(deadline=until):
                reached = await reach(ctx, invitation)
            if isinstance(reached, InputRequiredResult):
                return reached
            services.reached[form.subject] = reached
        if not services.reached[form.subject]:
            return Filling("not_reached", form.link)
        await progress.until(form.done.wait(), until, _WAITING)
        await page_done(ctx, form.subject)
        return Filling("saved" if form.done.is_set() else "asked")
