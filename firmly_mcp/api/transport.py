"""Requests out, bounded answers in. The one place that touches httpx2, and the one that knows what was sent.

No environment is trusted, no redirect is followed, no cookie is kept, nothing is logged. An order goes over its own new
connection: only one that never opened proves that nothing was sent.
"""

from __future__ import annotations

import json
import logging
import ssl
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import anyio

from firmly_mcp.redaction import OneUse

from .fields import names_each_field_once, parse_json, plain_json

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
# Awaited on the open connection, right before the first byte of a request; what it raises keeps the request unsent.
LastLook = Callable[[], Awaitable[None]]

LARGEST_ANSWER: Final = 16 * 1024 * 1024
LARGEST_EVENT: Final = 4 * 1024 * 1024
CONNECT_SECONDS: Final = 10.0
# A tool call may take 45 s, and clients cut it at 60: a longer wait has no reader.
CALL_SECONDS: Final = 30.0
ORDER_SECONDS: Final = 180.0

_HEADERS: Final = {"accept": "application/json", "user-agent": "firmly-mcp", "accept-encoding": "gzip, deflate"}
# An order's answer is asked for as it is: a compressed stream that is cut can look like one that ended.
_ORDER_HEADERS: Final = {"accept-encoding": "identity"}
_STREAM_HEADERS: Final = {**_ORDER_HEADERS, "accept": "text/event-stream", "cache-control": "no-store"}


class NotSent(Exception):
    """The connection never opened: no byte of the request left this machine. The text states why."""


class NoAnswer(Exception):
    """The request may have been acted on. `cut`: an answer began; the text states what happened to it."""

    def __init__(self, what: str, *, cut: bool) -> None:
        super().__init__(what)
        self.cut = cut


class OneUseBody:
    """The body of one request, as an asynchronous iterable of one chunk; it cannot be sent a second time."""

    __slots__ = ("_content", "length")

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = OneUse(content, "the body of an order request")

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield self._content.take()


@dataclass(frozen=True)
class Request:
    """One HTTP request; `body` is JSON, or the bytes of JSON that are sent once, or None for no body.

    Opening a connection may take seconds. `last_look` comes after that.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: object = field(default=None, repr=False)
    last_look: LastLook | None = field(default=None, repr=False)

    @property
    def content(self) -> bytes | OneUseBody | None:
        """The body as httpx2 takes it."""
        if self.body is None or isinstance(self.body, OneUseBody):
            return self.body
        return json_bytes(self.body)


def json_bytes(value: object) -> bytes:
    """Encode a JSON value that may hold Decimals, without spaces."""
    return json.dumps(plain_json(value), separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True)
class Response:
    """One answer. `body` is its JSON; `is_json` is False where it was none. Header names are found in any case.

    `whole` is False where the answer could be part of another one: nothing marks its end, or a field is in it twice.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: object = field(repr=False)
    is_json: bool
    request_id: str
    whole: bool = True

    @property
    def is_success(self) -> bool:
        """A 2xx; Firmly documents 200 alone."""
        return 200 <= self.status < 300


