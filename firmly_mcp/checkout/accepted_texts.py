"""The texts that were accepted last, in a file of the person's own, to show what changed since.

The file proves nothing: its reader believes only what fits the keyring's hashes. Lost, it costs the comparison and the
refusals of the rules accepted before; what then differs is asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from firmly_mcp.data_dir import write_whole
from firmly_mcp.errors import SettingsError


@dataclass(frozen=True, slots=True)
class AcceptedTexts:
    """The file of one shopper in one environment."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path, environment: str, shopper: str) -> AcceptedTexts:
        """Where they are kept beside the other data."""
        return cls(data_dir / "accepted" / f"{quote(f'{environment} {shopper}', safe='')}.json")

    def load(self) -> dict[str, str]:
        """What is there; nothing where it is missing or damaged."""
        try:
            read = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(read, dict):
            return {}
        return {name: text for name, text in read.items() if isinstance(text, str)}

    def save(self, texts: Mapping[str, str]) -> None:
        """Write them anew, readable for this user alone.

        Raises:
            SettingsError: the directory cannot be written.
        """
        try:
            write_whole(self.path, json.dumps(dict(texts), ensure_ascii=False))
        except OSError as error:
            raise SettingsError(
                f"What was accepted cannot be written to {self.path.parent} ({type(error).__name__}). Nothing was "
                "accepted."
            ) from None
