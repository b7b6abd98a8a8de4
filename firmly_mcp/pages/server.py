"""The pages' server. It starts when a link is first needed, and ends when no page is open and nobody asked for a while.

It answers on loopback, on a random port, unless the person configured and accepted another address together with the
address under which a browser finds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio
import click

from firmly_mcp.errors import NotAllowed
from firmly_mcp.system.loopback import Listener
from firmly_mcp.system.process import open_in_browser

from .guard import Origins, RequestGuard
from .rendering import Rendering
from .routes import Routes
from .saving import TIME_TO_TYPE, Saving
from .sessions import Page, PageSessions

if TYPE_CHECKING:
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.wallet.wallet import Wallet

LOOPBACK: Final = "127.0.0.1"

_log = logging.getLogger(__name__)

IDLE: Final = timedelta(minutes=5)

# Pages that closed meanwhile are left at least this often.
_LOOK_EVERY: Final = timedelta(seconds=30)


class Pages:
    """Links to pages, and the server behind them. What is handed in as a function is asked for when it is needed.

    `notice` says why the address that is configured is not used, as when no person accepted it; None where it is.
    """

    def __init__(
        self,
        *,
        placement: Callable[[], Awaitable[Checkout]],
        vault: Callable[[], Awaitable[Wallet]],
        environment: str,
        now: Callable[[], datetime],
        port: int = 0,
        bind: str = LOOPBACK,
        public_url: str | None = None,
        notice: Callable[[], Awaitable[str | None]] | None = None,
        idle: timedelta = IDLE,
    ) -> None:
        self._placement = placement
        self._vault = vault
        self._now = now
        self._address = (bind, port)
        self._public_url = public_url
        self._notice = notice
        self._idle = idle
        self._rendering = Rendering(environment)
        self._visits = PageSessions(now)
        self._forms: dict[str, Saving] = {}
        self._listener: Listener | None = None
        self._origin = ""
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._last_asked = now()
        self.stopped = asyncio.Event()

    async def approval_link(self, approval_id: str) -> str:
        """A link that opens once, to the page that asks this approval's question.

        Raises:
            NotAllowed: the question cannot be answered any more.
            SettingsError: the pages cannot be served as they are configured.
        """
        from .approval import ApprovalPage

        placement = await self._placement()
        waiting = await placement.open_approvals()
        approval = next((approval for approval in waiting if approval.id == approval_id), None)
        if approval is None:
            raise NotAllowed("There is no open approval of this id: it was answered, or its ten minutes are over.")
        return await self._link(
            f"approval {approval_id}", lambda: ApprovalPage(placement, approval, self._rendering, self._now)
        )

    async def card_form(self, subject: str | None = None) -> Saving:
        """The page of this subject that takes a card; without one, that nobody has opened yet.

        Raises:
            SettingsError: the pages cannot be served as they are configured.
        """
        from .wallet_forms import card_page

        vault = await self._vault()
        return await self._form(subject, "card", lambda saving: card_page(vault, self._rendering, self._now, saving))

    async def address_form(self, subject: str | None = None) -> Saving:
        """The page of this subject that takes an address; without one, that nobody has opened yet.

        Raises:
            SettingsError: the pages cannot be served as they are configured.
        """
        from .wallet_forms import address_page

        vault = await self._vault()
        return await self._form(
            subject, "address", lambda saving: address_page(vault, self._rendering, self._now, saving)
        )

    async def _form(self, subject: str | None, kind: str, make: Callable[[Saving], Page]) -> Saving:
        known, new = self._forms.get(kind), Saving(kind)
        if known is not None and known.subject == subject:
            return known
        new.link = await self._link(kind, lambda: make(new))
        if known is None or known.link != new.link:
            known = self._forms[kind] = new
        return known

    async def close(self) -> None:
        """Close every page and the port. Calling it again does nothing."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._stop()

    async def _link(self, subject: str, make: Callable[[], Page]) -> str:
        """The link that still waits for its visitor, or a new one."""
        async with self._starting:
            await self._start()
            self._last_asked = self._now()
            await self._visits.sweep()
            secret = self._visits.waiting(subject) or self._visits.invite(make(), subject)
            return f"{self._origin}/open/{secret}"

    async def _start(self) -> None:
        if self._listener is not None:
            return
        notice = None if self._notice is None else await self._notice()
        if notice is not None:
            _log.warning("%s", notice)
        address, public_url = (self._address, self._public_url) if notice is None else ((LOOPBACK, 0), None)
        listener = Listener(*address)
        origins = Origins(listener.port, public_url)
        routes = Routes(self._visits, self._rendering, self._asked, encrypted=origins.is_encrypted)
        await listener.serve(RequestGuard(routes, origins, self._rendering))
        self._origin = origins.own
        self._listener = listener
        self.stopped.clear()
        self._watch = asyncio.create_task(self._stop_when_idle())

    def _asked(self) -> None:
        self._last_asked = self._now()

    async def _stop_when_idle(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, min(self._stays_for(), _LOOK_EVERY).total_seconds()))
            await self._visits.sweep()
            async with self._starting:
                if self._stays_for() <= timedelta():
                    await self._stop()
                    return

    def _stays_for(self) -> timedelta:
        until = max(self._last_asked + self._idle, self._visits.closes_at() or self._last_asked)
        return until - self._now()

    async def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop()
        await self._visits.sweep(all_of_them=True)
        self.stopped.set()


# A form in the browser that a command in a terminal waits for.

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
