"""What every server does after its start and at its end, whatever it speaks over.

Doubts that a killed server left are read again; an order in flight gets its time; nothing keeps the process for longer.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Final

import anyio

from firmly_mcp.errors import FirmlyError
from firmly_mcp.services import DRAIN_SECONDS, JOURNAL, Services

# A host waits for the first answers; doubts have waited already.
_AFTER_START: Final = 1.0
# After an order in flight had its time, how long closing may take before the process ends without it.
_CLOSING: Final = 5.0

_log = logging.getLogger(__name__)


async def settle_doubts(services: Services) -> None:
    """Find out how orders ended whose server was killed, once this one serves."""
    if not (services.settings.data_dir / JOURNAL).exists():
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


def leave_in_time() -> None:
    """End once orders in flight had their time, whatever hangs. What was being sent is in the journal, and in doubt."""
    timer = threading.Timer(DRAIN_SECONDS + _CLOSING, leave)
    timer.daemon = True
    timer.start()
