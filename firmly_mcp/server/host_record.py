"""Who speaks to this server is written down once for each host and process, in a thread that holds nothing up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.types import ClientCapabilities

    from .last_host import Ability, Transport

# One server has a few hosts; whoever tells it of more than this is not written down any more.
_MOST: Final = 50
# Of longer words the rest is not even compared.
_COMPARED: Final = 400


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    version: str
    protocol: str
    transport: Transport
    can: tuple[Ability, ...]


class HostRecord:
    """Middleware around every message, which only looks at who sent it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._known: set[_Said] = set()
        self._one_at_a_time = threading.Lock()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Note the sender, then serve the message."""
        # Of the older protocol, the first message after the handshake; of the newer, the first at all.
        if (declared := ctx.session.client_capabilities) is not None:
            self._note(_said(ctx, declared))
        return await call_next(ctx)

    def _note(self, said: _Said) -> None:
        if said in self._known or len(self._known) >= _MOST:
            return
        self._known.add(said)
        with suppress(RuntimeError):  # no thread can be started any more
            threading.Thread(target=self._write, args=(said,), name="firmly-mcp last host", daemon=True).start()

    def _write(self, said: _Said) -> None:
        from .last_host import write_last_host

        words = {"name": said.name, "version": said.version, "protocol": said.protocol}
        with self._one_at_a_time:
            write_last_host(self._data_dir, words, said.transport, said.can)


def _said(ctx: ServerRequestContext[Any, Any], declared: ClientCapabilities) -> _Said:
    told = ctx.session.client_params
    name, version = ("", "") if told is None else (told.client_info.name, told.client_info.version)
    return _Said(
        name=name[:_COMPARED],
        version=version[:_COMPARED],
        protocol=ctx.protocol_version[:_COMPARED],
        transport="stdio" if ctx.request is None else "http",
        can=tuple(_abilities(declared)),
    )


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
