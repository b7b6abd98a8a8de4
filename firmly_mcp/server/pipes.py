"""Standard input and output waited for by the event loop itself, where they are pipes or sockets, as hosts make them.

The SDK reads and writes them in worker threads, three hops for each call, which are half of what a call costs. Its
protocol is served over these just the same: `mcp.server.stdio.stdio_server` takes them in place of its own. Nothing
here makes a descriptor non-blocking, because that would change it for every process that shares it.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

# The longest frame that is read: the SDK's own limit for a body over HTTP. What a call may hold is bounded further.
LONGEST_FRAME: Final = 4 * 1024 * 1024
# How much of a longer one is kept: an id and a method stand within it.
KEPT: Final = 1024
_READ_AT_ONCE: Final = 65_536
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class LinesIn:
    """The lines of a descriptor, with their line ends. What is no UTF-8 is replaced; a last line may have no end.

    A line of more than `longest` bytes is passed over, and only its begin and its end go to `passed_over`.
    """

    def __init__(self, fd: int, longest: int = LONGEST_FRAME) -> None:
        self._fd = fd
        self._longest = longest
        self._rest = bytearray()
        self.passed_over: Callable[[bytes, bytes], Awaitable[None]] | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while True:
            size, is_whole = await self._next()
            if not size:
                raise StopAsyncIteration
            if size <= self._longest:
                return self._take(size).decode("utf-8", "replace")
            await self._pass_over(size, is_whole=is_whole)

    def close(self) -> None:
        """Stop waiting for more. The descriptor stays open."""
        anyio.notify_closing(self._fd)

    async def _next(self) -> tuple[int, bool]:
        """How much of the next line is here, and whether that is all of it; past the limit no more is read."""
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > self._longest:
                return searched, False
            more = await self._more()
            if not more:
                return searched, True
            self._rest += more
        return end + 1, True

    def _take(self, size: int) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken

    async def _pass_over(self, size: int, *, is_whole: bool) -> None:
        head, tail = bytes(self._rest[:KEPT]), self._take(size)[-KEPT:]
        while not is_whole:
            size, is_whole = await self._next()
            tail = (tail + self._take(size))[-KEPT:]
        if self.passed_over is not None:
            await self.passed_over(head, tail)

    async def _more(self) -> bytes:
        """The next bytes; none at the end of the input, and where whoever wrote is gone."""
        while True:
            await anyio.wait_readable(self._fd)
            # Another process that shares the descriptor may have been faster, or have made it non-blocking.
            with suppress(BlockingIOError):
                try:
                    return os.read(self._fd, _READ_AT_ONCE)
                except ConnectionError:
                    return b""


class _Sink(Protocol):
    """Where bytes can be put without waiting."""

    def put(self, data: memoryview) -> int:
        """Write some of it at once, and say how much.

        Raises:
            BlockingIOError: there is no room now.
            ConnectionError: nobody reads any more.
        """

    def close(self) -> None:
        """Let go of what was opened for it; not of the descriptor."""


class _Pipe:
    """Its blocking writes are never begun where they would block."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._room = select.poll()
        self._room.register(fd, select.POLLOUT)

    def put(self, data: memoryview) -> int:
        if not self._room.poll(0):
            raise BlockingIOError
        # A pipe that has room has it for so much (POSIX: `PIPE_BUF`).
        return os.write(self._fd, data[: select.PIPE_BUF])

    def close(self) -> None:
        pass


class _Socket:
    """Node and whatever is built on it connect a server's output to a socket."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))

    def put(self, data: memoryview) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


class TextOut:
    """Text to a descriptor: all of it and in order, however slowly it is read, while everything else goes on."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sink: _Sink = _Socket(fd) if stat.S_ISSOCK(os.fstat(fd).st_mode) else _Pipe(fd)

    async def write(self, text: str) -> None:
        """Write it.

        Raises:
            ConnectionError: nobody reads any more.
        """
        rest = memoryview(text.encode())
        while rest:
            try:
                rest = rest[self._sink.put(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)

    async def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Let go of what was opened for it; not of the descriptor."""
        self._sink.close()


@dataclass(frozen=True, slots=True)
class Pipes:
    """What a host writes to, and what it reads."""

    lines: LinesIn
    out: TextOut


@contextmanager
def standard_pipes() -> Iterator[Pipes | None]:
    """Standard input and output, taken from everybody else in this process; None where the SDK's own have to do.

    While they are taken, what reads descriptor 0 finds its end, and what is written to descriptor 1 goes to standard
    error: a stray line would break the protocol.
    """
    if sys.platform == "win32" or not (_is_waited_for(_STDIN) and _is_waited_for(_STDOUT)):
        # A file is always ready, a terminal has a person at it, and Windows waits for sockets alone.
        yield None
        return
    with (
        _taken(_STDIN, _nothing()) as input_fd,
        _taken(_STDOUT, _beside()) as output_fd,
        closing(TextOut(output_fd)) as out,
    ):
        yield Pipes(LinesIn(input_fd), out)


def _is_waited_for(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextmanager
def _taken(fd: int, instead: int) -> Iterator[int]:
    """A private descriptor for what `fd` was, which is another one meanwhile."""
    private = _above_standard(fd)
    try:
        os.dup2(instead, fd)
        os.close(instead)
        yield private
    finally:
        os.dup2(private, fd)
        os.close(private)


def _above_standard(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STDERR + 1)


def _nothing() -> int:
    return os.open(os.devnull, os.O_RDWR)


def _beside() -> int:
    try:
        return os.dup(_STDERR)
    except OSError:
        return _nothing()
