"""The sessions of clients of the older protocol: the oldest idle one gives way to a new one.

A client that leaves without a word leaves its session behind, and the SDK keeps a session for half an hour. It has no
way to end one but the protocol's own: a DELETE, which is what is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID: Final = b"mcp-session-id"
_VERSION: Final = b"mcp-protocol-version"


@dataclass(slots=True)
class _Session:
    used: float
    calls: int = 0
    streams: int = 0


class Sessions:
    """An application with at most so many sessions, of which none is ended while a call of it is served."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._sessions: dict[bytes, _Session] = {}
        self._opening = 0
        self._one_at_a_time = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and note which session it opens, uses or ends."""
        headers = dict(scope["headers"])
        if _ID in headers:
            await self._within(headers[_ID], scope, receive, send)
        elif scope["method"] == "POST" and _is_older(headers.get(_VERSION)):
            await self._open(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._one_at_a_time:
            if len(self._sessions) + self._opening >= self._most:
                await self._end_oldest(scope)
            self._opening += 1
        try:
            answer = _Head(send)
            await self._app(scope, receive, answer)
        finally:
            self._opening -= 1
        if answer.session and answer.status < 400:
            self._sessions[answer.session] = _Session(anyio.current_time())

    async def _within(self, key: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._sessions.get(key)
        answer = _Head(send)
        call, stream = scope["method"] == "POST", scope["method"] == "GET"
        if session is not None:
            session.calls += call
            session.streams += stream
        try:
            await self._app(scope, receive, answer)
        finally:
            if session is not None:
                session.calls -= call
                session.streams -= stream
                session.used = anyio.current_time()
        if answer.status == 404 or (scope["method"] == "DELETE" and answer.status < 400):
            self._sessions.pop(key, None)

    async def _end_oldest(self, scope: Scope) -> None:
        """End the session that was idle for longest; one that only listens counts as idle where no other is."""
        idle = [key for key, session in self._sessions.items() if not session.calls]
        if not idle:
            return
        oldest = min(idle, key=lambda key: (self._sessions[key].streams > 0, self._sessions[key].used))
        del self._sessions[oldest]
        kept = [(name, value) for name, value in scope["headers"] if name == b"host"]
        ending = {**scope, "method": "DELETE", "headers": [*kept, (_ID, oldest)]}
        await self._app(ending, _no_body, _unheard)


class _Head:
    """What of an answer's head matters here."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.session = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.session = dict(message.get("headers", ())).get(_ID, b"")
        await self._send(message)


def _is_older(version: bytes | None) -> bool:
    return version is None or version.decode("latin-1") in HANDSHAKE_PROTOCOL_VERSIONS


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _unheard(_: Message) -> None:
    return None