class Http:
    """Connections to Firmly, shared by every session of a process; an async context manager that closes them.

    `verify` is a TLS context of one's own, or True for the system's. `proxy` is the address of an HTTP proxy.
    """

    def __init__(self, *, verify: ssl.SSLContext | bool = True, proxy: str | None = None) -> None:
        self._verify = verify
        self._proxy = proxy
        self._pooled: httpx2.AsyncClient | None = None
        # Firmly's pages disagree on `Bearer ` before the token; what was taken is remembered.
        self.token_prefix = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._pooled is not None:
            pooled, self._pooled = self._pooled, None
            await pooled.aclose()

    async def send(self, request: Request, *, seconds: float = CALL_SECONDS) -> Response:
        """Send a request over a connection that may have served before, and read its whole answer.

        Raises:
            NotSent, NoAnswer: no whole answer came within `seconds`.
        """
        if self._pooled is None:
            self._pooled = self._new_client()
        return await self._exchange(self._pooled, request, seconds)

    async def send_alone(self, request: Request, *, seconds: float = ORDER_SECONDS) -> Response:
        """The same over a connection that is opened for this request and closed after it."""
        async with self._new_client() as client:
            return await self._exchange(client, request, seconds, _ORDER_HEADERS)

    @asynccontextmanager
    async def stream_alone(
        self, request: Request, *, seconds: float = ORDER_SECONDS
    ) -> AsyncIterator[Stream | Response]:
        """Send a request over its own connection and read events as they come; an answer that is no stream is whole.

        Raises:
            NotSent, NoAnswer: on entering, and from the stream, which altogether may take `seconds`.
        """
        deadline = anyio.current_time() + seconds
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self._new_client())
            request_id = _new_id()
            with _translate_errors():
                response = await _until(deadline, _opened(client, request, request_id, _STREAM_HEADERS))
            stack.push_async_callback(_closed, response)
            with _translate_errors(cut=True):
                answer = await _until(deadline, _stream_or_answer(response, request_id, deadline))
            if isinstance(answer, Stream):
                stack.push_async_callback(answer.aclose)
            yield answer

    async def _exchange(
        self, client: httpx2.AsyncClient, request: Request, seconds: float, extra: Mapping[str, str] | None = None
    ) -> Response:
        request_id = _new_id()
        with _translate_errors():
            return await _until(anyio.current_time() + seconds, _answered(client, request, request_id, extra))

    def _new_client(self) -> httpx2.AsyncClient:
        import httpx2

        # At debug level these write down headers, and at info level addresses with what was searched for.
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return httpx2.AsyncClient(
            verify=_system_certificates() if self._verify is True else self._verify,
            headers=_HEADERS,
            proxy=self._proxy,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        )


def _new_id() -> str:
    return f"req_{uuid.uuid4().hex}"


@cache
def _system_certificates() -> ssl.SSLContext:
    """Reading them takes longer than a request: every connection shares one reading."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


class _StreamText:
    """A stream's text on its way to httpx2's parser, which drops a last block that no blank line ended."""

    def __init__(self, response: httpx2.Response) -> None:
        self.headers = response.headers
        self.request = response.request
        self.is_over = False
        self._response = response
        self._last = "\n\n"

    async def aiter_text(self) -> AsyncIterator[str]:
        """Hand the text on."""
        async for text in self._response.aiter_text():
            # Two line ends are at most four characters.
            self._last = (self._last + text)[-5:]
            yield text
        self.is_over = True

    @property
    def ends_with_a_block(self) -> bool:
        """Whether a blank line came last."""
        return self._last.replace("\r\n", "\n").replace("\r", "\n").endswith("\n\n")


class Stream:
    """The events of one answer, as (name, data) pairs, until it ends."""

    def __init__(self, response: httpx2.Response, request_id: str, deadline: float) -> None:
        import httpx2

        self.request_id = request_id
        self._text = _StreamText(response)
        source = httpx2.EventSource(cast("httpx2.Response", self._text), max_event_size=LARGEST_EVENT)
        self._events = cast("AsyncGenerator[httpx2.ServerSentEvent, None]", aiter(source))
        self._deadline = deadline
        self._end_is_marked = _end_is_marked(response) and not response.headers.get("content-encoding")

    async def next_event(self) -> tuple[str, str] | None:
        """The next event as soon as it is whole; None at the end of the stream.

        Raises:
            NoAnswer: the stream was cut, an event is too large, or the time is over.
        """
        with _translate_errors(cut=True):
            event = await _until(self._deadline, anext(self._events, None))
        # At a lone carriage return before the end, the parser gives a block that nothing ended.
        if event is None or (self._text.is_over and not self._text.ends_with_a_block):
            return None
        return event.event, event.data

    @property
    def ended_properly(self) -> bool:
        """Whether it is read to an end that cannot be a cut: the body's end is marked, and its last event is whole."""
        return self._text.is_over and self._text.ends_with_a_block and self._end_is_marked

    def end_within(self, seconds: float) -> None:
        """Wait no longer than this for what is left."""
        self._deadline = min(self._deadline, anyio.current_time() + seconds)

    async def aclose(self) -> None:
        """Stop reading."""
        await self._events.aclose()


