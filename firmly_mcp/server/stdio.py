"""Serving over standard input and output: an order in flight is never cut off by a signal or a closed pipe."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import AsyncIterable
from functools import partial
from typing import Final

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from firmly_mcp.services import Services, open_services
from firmly_mcp.settings import Settings

from .app import build_server
from .conversation import Conversation, Sink
from .lifetime import CALL_SECONDS, leave, leave_in_time, let_calls_end, let_orders_end, settle_doubts
from .pipes import standard_pipes

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
    with standard_pipes() as pipes:
        # Of an `AsyncFile` it reads the lines, and writes and flushes.
        given = (None, None) if pipes is None else (pipes.lines, pipes.out)
        async with stdio_server(*given) as (received, sent):
            if pipes is not None:
                pipes.lines.passed_over = partial(_refuse_long, sent)
            async with received, anyio.create_task_group() as listening:
                listening.start_soon(_listen, services, conversation, received, sent)
                outgoing = conversation.outgoing(sent)
                await lowlevel.run(conversation.incoming, outgoing, lowlevel.create_initialization_options())
                listening.cancel_scope.cancel()
            if pipes is not None:
                pipes.lines.close()


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
    from .unread import refusal_of_long

    await sent.send(SessionMessage(refusal_of_long(head, tail)))


async def _leave_on_signal(services: Services, conversation: Conversation, served: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            leave_in_time()
            await let_calls_end(services, conversation.answered)
            conversation.end()
            # The last answer is written once all is served, unless a terminal's input holds that up.
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
