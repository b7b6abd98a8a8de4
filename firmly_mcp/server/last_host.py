"""What the last host said of itself, in a file for `doctor`: a record, on which nothing else relies."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmly_mcp.data_dir import write_whole
from firmly_mcp.redaction import redact
from firmly_mcp.store_text import clean

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
