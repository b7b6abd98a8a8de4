"""Reads repeat, changes do not. A 401 means that nothing was done, so after renewal either is sent once more.

A read is repeated where the connection did not open, and on 429 and 503 as the answer asks: at most three tries, and
only while the waiting stays short. A change whose answer is missing may have been made, and the reader is told so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import anyio

from firmly_mcp.errors import FirmlyError, UnexpectedAnswer, Unreachable

from .refusals import refusal, retry_after, session_refused
from .session import DeviceSession, Token
from .transport import CALL_SECONDS, Answer, NoAnswer, NotSent, Request

if TYPE_CHECKING:
    from stamina import Attempt

_TRIES: Final = 3
_LONGEST_WAIT: Final = 5.0
_BEARER: Final = "Bearer "


class _Again(Exception):
    """A read that failed in a way that may pass; `after` is how long the answer asked to wait, in seconds."""

    def __init__(self, error: FirmlyError, after: float | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.after = after


class Calls:
    """Calls with the session's token. Each gives a whole answer that succeeded, or raises from the error tree."""

    def __init__(self, session: DeviceSession) -> None:
        self._session = session

    async def read(self, method: str, url: str, body: object = None, *, with_token: bool = True) -> Answer:
        """A call that changes nothing.

        Raises:
            StoreError: a refusal.
            Unreachable: no answer.
            UnexpectedAnswer: an answer that is cut short, too long or not JSON.
        """
        try:
            with anyio.fail_after(CALL_SECONDS):
                request = Request(method, url, body=body)
                try:
                    return await self._read_once(request, with_token=with_token)
                except _Again as failure:
                    return await self._read_again(failure, request, with_token=with_token)
        except _Again as failure:
            raise failure.error from None
        except TimeoutError:
            raise Unreachable("Firmly did not answer in time. Nothing was changed; try again.") from None

    async def change(self, method: str, url: str, body: object = None) -> Answer:
        """A call that changes a cart, sent once, or again only if it was refused for its token.

        Raises:
            StoreError: a refusal.
            Unreachable: nothing was sent.
            UnexpectedAnswer: it may have been made.
        """
        try:
            answer = await self._authorized(Request(method, url, body=body))
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise _perhaps_made(str(failure)) from None
        if answer.succeeded and not answer.readable:
            raise _perhaps_made("the answer is not JSON")
        return _accepted(answer)

    def authorization(self, token: Token) -> dict[str, str]:
        """The token's header, in the way that Firmly last took it."""
        return {"x-firmly-authorization": self._session.http.token_prefix + token.access_token}

    async def _read_once(self, request: Request, *, with_token: bool) -> Answer:
        try:
            answer = await (self._authorized(request) if with_token else self._session.http.send(request))
        except NotSent as failure:
            raise _Again(not_reached(failure)) from None
        except NoAnswer as failure:
            if failure.cut:
                raise UnexpectedAnswer(f"Firmly's answer did not arrive whole: {failure}.") from None
            raise Unreachable(f"Firmly did not answer: {failure}. Nothing was changed; try again.") from None
        if answer.status in {429, 503}:
            raise _Again(_refused(answer), retry_after(answer.headers))
        return _accepted(answer)

    async def _read_again(self, failure: _Again, request: Request, *, with_token: bool) -> Answer:
        """The tries after the first, whose failure is at hand: what counts and waits is not set up for every read."""
        failed: _Again | None = failure
        async for attempt in _tries():
            with attempt:
                if failed is not None:
                    first, failed = failed, None
                    raise first
                return await self._read_once(request, with_token=with_token)
        raise AssertionError("retrying ends with an answer or an error")

    async def _authorized(self, request: Request) -> Answer:
        """Send with the token; if that is refused with a renewed one, and then with the other way of writing it."""
        token = await self._session.token()
        answer = await self._sent(request, token)
        if not _without_session(answer):
            return answer
        token = await self._session.renewed(token)
        answer = await self._sent(request, token)
        if not _without_session(answer):
            return answer
        http = self._session.http
        usual, http.token_prefix = http.token_prefix, "" if http.token_prefix else _BEARER
        answer = await self._sent(request, token)
        if _without_session(answer):
            http.token_prefix = usual
        return answer

    async def _sent(self, request: Request, token: Token) -> Answer:
        headers = self.authorization(token)
        return await self._session.http.send(Request(request.method, request.url, headers, request.body))


def _tries() -> AsyncIterator[Attempt]:
    from stamina import retry_context
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks(())  # it would write a line into the host's log for every wait
    return aiter(
        retry_context(
            on=_waits, attempts=_TRIES, timeout=_LONGEST_WAIT, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1
        )
    )


def not_reached(failure: NotSent) -> Unreachable:
    """The error for a request that never left."""
    return Unreachable(f"Firmly could not be reached ({failure}). Nothing was sent.")


def _waits(error: Exception) -> bool | float:
    if not isinstance(error, _Again):
        return False
    return True if error.after is None else error.after <= _LONGEST_WAIT and max(error.after, 0.001)


def _accepted(answer: Answer) -> Answer:
    if answer.status >= 400:
        raise _refused(answer)
    if not answer.succeeded:
        raise UnexpectedAnswer("Firmly's answer points to another address, which is not followed.")
    if not answer.readable:
        raise UnexpectedAnswer("Firmly's answer is not JSON.")
    return answer


def _refused(answer: Answer) -> FirmlyError:
    return refusal(answer.status, answer.body, answer.headers, request_id=answer.request_id)


def _without_session(answer: Answer) -> bool:
    return session_refused(answer.status, answer.body)


def _perhaps_made(what: str) -> UnexpectedAnswer:
    message = f"The change was sent, but {what}. It may have been made: look at the cart before repeating it."
    return UnexpectedAnswer(message, next="get_cart")
