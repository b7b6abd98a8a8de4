"""One key id of one payment host never stands for two keys: the first thumbprint stays, until a person accepts another.

Firmly publishes no root for its payment key, so a renewed key under its old id and an attacker's look the same here.
The person asks Firmly, and accepts the key that they were shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import SecretStr, TypeAdapter, ValidationError

from firmly_mcp.errors import UnexpectedAnswer

from .keychain import Secrets
from .seal import PaymentKeyLike, checked_kid, thumbprint
from .shelf import DamagedEntry

# Old keys are forgotten first. A dozen fit into the smallest keyring entry there is.
_KEPT: Final = 10
_ENTRY: Final = TypeAdapter(dict[str, str])
ACCEPT: Final = "firmly-mcp orders accept-payment-key"


class Thumbprints(Protocol):
    """The thumbprints of the payment keys that were seen, by host and key id."""

    async def load(self) -> dict[str, str]: ...
    async def save(self, thumbprints: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class ComparedKey:
    """A payment key beside what its id stood for before: RFC 7638 thumbprints; None where the id was not used.

    `is_damaged`: what was used before cannot be read.
    """

    host: str
    kid: str
    before: str | None
    now: str
    is_damaged: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether no order goes before a person has accepted this key."""
        return self.is_damaged or self.before not in {None, self.now}


@dataclass(frozen=True, slots=True)
class KeptThumbprints:
    """Thumbprints in an entry of the keyring."""

    secrets: Secrets
    name: str

    async def load(self) -> dict[str, str]:
        """What was seen, oldest first.

        Raises:
            DamagedEntry: it cannot be read.
        """
        entry = await self.secrets.get(self.name)
        found = {} if entry is None else _thumbprints_in(entry)
        if found is None:
            raise DamagedEntry(
                f"The keyring's entry {self.name} of firmly-mcp is damaged, so the payment key cannot be compared with "
                f"earlier ones. No order was sent. Run `{ACCEPT}` in a terminal: it shows what to ask Firmly.",
                next=ACCEPT,
            )
        return found

    async def save(self, thumbprints: dict[str, str]) -> None:
        """Keep what was seen."""
        await self.secrets.set(self.name, SecretStr(json.dumps(thumbprints)))


async def compare(key: PaymentKeyLike, seen: Thumbprints) -> ComparedKey:
    """A payment key beside what was seen before. Nothing is remembered.

    Raises:
        UnexpectedAnswer: the key itself is refused.
    """
    kid, found = checked_kid(key), thumbprint(key)
    try:
        before = (await seen.load()).get(_name(key))
    except DamagedEntry:
        return ComparedKey(key.host, kid, None, found, is_damaged=True)
    return ComparedKey(key.host, kid, before, found)


async def accept(key: PaymentKeyLike, seen: Thumbprints) -> None:
    """Let this very key stand for its id from now on, as a person says.

    Raises:
        UnexpectedAnswer: the key itself is refused.
    """
    name, found = _name(key), thumbprint(key)
    try:
        known = await seen.load()
    except DamagedEntry:
        known = {}
    known.pop(name, None)
    await seen.save(dict([*known.items(), (name, found)][-_KEPT:]))


async def check_pinned(key: PaymentKeyLike, seen: Thumbprints, accept_command: str = ACCEPT) -> bool:
    """Compare a payment key with what was seen before, and remember it. True when its id is new.

    Raises:
        UnexpectedAnswer: the key itself is refused, or this id stood for another key before.
    """
    name, found = _name(key), thumbprint(key)
    known = await seen.load()
    if name not in known:
        await seen.save(dict([*known.items(), (name, found)][-_KEPT:]))
        return True
    if known[name] != found:
        raise UnexpectedAnswer(
            f"{key.host} gave another payment key under a key id that it has used before. No order was sent: this can "
            f"be an attack. The person asks Firmly whether {found} is its key's thumbprint (before: {known[name]}). If "
            f"it is, the person runs `{accept_command}` in a terminal.",
            next=accept_command,
        )
    return False


def _name(key: PaymentKeyLike) -> str:
    return f"{key.host.lower()} {checked_kid(key)}"


def _thumbprints_in(entry: SecretStr) -> dict[str, str] | None:
    try:
        return _ENTRY.validate_json(entry.get_secret_value())
    except ValidationError:
        return None
