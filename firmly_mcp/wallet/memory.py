"""Secrets in this process's memory, for the demo's server alone: published test cards of the simulator, no other."""

from __future__ import annotations

import json
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import CardRefused

from .number import TEST_NUMBERS
from .shelf import entry_name

_ENVIRONMENT: Final = "simulator"


class MemoryKeychain:
    """Stands in for the keyring in a demonstration. What it holds is gone with the process."""

    description = "this process's memory (published test cards of the simulator only; gone when it ends)"

    def __init__(self) -> None:
        self._secrets: dict[str, SecretStr] = {}

    async def get(self, name: str) -> SecretStr | None:
        """The secret of this name; None when there is none."""
        return self._secrets.get(name)

    async def set(self, name: str, secret: SecretStr) -> None:
        """Keep a secret.

        Raises:
            CardRefused: it is of another environment, or a card whose number was not published for testing.
        """
        if not name.startswith(f"{entry_name(_ENVIRONMENT)}/"):
            raise CardRefused("Only the simulator's entries are held in memory; others belong in the system's keyring.")
        if not _is_harmless(secret):
            raise CardRefused("Only published test cards are held in memory; others belong in the system's keyring.")
        self._secrets[name] = secret

    async def delete(self, name: str) -> None:
        """Forget a secret; one that is not there is no error."""
        self._secrets.pop(name, None)


def _is_harmless(secret: SecretStr) -> bool:
    try:
        entry = json.loads(secret.get_secret_value())
    except ValueError:
        return True
    return not isinstance(entry, dict) or "number" not in entry or entry["number"] in TEST_NUMBERS
