"""Work that may block for as long as a disk, a resolver or another program likes, and that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Run it in a thread of its own. Whoever stops waiting leaves it behind, and it keeps no program from ending."""
    future: Future[T] = Future()
    threading.Thread(target=_run, args=(future, work), name="firmly-mcp doctor", daemon=True).start()
    return await asyncio.wrap_future(future)


def _run(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        future.set_exception(error)