def _traced(request: Request) -> dict[str, Any]:
    """The extension by which httpcore2 awaits the last look."""
    if (look := request.last_look) is None:
        return {}

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        # A proxy is asked for a tunnel first, with a request of its own.
        if event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            await look()

    return {"trace": trace}


async def _opened(
    client: httpx2.AsyncClient, request: Request, request_id: str, extra: Mapping[str, str] | None
) -> httpx2.Response:
    import httpx2

    headers = {**request.headers, "x-firmly-request-id": request_id, **(extra or {})}
    if request.body is not None:
        headers["content-type"] = "application/json"
    if isinstance(request.body, OneUseBody):
        headers["content-length"] = str(request.body.length)
    content, extensions = request.content, _traced(request)
    built = client.build_request(request.method, request.url, content=content, headers=headers, extensions=extensions)
    try:
        return await client.send(built, stream=True)
    except httpx2.InvalidURL:
        # The request's own address was read before: this one came with the answer.
        raise NoAnswer("the answer points to an address that is none", cut=True) from None


async def _answered(
    client: httpx2.AsyncClient, request: Request, request_id: str, extra: Mapping[str, str] | None
) -> Response:
    response = await _opened(client, request, request_id, extra)
    try:
        return await _whole(response, request_id)
    finally:
        await response.aclose()


async def _closed(response: httpx2.Response) -> None:
    """Close a stream. What was read of it counts, however the connection ends after that."""
    import httpx2

    with suppress(httpx2.HTTPError, OSError):
        await response.aclose()


async def _stream_or_answer(response: httpx2.Response, request_id: str, deadline: float) -> Stream | Response:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code == 200 and kind == "text/event-stream":
        # By the standard a byte order mark may begin a stream, and is not part of its first line.
        response.encoding = "utf-8-sig"
        return Stream(response, request_id, deadline)
    return await _whole(response, request_id)


async def _whole(response: httpx2.Response, request_id: str) -> Response:
    content = bytearray()
    with _translate_errors(cut=True):
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > LARGEST_ANSWER:
                raise NoAnswer("the answer is longer than 16 MiB", cut=True)
    theirs = response.headers.get("x-firmly-request-id", "")
    tracking = theirs if theirs.isprintable() and 0 < len(theirs) <= 128 else request_id
    status, headers, read = response.status_code, response.headers, bytes(content)
    try:
        body = parse_json(read)
    except ValueError:
        return Response(status, headers, None, False, tracking, whole=False)
    # Only a refusal is asked for it, and a catalog is read twice as fast without.
    whole = _end_is_marked(response) and (status < 400 or names_each_field_once(read))
    return Response(status, headers, body, True, tracking, whole)


def _end_is_marked(response: httpx2.Response) -> bool:
    """Whether a body that is cut would be noticed (RFC 9112, section 6.3): it has a length, or a last chunk."""
    return "content-length" in response.headers or "transfer-encoding" in response.headers


async def _until(deadline: float, work: Awaitable[T]) -> T:
    with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
        return await work


@contextmanager
def _translate_errors(*, cut: bool = False) -> Iterator[None]:
    """Translate httpx2's errors to what they prove; with `cut`, an answer began. Theirs hold the request."""
    import httpx2

    never_opened = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    unsent: tuple[type[Exception], ...] = () if cut else (*never_opened, httpx2.UnsupportedProtocol, httpx2.InvalidURL)
    try:
        yield
    except unsent as error:
        raise NotSent(f"{type(error).__name__}: {error}"[:200]) from None
    except httpx2.HTTPError as error:
        # No more than its kind: its words can hold bytes of the answer.
        raise NoAnswer(f"the connection broke off ({type(error).__name__})", cut=cut) from None
    except TimeoutError:
        raise NoAnswer("no answer came in time", cut=cut) from None
