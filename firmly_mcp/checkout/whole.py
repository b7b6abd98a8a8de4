"""A transaction runs to its end, whoever stops waiting for it.

A call that is cancelled in the middle of one would leave its connection behind with the file's lock, and no process
could write the journal until this one ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import anyio

P = ParamSpec("P")
T = TypeVar("T")


def whole(transaction: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a coroutine function end before a cancellation reaches its caller."""

    @wraps(transaction)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(transaction(*args, **kwargs))
        with anyio.CancelScope(shield=True):
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                await asyncio.wait([task])
                # Nobody is left to be told how it ended.
                task.cancelled() or task.exception()
                raise
        return task.result()

    return run
