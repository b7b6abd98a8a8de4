"""What the last client said of itself, in a file for `doctor`: a record, on which nothing else relies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmly_mcp.redaction import redact
from firmly_mcp.system.files import write_whole
from firmly_mcp.untrusted import clean

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.types import ClientCapabilities

FILE: Final = "last_host.json"

Transport = Literal["stdio", "http"]

Ability = Literal["elicitation.form", "elicitation.url", "sampling", "roots", "tasks"]

# A host's own words: its name, its version, its protocol.
Words = tuple[str, str, str]

_LONGEST: Final = 100

# A record is a few hundred bytes.
_LARGEST: Final = 8192

_Word = Annotated[str, Field(max_length=_LONGEST)]


class LastHost(BaseModel):
    """A host that a server here spoke with last. `can` is what it declared; an empty name was not told."""

    model_config = ConfigDict(frozen=True)

    name: _Word
    version: _Word
    protocol: _Word
    transport: Transport
    can: tuple[Ability, ...]
    at: datetime


def last_host(data_dir: Path) -> LastHost | None:
    """The record; None where there is none that can be read."""
    try:
        with (data_dir / FILE).open("rb") as file:
            return LastHost.model_validate_json(file.read(_LARGEST))
    except (OSError, ValidationError):
        return None


def write_last_host(data_dir: Path, words: Words, transport: Transport, can: tuple[Ability, ...]) -> None:
    """Replace the record, readable for this user alone; a failure is ignored. The words are cleaned and bounded."""
    name, version, protocol = (clean(redact(word), _LONGEST) for word in words)
    record = LastHost(name=name, version=version, protocol=protocol, transport=transport, can=can, at=datetime.now(UTC))
    with suppress(OSError):
        write_whole(data_dir / FILE, record.model_dump_json())


# Who speaks to this server is written down once for each host and process, before its first message is served.

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
