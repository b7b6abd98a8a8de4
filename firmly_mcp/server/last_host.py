"""What the last host said of itself, in a file for `doctor`: a record, on which nothing else relies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def write_last_host(data_dir: Path, words: Mapping[str, str], transport: Transport, can: Sequence[Ability]) -> None:
    """Keep a record in place of the one before, readable for this user alone; where that fails, nobody is told.

    `words` are a host's own for `name`, `version` and `protocol`: they are cleaned and bounded here.
    """
    cleaned = {field: clean(redact(word), _LONGEST) for field, word in words.items()}
    record = LastHost.model_validate({**cleaned, "transport": transport, "can": can, "at": datetime.now(UTC)})
    with suppress(OSError):
        write_whole(data_dir / FILE, record.model_dump_json())
