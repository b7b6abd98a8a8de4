"""Serving over standard input and output: an order in flight is never cut off by a signal or a closed pipe."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Final

import anyio

from firmly_mcp.errors import FirmlyError
from firmly_mcp.services import DRAIN_SECONDS, JOURNAL, Services, open_services
from firmly_mcp.settings import Settings

from .app import build_server

# After an order in flight had its time, how long closing may take before the process ends without it.
_CLOSING: Final = 5.0
# A host waits for the first answers; doubts have waited already.
_AFTER_START: Final = 1.0

_log = logging.getLogger(__name__)


def run_stdio(settings: Settings, *, demo: bool = False) -> None:
    """Serve until the input ends or SIGTERM or SIGINT arrives; then let a send in flight end, for up to 20 s."""
    anyio.run(_serve, settings, demo)
    _leave()


async def _serve(settings: Settings, demo: bool) -> None:
    async with open_services(settings, demo=demo) as services, anyio.create_task_group() as tasks:
        if sys.platform != "win32":
            tasks.start_soon(_leave_on_signal, services)
        tasks.start_soon(_settle, services)
        await build_server(services).run_stdio_async()
        _leave_by(DRAIN_SECONDS + _CLOSING)
        tasks.cancel_scope.cancel()


async def _settle(services: Services) -> None:
    """Find out how orders ended whose server was killed, once this one serves."""
    if not (services.settings.data_dir / JOURNAL).exists():
        return
    await anyio.sleep(_AFTER_START)
    try:
        await (await services.placement()).settle_all()
    except FirmlyError as error:
        _log.warning("attempts in doubt could not be read: %s", error.message)


async def _leave_on_signal(services: Services) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            _leave_by(DRAIN_SECONDS + _CLOSING)
            await services.close()
            _leave()


def _leave() -> None:
    """End now: the SDK's reader thread may still block on standard input, and nothing is left to wait for."""
    sys.stderr.flush()
    os._exit(0)


def _leave_by(seconds: float) -> None:
    """End by then, whatever hangs. What was being sent is in the journal, and in doubt."""
    timer = threading.Timer(seconds, _leave)
    timer.daemon = True
    timer.start()
