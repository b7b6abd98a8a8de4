"""Reads are tried again, changes are not. A refused token means that nothing was done: either is sent again once.

A read is tried again where the connection did not open, and on 429 and 503 as the answer asks: at most three tries, and
only while the wait stays short. A change may have been made unless its answer proves that it was refused; it is safe to
repeat only if making it twice has the same result as once.
"""

from __future__ import annotations

from typing import Final

import anyio

from firmly_mcp.errors import FirmlyError, UnexpectedAnswer, Unreachable

from .error_codes import (
    envelope,
    error_from_response,
    proves_not_made,
    proves_session_refused,
    retry_after,
    session_refused,
)
from .fields import Model, read
from .session import DeviceSession, Token
from .transport import CALL_SECONDS, NoAnswer, NotSent, Request, Response

# Seconds before the second and the third try, where the answer does not ask for another wait.
_PAUSES: Final = (0.1, 0.4)
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

    async def read(self, method: str, url: str, body: object = None, *, with_token: bool = True) -> Response:
        """Make a call that changes nothing.

        Raises:
            StoreError: a refusal.
            Unreachable: no answer.
            UnexpectedAnswer: an answer that is cut short, too long or not JSON.
        """
        try:
            with anyio.fail_after(CALL_SECONDS):
                return await self._read(Request(method, url, body=body), with_token=with_token)
        except TimeoutError:
            raise Unreachable("Firmly did not answer in time. Nothing was changed; try again.") from None

    async def change(
        self, model: type[Model], method: str, url: str, body: object = None, *, repeatable: bool | None = None
    ) -> Model:
        """Change a cart: sent once, and again only if it was refused for its token. Return the answer as a model.

        `repeatable` states that making it twice has the same result as once, as PUT and DELETE have (RFC 9110,
        section 9.2.2).

        Raises:
            StoreError: a refusal; with `perhaps_made`, one that is not proven.
            Unreachable: nothing was sent.
            UnexpectedAnswer: it may have been made.
        """
        if repeatable is None:
            repeatable = method in {"PUT", "DELETE"}
        try:
            answer = await self._authorized(Request(method, url, body=body), accepts_any_401=repeatable)
        except NotSent as failure:
            raise not_reached(failure) from None
        except NoAnswer as failure:
            raise _perhaps_made(UnexpectedAnswer(""), str(failure), repeatable=repeatable) from None
        if answer.status >= 400:
            raise _refusal_of_change(answer, repeatable=repeatable)
        try:
            return read(model, _changed(answer))
        except UnexpectedAnswer as error:
            what = f"its answer cannot be read. {error.message.removesuffix('.')}"
            raise _perhaps_made(error, what, repeatable=repeatable) from None

    def authorization(self, token: Token) -> dict[str, str]:
        """Return the token's header in the form that Firmly last accepted."""
        return {"x-firmly-authorization": self._session.http.token_prefix + token.access_token}

    async def _read(self, request: Request, *, with_token: bool) -> Response:
        """Try, and try again while the wait that is asked for, and the time since the first failure, are short."""
        give_up_at = None
        for pause in _PAUSES:
            try:
                return await self._read_once(request, with_token=with_token)
            except _Again as failure:
                now = anyio.current_time()
                give_up_at = give_up_at or now + _LONGEST_WAIT
                wait = pause if failure.after is None else failure.after
                if wait > _LONGEST_WAIT or now >= give_up_at:
                    raise failure.error from None
            await anyio.sleep(wait)
        try:
            return await self._read_once(request, with_token=with_token)
        except _Again as failure:
            raise failure.error from None

    async def _read_once(self, request: Request, *, with_token: bool) -> Response:
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

    async def _authorized(self, request: Request, *, accepts_any_401: bool = True) -> Response:
        """Send with the token; if that is refused with a renewed one, and then with the other way of writing it.

        Without `accepts_any_401`, a refusal counts only in Firmly's words: a proxy may answer 401, too.
        """
        without_session = session_refused if accepts_any_401 else proves_session_refused

        def is_refused(answer: Response) -> bool:
            return without_session(answer.status, answer.body)

        token = await self._session.token()
        answer = await self._sent(request, token)
        if not is_refused(answer):
            return answer
        token = await self._session.renewed(token)
        answer = await self._sent(request, token)
        if not is_refused(answer):
            return answer
        http = self._session.http
        usual, http.token_prefix = http.token_prefix, "" if http.token_prefix else _BEARER
        answer = await self._sent(request, token)
        if is_refused(answer):
            http.token_prefix = usual
        return answer

    async def _sent(self, request: Request, token: Token) -> Response:
        headers = self.authorization(token)
        return await self._session.http.send(Request(request.method, request.url, headers, request.body))


def not_reached(failure: NotSent) -> Unreachable:
    """The error for a request that never left."""
    return Unreachable(f"Firmly could not be reached ({failure}). Nothing was sent.")


def _accepted(answer: Response) -> Response:
    if answer.status >= 400:
        raise _refused(answer)
    if not answer.is_success:
        raise UnexpectedAnswer("Firmly's answer points to another address, which is not followed.")
    if not answer.is_json:
        raise UnexpectedAnswer("Firmly's answer is not JSON.")
    return answer


def _refused(answer: Response) -> FirmlyError:
    return error_from_response(answer.status, answer.body, answer.headers, request_id=answer.request_id)


def _refusal_of_change(answer: Response, *, repeatable: bool) -> FirmlyError:
    error = _refused(answer)
    if answer.whole and proves_not_made(answer.status, answer.body, repeatable=repeatable):
        return error
    return _perhaps_made(error, f"it was answered with an error (status {answer.status})", repeatable=repeatable)


def _changed(answer: Response) -> object:
    """Return the body of an answer to a change that was made.

    Raises:
        UnexpectedAnswer: it points elsewhere, is not JSON, or is an error that came as a success.
    """
    body = _accepted(answer).body
    if envelope(body).name and not (isinstance(body, dict) and body.get("cart_id")):
        raise UnexpectedAnswer("Firmly's answer is an error that came as a success.")
    return body


def _perhaps_made(error: FirmlyError, what: str, *, repeatable: bool) -> FirmlyError:
    then = ". Making the same call again is harmless." if repeatable else " before repeating it."
    error.perhaps_made = True
    message = f"The change was sent, but {what}. It may have been made: look at the cart{then}"
    error.restate(message, next="get_cart", retry_safe=repeatable)
    return error
