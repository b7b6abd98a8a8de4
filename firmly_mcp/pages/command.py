"""A form in the browser that a command in a terminal waits for."""

from __future__ import annotations

from typing import Final

import anyio
import click

from firmly_mcp.browser import open_in_browser
from firmly_mcp.errors import NotAllowed

from .saving import TIME_TO_TYPE, Saving

# A browser that was sent to the last page fetches it, and then its style.
_TO_BE_SEEN: Final = 10.0
_STYLED: Final = 2.0


async def fill_in_browser(form: Saving, *, may_open: bool) -> None:
    """Open the form in the person's browser, or say its link, and wait until it is saved.

    Raises:
        NotAllowed: nobody saved it in time.
    """
    opened = may_open and await open_in_browser(form.link)
    how = "A page opens in your browser. If it does not, open" if opened else "Open this in a browser on this machine:"
    click.echo(f"{how} {form.link}", err=True)
    with anyio.move_on_after(TIME_TO_TYPE.total_seconds()):
        await form.done.wait()
    if not form.done.is_set():
        raise NotAllowed("Nobody filled in the page in time, so nothing was added.")
    with anyio.move_on_after(_TO_BE_SEEN):
        await form.seen.wait()
        await anyio.sleep(_STYLED)
