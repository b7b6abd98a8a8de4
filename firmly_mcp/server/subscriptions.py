"""Tells hosts that a resource they may be showing has changed, in the way of each protocol era.

A call tells of what it changed. An order that ends when no call waits for it any more is told to every host that
called.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp.server.session import ServerSession

    from firmly_mcp.checkout.models import Attempt

STATELESS: Final = "2026-07-28"
# How HTTP names a session; over standard input and output there is one.
_SESSION: Final = "mcp-session-id"
_MOST: Final = 16


class ResourceUpdates:
    """The notices of one server. `bus` is where its listeners of the stateless era are."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        # The newest request's view of each session: each request has one of its own.
        self._sessions: dict[str, ServerSession] = {}

    async def changed(self, ctx: Context[Any, Any], uris: Iterable[str]) -> None:
        """Say that a call changed these resources: to whoever listens for them, or to the session that called."""
        stateless = ctx.protocol_version == STATELESS
        if not stateless:
            self._remember(ctx)
        for uri in uris:
            await (self.bus.publish(ResourceUpdated(uri=uri)) if stateless else ctx.session.send_resource_updated(uri))

    async def order_ended(self, attempt: Attempt) -> None:
        """Say that an order has ended, whoever waits for it or not."""
        for uri in order_resources(attempt.id, attempt.store):
            await self.bus.publish(ResourceUpdated(uri=uri))
            for session in list(self._sessions.values()):
                # A host may be gone by now, without a word.
                with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    await session.send_resource_updated(uri)

    def _remember(self, ctx: Context[Any, Any]) -> None:
        request = ctx.request_context.request
        named = "" if request is None else str(request.headers.get(_SESSION, ""))
        self._sessions[named] = ctx.session
        while len(self._sessions) > _MOST:
            del self._sessions[next(iter(self._sessions))]


def order_resources(attempt_id: str, store: str) -> tuple[str, ...]:
    """What shows an attempt to order; a placed order has emptied its cart."""
    return f"firmly://orders/{attempt_id}", "firmly://orders", f"firmly://{store}/cart"
