"""One entry of the keyring as a text, for rooms that know nothing of keyrings."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from .keychain import Secrets


@dataclass(frozen=True, slots=True)
class KeptText:
    """One entry of the keyring, for a room that knows nothing of keyrings: a device's token, the journal's mark."""

    secrets: Secrets
    name: str

    async def load(self) -> str | None:
        """What was saved last; None when nothing was."""
        found = await self.secrets.get(self.name)
        return None if found is None else found.get_secret_value()

    async def save(self, text: str) -> None:
        """Keep a text, and read it back."""
        await self.secrets.set(self.name, SecretStr(text))

    async def forget(self) -> None:
        """Delete it; what is not there is no error."""
        await self.secrets.delete(self.name)
