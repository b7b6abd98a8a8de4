"""An attempt's steps as MCP progress: rising values, at most ten a second, a sign of life every ten, quiet at the end.

Clients drop a notification that arrives in the same breath as the result, and some end the session over it; so there is
a pause before the result, and the last word is never in a notification.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

from firmly_mcp.errors import FirmlyError

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from firmly_mcp.checkout.feed import Feed

T = TypeVar("T")

PACE: Final = 0.1
HEARTBEAT: Final = 10.0
# A client on a busy machine reads late, and then a step and its result at once: 30 ms were too few for one.
QUIET: Final = 0.25


async def accompanied(awaited: Awaitable[T], company: Awaitable[object]) -> T | None:
    """Wait for something while its company goes on; None where the company ends first.

    An error of ours comes out as it is: in a task group's own error a call's edge would not find it.
    """
    found: T | None = None
    failed: FirmlyError | None = None

    async def wait() -> None:
        nonlocal found, failed
        try:
            found = await awaited
        except FirmlyError as error:
            failed = error
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await company
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return found


class Progress:
    """The progress notifications of one call."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self._ctx = ctx
        # Without a token nothing goes over a wire, and nothing has to be paced.
        self._is_sent = (ctx.request_context.meta or {}).get("progress_token") is not None
        self._value = 0.0
        self._sent_at = float("-inf")

    @classmethod
    @asynccontextmanager
    async def of(cls, ctx: Context[Any, Any]) -> AsyncIterator[Progress]:
        """Progress for a call; leaving it waits until a result may follow."""
        progress = cls(ctx)
        try:
            yield progress
        finally:
            await progress._pause(QUIET)

    async def say(self, words: str, *, by: float = 1.0, total: float | None = None) -> None:
        """Report a step in plain words, not sooner than the pace allows."""
        await self._pause(PACE)
        self._value += by
        # Never a final 100 %: the result says that it is over.
        bound = None if total is None else max(total, self._value + 1)
        await self._ctx.report_progress(self._value, bound, words)
        self._sent_at = anyio.current_time()

    async def until(self, awaited: Awaitable[T], deadline: float, words: str) -> T | None:
        """Wait for something, with a sign of life every ten seconds; None when the time is up first."""

        async def signs_of_life() -> None:
            while True:
                await self.say(words, by=0.01)
                await anyio.sleep(HEARTBEAT)

        with anyio.CancelScope(deadline=deadline):
            return await accompanied(awaited, signs_of_life())
        return None

    async def follow(self, feed: Feed, deadline: float) -> None:
        """Report a feed's steps as they happen, until it ends or the time is up.

        Steps that come faster than the pace are told by their last one.
        """
        told = 0
        words = "Still waiting."
        while (left := deadline - anyio.current_time()) > 0:
            with anyio.move_on_after(min(HEARTBEAT, left)):
                await feed.more_than(told)
            steps = feed.steps[told:]
            if feed.ended:
                return
            if steps:
                told, words = told + len(steps), steps[-1].words
                await self.say(words, by=len(steps), total=feed.expected)
            elif left > HEARTBEAT:
                await self.say(f"Still waiting. {words}", by=0.01, total=feed.expected)

    async def _pause(self, seconds: float) -> None:
        left = self._sent_at + seconds - anyio.current_time()
        if self._is_sent and left > 0:
            await anyio.sleep(left)
