"""The door of the HTTP server: only who holds the token is let in, and nobody once it closes.

It stands before everything else, so whoever has no token gets not a byte of a body read. Closing lets answers that are
being made go out, for so long and not longer; streams that would never end are ended.
"""

from __future__ import annotations

import hmac
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

import anyio

from firmly_mcp.guests import secret_shown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_TOKEN: Final = (401, b"This server needs its token, as `Authorization: Bearer TOKEN`. The server named its file.\n")
_CLOSED: Final = (503, b"The server is about to end.\n")


class Door:
    """An application behind a token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode("ascii")
        self._closed = False
        self._inside: set[anyio.CancelScope] = set()
        self._answering = 0
        self._answered = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away."""
        if scope["type"] != "http":
            return
        if self._closed:
            await _turn_away(send, *_CLOSED)
        elif not self._knows_token(scope):
            await _turn_away(send, *_NO_TOKEN)
        else:
            secret_shown(scope)
            await self._let_in(scope, receive, send)

    async def quiet(self) -> None:
        """Let nobody in any more, and wait for the answers to calls."""
        self._closed = True
        while self._answering:
            await self._answered.wait()

    async def close(self) -> None:
        """Let nobody in any more, and end what still streams."""
        self._closed = True
        for request in list(self._inside):
            request.cancel()

    def _knows_token(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        call = scope["method"] == "POST"  # a GET is a stream that the client keeps open for as long as it lives
        self._answering += call
        try:
            with anyio.CancelScope() as request:
                self._inside.add(request)
                await self._app(scope, receive, answer)
        finally:
            self._inside.discard(request)
            self._answering -= call
            self._answered.set()
            self._answered = anyio.Event()
        if request.cancelled_caught:
            await answer.end()


class _Answer:
    """What was sent of an answer, so that one that is cut short still ends as HTTP demands."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._ended = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End the answer, with a refusal if it had not begun."""
        if not self._begun:
            await _turn_away(self._send, *_CLOSED)
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _turn_away(send: Send, status: int, text: bytes) -> None:
    # Whoever has no token keeps no connection.
    headers = [
        (b"connection", b"close"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start: MutableMapping[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": text})
