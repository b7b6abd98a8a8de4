"""Which request goes where: a one-time link is swapped for a cookie, a path with its cookie leads to its page.

Whatever is wrong with a link or a cookie, the answer is the same: nobody learns which of them was close.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from firmly_mcp.errors import FirmlyError
from firmly_mcp.system.loopback import secret_shown

from .forms import read_form
from .rendering import STATIC, Rendering
from .sessions import Asking, PageSessions, Visit

COOKIE: Final = "firmly_visit"
_MOST_FAILED: Final = 100
_FILES: Final = frozenset(path.name for path in STATIC.iterdir())

_log = logging.getLogger(__name__)


class Routes:
    """The application behind the gate. `asked` is told of every request."""

    def __init__(
        self, visits: PageSessions, rendering: Rendering, asked: Callable[[], None], *, encrypted: bool
    ) -> None:
        self._visits = visits
        self._rendering = rendering
        self._asked = asked
        self._encrypted = encrypted
        # What went wrong with a form, by its visit, until the browser that sent it asks.
        self._failed: dict[str, Response] = {}
        self._router = Router(
            [
                Route("/open/{secret}", self._open, methods=["GET"]),
                Route("/static/{name}", self._file, methods=["GET"]),
                Route("/{kind}/{visit}/", self._page, methods=["GET", "POST"]),
                Route("/{kind}/{visit}/{part}", self._page, methods=["GET"]),
                Route("/{path:path}", self._nothing),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asked()
        await self._router(scope, receive, send)

    async def _open(self, request: Request) -> Response:
        # A program that only looks at a link's head must not use it up.
        entered = None if request.method == "HEAD" else self._visits.enter(request.path_params["secret"])
        if entered is None:
            return self._not_valid()
        secret_shown(request.scope)
        visit, cookie = entered
        answer = RedirectResponse(visit.path, 303)
        answer.set_cookie(
            COOKIE, cookie, path=visit.path, httponly=True, samesite="strict", secure=self._encrypted, max_age=None
        )
        return answer

    async def _page(self, request: Request) -> Response:
        visit = self._visit(request)
        if visit is None:
            return self._without_visit(request)
        secret_shown(request.scope)
        if request.method == "POST":
            return await self._posted(request, visit)
        told = self._failed.pop(visit.id, None)
        if told is not None:
            return told
        part, query = request.path_params.get("part", ""), dict(request.query_params)
        asking = Asking(visit.path, "" if part else visit.new_form(), part, query)
        return await self._or_failure(visit.page.get(asking))

    async def _posted(self, request: Request, visit: Visit) -> Response:
        """Pass a form on to its page. Whatever comes of it is at the address that a browser is then sent to.

        A reload asks that address, and sends nothing that a person typed a second time.
        """
        try:
            form = await read_form(request)
        except FirmlyError as error:
            return self._rendering.message("error", status=409, problem=error)
        csrf = form.text("csrf")
        if not visit.may_post(csrf):
            return self._rendering.message("wrong_origin", status=403)
        asking = Asking(visit.path, csrf, claim=partial(visit.claim, csrf))
        answer = await self._or_failure(visit.page.post(asking, form))
        if answer.status_code != 303:
            if len(self._failed) >= _MOST_FAILED:
                self._failed.clear()
            self._failed[visit.id] = answer
        return RedirectResponse(visit.path, 303)

    async def _or_failure(self, answer: Awaitable[Response]) -> Response:
        try:
            return await answer
        except FirmlyError as error:
            return self._rendering.message("error", status=409, problem=error)
        except Exception:  # noqa: BLE001 - an edge: a bug is logged, redacted, and hidden from whoever asks
            _log.exception("a page failed")
            return self._rendering.message("failed", status=500)

    def _visit(self, request: Request) -> Visit | None:
        kind, visit_id = request.path_params["kind"], request.path_params["visit"]
        return self._visits.of(kind, visit_id, request.cookies.get(COOKIE, ""))

    def _without_visit(self, request: Request) -> Response:
        """A link on another site makes a browser keep the new cookie back, once: a page of ours then asks again."""
        came_from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
        if request.method == "GET" and came_from_elsewhere and "part" not in request.path_params:
            return self._rendering.message("arriving", status=200, refresh=0)
        return self._not_valid()

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        return FileResponse(STATIC / name) if name in _FILES else self._not_valid()

    async def _nothing(self, request: Request) -> Response:
        return self._not_valid()

    def _not_valid(self) -> Response:
        return self._rendering.message("not_valid", status=404)
