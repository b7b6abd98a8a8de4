"""The answer to a frame that was not read: it is too long, or it is no message of the protocol.

Whoever sent it waits for an answer of the same id. The id is taken only from where it must be the frame's own: behind
nothing but plain words at its begin, or as the last word before its end.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, cast

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)
from pydantic import ValidationError

from firmly_mcp.app import Services, open_services
from firmly_mcp.settings import Settings

from .app import CALL_SECONDS, build_server, leave, leave_in_time, let_calls_end, let_orders_end, settle_doubts
from .pipes import KEPT, LONGEST_FRAME, standard_input

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

_WORD: Final = r'"[^"\\]{0,200}"'

_ID: Final = rf'"id"\s{{0,9}}:\s{{0,9}}(?P<id>-?\d{{1,18}}|{_WORD})'

_PLAIN: Final = rf'(?:"(?:jsonrpc|method)"\s{{0,9}}:\s{{0,9}}{_WORD}\s{{0,9}},\s{{0,9}}){{0,2}}'

_AT_BEGIN: Final = re.compile(rf"\s{{0,9}}\{{\s{{0,9}}{_PLAIN}{_ID}")

_AT_END: Final = re.compile(rf"[,{{]\s{{0,9}}{_ID}\s{{0,9}}\}}\s{{0,9}}$")

_CALLS_TOOL: Final = re.compile(r'"method"\s{0,9}:\s{0,9}"tools/call"')


def refusal_of_long(head: bytes, tail: bytes) -> JSONRPCResponse | JSONRPCError:
    """The answer to a frame over the limit, by its first and its last bytes: for a call, what a model can act on."""
    begin, end = head.decode("utf-8", "replace"), tail.decode("utf-8", "replace")
    number = _id_in(begin, end)
    told = f"The message is longer than {LONGEST_FRAME} bytes, so it was not read and nothing was done."
    if number is None or not (_CALLS_TOOL.search(begin) or _CALLS_TOOL.search(end)):
        return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=INVALID_REQUEST, message=told))
    from .tool import refused

    result = refused(told).model_dump(by_alias=True, mode="json", exclude_none=True)
    return JSONRPCResponse(jsonrpc="2.0", id=number, result=result)


def refusal_of_unreadable(error: Exception) -> JSONRPCError | None:
    """The answer to a frame that is no message; None where it has no id that could be answered."""
    if not isinstance(error, ValidationError):
        return None
    for problem in error.errors(include_url=False, include_context=False)[:8]:
        found = _id_of(problem["input"])
        if found is not None:
            code = PARSE_ERROR if problem["type"] == "json_invalid" else INVALID_REQUEST
            told = ErrorData(code=code, message="The message is not one of the protocol; nothing was done.")
            return JSONRPCError(jsonrpc="2.0", id=found, error=told)
    return None


def _id_of(frame: object) -> RequestId | None:
    if isinstance(frame, str):
        return _id_in(frame[:KEPT], frame[-KEPT:])
    number = frame.get("id") if isinstance(frame, dict) and "method" in frame else None
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    return number if len(str(number)) <= 200 else None


def _id_in(begin: str, end: str) -> RequestId | None:
    found = _AT_BEGIN.match(begin) or _AT_END.search(end)
    if found is None:
        return None
    number: RequestId = json.loads(found["id"])
    return number


# What one client asked over a pair of streams, and what of it is still to be answered.

# Its answer is a stream that lasts as long as the connection.
_STREAMS: Final = frozenset({"subscriptions/listen"})

_NOT_ANSWERED: Final = ErrorData(code=CONNECTION_CLOSED, message="The input has ended; no answer can come.")


class Sink(Protocol):
    """Where messages to the client go; `send` returns once the message is handed over."""

    async def send(self, item: SessionMessage, /) -> None: ...

    async def aclose(self) -> None: ...


class Conversation:
    """The requests of a client that have no answer yet, and the questions to it that have none."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._questions: dict[str, RequestId] = {}
        self._changed = anyio.Event()
        self._to_server, self.incoming = _streams()

    def outgoing(self, sent: Sink) -> Outgoing:
        """The stream to the client, watched for answers."""
        return Outgoing(sent, self)

    async def relay(self, received: AsyncIterable[SessionMessage | Exception], sent: Sink) -> None:
        """Hand what the client says to the server, until its input ends. What is no message is refused here."""
        async for item in received:
            if isinstance(item, Exception):
                refusal = refusal_of_unreadable(item)
                if refusal is not None:
                    await sent.send(SessionMessage(refusal))
                continue
            self._hear(item.message)
            try:
                await self._to_server.send(item)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def answered(self) -> None:
        """Wait until every request that was read has its answer."""
        while self._requests.total():
            await self._changed.wait()

    async def decline_questions(self) -> None:
        """Tell the server of each question to the client that no answer can come. It goes on until it is cancelled."""
        while True:
            while self._questions:
                _, number = self._questions.popitem()
                refused = JSONRPCError(jsonrpc="2.0", id=number, error=_NOT_ANSWERED)
                await self._to_server.send(SessionMessage(refused))
            await self._changed.wait()

    def end(self) -> None:
        """End the input for the server; what has no answer then gets the SDK's."""
        self._to_server.close()

    def say(self, message: JSONRPCMessage) -> None:
        """Note what was said to the client."""
        match message:
            case JSONRPCResponse() | JSONRPCError() if message.id is not None:
                self._close(message.id)
            case JSONRPCRequest():
                self._questions[str(message.id)] = message.id
                self._wake()
            case _:
                pass

    def _hear(self, message: JSONRPCMessage) -> None:
        match message:
            case JSONRPCRequest() if message.method not in _STREAMS:
                self._requests[str(message.id)] += 1
            case JSONRPCResponse() | JSONRPCError():
                self._questions.pop(str(message.id), None)
            case JSONRPCNotification(method="notifications/cancelled"):
                # A request that the client gave up is answered no more (MCP: cancellation).
                self._close((message.params or {}).get("requestId"))
            case _:
                pass

    def _close(self, number: object) -> None:
        if self._requests[str(number)] > 0:
            self._requests[str(number)] -= 1
        if not self._requests[str(number)]:
            del self._requests[str(number)]
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Outgoing:
    """A stream to the client that tells its conversation of what went over it."""

    def __init__(self, sent: Sink, conversation: Conversation) -> None:
        self._sent = sent
        self._conversation = conversation

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message; one that could not be sent has been said all the same: it is not sent again."""
        try:
            await self._sent.send(item)
        finally:
            self._conversation.say(item.message)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._sent.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _ToServer(Protocol):
    async def send(self, item: SessionMessage | Exception) -> None: ...

    def close(self) -> None: ...


def _streams() -> tuple[_ToServer, MemoryObjectReceiveStream[SessionMessage | Exception]]:
    return anyio.create_memory_object_stream[SessionMessage | Exception]()


# Serving over standard input and output: an order in flight is never cut off by a signal or a closed pipe.

_LAST_WRITE: Final = 1.0


def run_stdio(settings: Settings, *, demo: bool = False) -> None:
    """Serve until the input ends, nobody reads the output any more, or SIGTERM or SIGINT arrives.

    Then a send in flight is let end, for up to 20 s, and every request that was read is answered.
    """
    anyio.run(_serve, settings, demo)
    leave()


async def _serve(settings: Settings, demo: bool) -> None:
    async with open_services(settings, demo=demo) as services, anyio.create_task_group() as tasks:
        conversation, served = Conversation(), anyio.Event()
        if sys.platform != "win32":
            tasks.start_soon(_leave_on_signal, services, conversation, served)
            tasks.start_soon(_leave_unread, services, os.dup(sys.stdout.fileno()))
        tasks.start_soon(settle_doubts, services)
        try:
            await _serve_pipes(build_server(services), services, conversation)
        except* ConnectionError:
            pass  # the host is gone, as at the end of input
        served.set()
        leave_in_time()
        tasks.cancel_scope.cancel()


async def _serve_pipes(server: MCPServer[Services], services: Services, conversation: Conversation) -> None:
    """As `MCPServer.run_stdio_async`, which cannot be given streams and has to do wherever there are none to give."""
    lowlevel = getattr(server, "_lowlevel_server", None)
    if lowlevel is None:
        await server.run_stdio_async()
        return
    with standard_input() as lines:
        # Of an `AsyncFile` it reads the lines, and no more.
        async with stdio_server(cast("anyio.AsyncFile[str] | None", lines)) as (received, sent):
            if lines is not None:
                lines.passed_over = partial(_refuse_long, sent)
            async with received, anyio.create_task_group() as listening:
                listening.start_soon(_listen, services, conversation, received, sent)
                outgoing = conversation.outgoing(sent)
                await lowlevel.run(conversation.incoming, outgoing, lowlevel.create_initialization_options())
                listening.cancel_scope.cancel()
            if lines is not None:
                lines.close()


async def _listen(
    services: Services, conversation: Conversation, received: AsyncIterable[SessionMessage | Exception], sent: Sink
) -> None:
    """Serve what is asked, then wait for the answers: no request that was read is left to the SDK, which cancels it."""
    await conversation.relay(received, sent)
    leave_in_time(after=CALL_SECONDS)
    async with anyio.create_task_group() as declining:
        declining.start_soon(conversation.decline_questions)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(let_orders_end, services)
            with anyio.move_on_after(CALL_SECONDS):
                await conversation.answered()
        await let_calls_end(services, conversation.answered)
        declining.cancel_scope.cancel()
    conversation.end()


async def _refuse_long(sent: Sink, head: bytes, tail: bytes) -> None:
    await sent.send(SessionMessage(refusal_of_long(head, tail)))


async def _leave_on_signal(services: Services, conversation: Conversation, served: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            leave_in_time()
            await let_calls_end(services, conversation.answered)
            conversation.end()
            # The last answer is written once all is served, unless nothing reads it.
            with anyio.move_on_after(_LAST_WRITE):
                await served.wait()
            await _let_orders_end(services)


async def _leave_unread(services: Services, output: int) -> None:
    """Leave when nobody can read the output any more, even if another process of the host's holds the input open."""
    if await anyio.to_thread.run_sync(_hung_up, output, abandon_on_cancel=True):
        await _let_orders_end(services)


def _hung_up(output: int) -> bool:
    waiting = select.poll()
    waiting.register(output, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in waiting.poll())


async def _let_orders_end(services: Services) -> None:
    leave_in_time()
    await services.close()
    leave()
