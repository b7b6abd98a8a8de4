"""Tells a host that a resource it may be showing has changed, in the way of its protocol's era."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

_STATELESS: Final = "2026-07-28"


async def tell_changed(ctx: Context[Any, Any], uris: Iterable[str]) -> None:
    """Say that these resources changed: to whoever listens for them, or to the session that changed them."""
    for uri in uris:
        if ctx.protocol_version == _STATELESS:
            await ctx.notify_resource_updated(uri)
        else:
            await ctx.session.send_resource_updated(uri)
