"""Serving over standard input and output: an order in flight is never cut off by a signal or a closed pipe."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import nullcontext

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server

from firmly_mcp.services import Services, open_services
from firmly_mcp.settings import Settings

from .app import build_server
from .lifetime import leave, leave_in_time, settle_doubts
from .pipes import standard_pipes


def run_stdio(settings: Settings, *, demo: bool = False) -> None:
    """Serve until the input ends, nobody reads the output any more, or SIGTERM or SIGINT arrives.

    Then a send in flight is let end, for up to 20 s.
    """
    anyio.run(_serve, settings, demo)
    leave()


async def _serve(settings: Settings, demo: bool) -> None:
    async with open_services(settings, demo=demo) as services, anyio.create_task_group() as tasks:
        if sys.platform != "win32":
            tasks.start_soon(_leave_on_signal, services)
            tasks.start_soon(_leave_unread, services, os.dup(sys.stdout.fileno()))
        tasks.start_soon(settle_doubts, services)
        try:
            await _serve_pipes(build_server(services))
        except* ConnectionError:
            pass  # the host is gone, as at the end of input
        leave_in_time()
        tasks.cancel_scope.cancel()


async def _serve_pipes(server: MCPServer[Services]) -> None:
    """As `MCPServer.run_stdio_async`, which cannot be given streams and has to do wherever there are none to give."""
    lowlevel = getattr(server, "_lowlevel_server", None)
    with standard_pipes() if lowlevel is not None else nullcontext() as pipes:
        if lowlevel is None or pipes is None:
            await server.run_stdio_async()
            return
        # Of an `AsyncFile` it reads the lines, and writes and flushes.
        async with stdio_server(pipes.lines, pipes.out) as (received, sent):  # type: ignore[arg-type]
            await lowlevel.run(received, sent, lowlevel.create_initialization_options())


async def _leave_on_signal(services: Services) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
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
