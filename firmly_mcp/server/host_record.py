"""Who speaks to this server is written down once for each host and process, before its first message is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.types import ClientCapabilities

    from .last_host import Ability, Transport, Words

    Said = tuple[Words, Transport, tuple[Ability, ...]]

# One server has a few hosts; whoever tells it of more than this is not written down any more.
_MOST: Final = 50
# Of longer words the rest is not even compared.
_COMPARED: Final = 400


class HostRecord:
    """Middleware around every message, which only looks at who sent it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._known: set[Said] = set()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Note the sender, then serve the message."""
        # Of the older protocol, the first message after the handshake; of the newer, the first at all.
        if (declared := ctx.session.client_capabilities) is not None:
            said = _said(ctx, declared)
            if said not in self._known and len(self._known) < _MOST:
                self._known.add(said)
                await anyio.to_thread.run_sync(_write, self._data_dir, said)
        return await call_next(ctx)


def _write(data_dir: Path, said: Said) -> None:
    from .last_host import write_last_host

    write_last_host(data_dir, *said)


def _said(ctx: ServerRequestContext[Any, Any], declared: ClientCapabilities) -> Said:
    told = ctx.session.client_params
    name, version = ("", "") if told is None else (told.client_info.name, told.client_info.version)
    words = (name[:_COMPARED], version[:_COMPARED], ctx.protocol_version[:_COMPARED])
    return words, "stdio" if ctx.request is None else "http", tuple(_abilities(declared))


def _abilities(declared: ClientCapabilities) -> Iterator[Ability]:
    """What a host can do. One that can be asked and does not say how can show a form (MCP: elicitation)."""
    asked = declared.elicitation
    if asked is not None and (asked.form is not None or asked.url is None):
        yield "elicitation.form"
    if asked is not None and asked.url is not None:
        yield "elicitation.url"
    if declared.sampling is not None:
        yield "sampling"
    if declared.roots is not None:
        yield "roots"
    if declared.tasks is not None:
        yield "tasks"
