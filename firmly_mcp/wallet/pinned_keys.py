"""One key id of one payment host never stands for two keys: the first thumbprint that was seen stays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import SecretStr, TypeAdapter, ValidationError

from firmly_mcp.errors import UnexpectedAnswer, WalletError

from .keychain import Secrets
from .seal import PaymentKeyLike, checked_kid, thumbprint

# Old keys are forgotten first. A dozen fit into the smallest keyring entry there is.
_KEPT: Final = 10
_ENTRY: Final = TypeAdapter(dict[str, str])


class Thumbprints(Protocol):
    """The thumbprints of the payment keys that were seen, by host and key id."""

    async def load(self) -> dict[str, str]: ...
    async def save(self, thumbprints: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class KeptThumbprints:
    """Thumbprints in an entry of the keyring."""

    secrets: Secrets
    name: str

    async def load(self) -> dict[str, str]:
        """What was seen, oldest first.

        Raises:
            WalletError: the entry is damaged.
        """
        entry = await self.secrets.get(self.name)
        found = {} if entry is None else _thumbprints_in(entry)
        if found is None:
            raise WalletError(
                f"The keyring's entry {self.name} of firmly-mcp is damaged. "
                "Delete it with the system's keyring program."
            )
        return found

    async def save(self, thumbprints: dict[str, str]) -> None:
        """Keep what was seen."""
        await self.secrets.set(self.name, SecretStr(json.dumps(thumbprints)))


async def check_pinned(key: PaymentKeyLike, seen: Thumbprints) -> bool:
    """Compare a payment key with what was seen before, and remember it. True when its id is new.

    Raises:
        UnexpectedAnswer: the key itself is refused, or this id stood for another key before.
    """
    name, found = f"{key.host.lower()} {checked_kid(key)}", thumbprint(key)
    known = await seen.load()
    if name not in known:
        await seen.save(dict([*known.items(), (name, found)][-_KEPT:]))
        return True
    if known[name] != found:
        raise UnexpectedAnswer(
            f"{key.host} gave another payment key under a key id that it has used before. Nothing was encrypted or "
            "sent: this can be an attack. Ask Firmly before you pay again."
        )
    return False


def _thumbprints_in(entry: SecretStr) -> dict[str, str] | None:
    try:
        return _ENTRY.validate_json(entry.get_secret_value())
    except ValidationError:
        return None
