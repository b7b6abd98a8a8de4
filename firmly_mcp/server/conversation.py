"""What one client asked over a pair of streams, and what of it is still to be answered.

When its input ends, the SDK cancels what is unanswered and answers it with a protocol error, which is false of an order
that goes on. So for the SDK the input ends here, and only once every request that was read has its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

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
                from .unread import refusal_of_unreadable

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
