"""What stands before every page: the right host, the right origin, no frame, and the headers of each answer.

A name of another site that resolves to this machine, a form on another page, or a script of one gets nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .rendering import Rendering

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Origins:
    """Under which names a browser may reach the pages. `public` is the address that a person gave for them, if any."""

    port: int
    public: str | None = None

    @property
    def own(self) -> str:
        """Where links lead."""
        return self.public or f"http://127.0.0.1:{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether the browser speaks TLS to whatever stands before these pages."""
        return self.own.startswith("https://")

    def all(self) -> Mapping[str, str]:
        """Each host as a browser names it, with its origin."""
        names = [f"127.0.0.1:{self.port}", f"localhost:{self.port}", f"[::1]:{self.port}"]
        known = {name: f"http://{name}" for name in names}
        return known if self.public is None else known | {self.public.partition("://")[2]: self.public}


class RequestGuard:
    """Passes on to `app` what came from a page of ours, or from an address that a person opened."""

    def __init__(self, app: ASGIApp, origins: Origins, rendering: Rendering) -> None:
        self._app = app
        self._origins = origins.all()
        self._rendering = rendering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        origin = self._origins.get(headers.get("host", "").lower())
        if origin is None:
            return self._rendering.message("wrong_host", status=421, names=list(self._origins))
        if method == "POST" and (headers.get("origin") != origin or _site(headers) not in {"same-origin", ""}):
            return self._rendering.message("wrong_origin", status=403)
        if _is_borrowed(headers):
            return self._rendering.message("wrong_origin", status=403)
        return None


def _site(headers: Headers) -> str:
    return headers.get("sec-fetch-site", "")


def _is_borrowed(headers: Headers) -> bool:
    """Whether another page wants to show or read this one, or a browser fetches it before anyone asked."""
    framed = headers.get("sec-fetch-dest", "") in {"iframe", "frame", "embed", "object", "fencedframe"}
    foreign = _site(headers) in {"cross-site", "same-site"} and headers.get("sec-fetch-mode") != "navigate"
    return framed or foreign or "prefetch" in headers.get("sec-purpose", headers.get("purpose", ""))
