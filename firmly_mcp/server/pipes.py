"""The lines of standard input, each with a limit: a longer one is passed over, and is never held in memory.

The SDK reads lines without a limit. `mcp.server.stdio.stdio_server` takes these in place of its own; standard output is
left to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import anyio
import anyio.to_thread

# The longest frame that is read: the SDK's own limit for a body over HTTP. What a call may hold is bounded further.
LONGEST_FRAME: Final = 4 * 1024 * 1024
# How much of a longer one is kept: an id and a method stand within it.
KEPT: Final = 1024
_STDIN, _ABOVE_STANDARD = 0, 3


class LinesIn:
    """The lines of a file, with their line ends. What is no UTF-8 is replaced; a last line may have no end.

    A line of more than `longest` bytes is passed over, and only its begin and its end go to `passed_over`.
    """

    def __init__(self, file: BinaryIO, longest: int = LONGEST_FRAME) -> None:
        self._file = file
        self._longest = longest
        self._open = True
        self._reading = anyio.CancelScope()
        self.passed_over: Callable[[bytes, bytes], Awaitable[None]] | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while line := await self._read(self._longest + 1):
            if len(line) <= self._longest:
                return line.decode("utf-8", "replace")
            head, tail, more = line[:KEPT], line[-KEPT:], line
            while more and not more.endswith(b"\n"):
                more = await self._read(self._longest)
                tail = (tail + more)[-KEPT:]
            if self.passed_over is not None:
                await self.passed_over(head, tail)
        raise StopAsyncIteration

    def close(self) -> None:
        """Stop waiting for more. The thread that waits is left behind, and the file stays open."""
        self._open = False
        self._reading.cancel()

    async def _read(self, most: int) -> bytes:
        """Return a line or its next part; nothing at the end of the input, or where its writer is gone."""
        with anyio.CancelScope() as self._reading:
            if self._open:
                try:
                    return await anyio.to_thread.run_sync(self._file.readline, most, abandon_on_cancel=True)
                except ConnectionError:
                    pass
        return b""


@contextmanager
def standard_input() -> Iterator[LinesIn | None]:
    """Take standard input from everything else in this process, which finds its end there; None where it cannot be."""
    if sys.platform == "win32":
        yield None  # taking it needs more there, which the SDK knows
        return
    import fcntl

    private, nothing = fcntl.fcntl(_STDIN, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STDIN)
    os.close(nothing)
    try:
        yield LinesIn(os.fdopen(private, "rb", closefd=False))
    finally:
        os.dup2(private, _STDIN)
