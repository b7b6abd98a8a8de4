"""What every server does after its start and at its end, whatever it speaks over.

Doubts that a killed server left are read again; an order in flight gets its time; nothing keeps the process for longer.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from firmly_mcp.errors import FirmlyError
from firmly_mcp.services import DRAIN_SECONDS, Services

T = TypeVar("T")

# No call takes longer: hosts give up on one after 60 s.
CALL_SECONDS: Final = 45.0

# A host waits for the first answers; doubts have waited already.
_AFTER_START: Final = 1.0
# Once orders in flight have ended, how long calls may take to tell of them before they are cut, and to tell of that.
_LAST_ANSWERS: Final = 2.0
_CUT: Final = 1.0
# After an order in flight had its time, how long closing may take before the process ends without it.
_CLOSING: Final = 5.0

_log = logging.getLogger(__name__)


async def settle_doubts(services: Services) -> None:
    """Find out how orders ended whose server was killed, once this one serves."""
    if not services.has_journal():
        return
    await anyio.sleep(_AFTER_START)
    try:
        await (await services.placement()).settle_all()
    except FirmlyError as error:
        _log.warning("attempts in doubt could not be read: %s", error.message)


def leave() -> None:
    """End now: a thread may still block on input or on a keyring, and nothing is left to wait for."""
    sys.stderr.flush()
    os._exit(0)


def leave_in_time(after: float = 0.0) -> None:
    """End once orders in flight had their time, whatever hangs. What was being sent is in the journal, and in doubt."""
    timer = threading.Timer(after + DRAIN_SECONDS + _CLOSING, leave)
    timer.daemon = True
    timer.start()


async def let_calls_end(
    services: Services, answered: Callable[[], Awaitable[object]], *, drain: float = DRAIN_SECONDS
) -> None:
    """Let orders in flight end, within `drain` seconds, and calls tell how they ended; then cut those that go on.

    `answered` waits until every call has its answer.
    """
    services.ending.set()
    placement = services.placement.made
    if placement is not None:
        await placement.drain(drain)
    with anyio.move_on_after(_LAST_ANSWERS):
        await answered()
    for cut in list(services.cuts):
        cut()
    with anyio.move_on_after(_CUT):
        await answered()


async def let_orders_end(services: Services) -> None:
    """Let the orders that are in flight now end, for up to 20 s."""
    placement = services.placement.made
    if placement is not None:
        await placement.let_end(DRAIN_SECONDS)


async def unless_ending(services: Services, awaited: Awaitable[T]) -> T | None:
    """Wait for something; None once the process is about to end."""
    from .progress import accompanied

    return await accompanied(awaited, services.ending.wait())
