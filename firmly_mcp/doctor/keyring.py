"""The keyring: which one, whether it keeps what it is given, and what of this shopper's is in it. No secret shows."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from typing import Final

import anyio
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.store_text import clean
from firmly_mcp.wallet.backends import KeyringUnusable
from firmly_mcp.wallet.shelf import DamagedEntry, entry_name

from .examined import Examined
from .findings import Finding, failed, ok, warning

_BUS: Final = "DBUS_SESSION_BUS_ADDRESS"
_CHOICE: Final = "PYTHON_KEYRING_BACKEND"


async def keyring(examined: Examined) -> Sequence[Finding]:
    """Whether an entry can be written, read and deleted. The person is not asked to unlock anything."""
    try:
        await _probe(examined)
    except KeyringUnusable as unusable:
        return [failed("keyring", unusable.what, unusable.remedy)]
    except WalletError as error:
        return [failed("keyring", error.message, "Unlock or restart the keyring, then run this again.")]
    found = f"{examined.keychain.description}{_where(examined)} kept an entry, gave it back and forgot it."
    return [ok("keyring", found), *_choice(examined)]


async def _probe(examined: Examined) -> None:
    name = entry_name("doctor", secrets.token_hex(8))
    await examined.keychain.set(name, SecretStr(secrets.token_hex(16)))
    with anyio.CancelScope(shield=True):
        await examined.keychain.delete(name)


def _where(examined: Examined) -> str:
    if sys.platform != "linux":
        return ""
    named = examined.environ.get(_BUS)
    return f", on the bus {clean(named)}," if named else f", on this user's own bus ({_BUS} is not set),"


def _choice(examined: Examined) -> Sequence[Finding]:
    if not examined.environ.get(_CHOICE):
        return []
    said = f"{_CHOICE} is set and not used: cards go only into keyrings that encrypt."
    return [warning("keyring choice", said, f"unset {_CHOICE}")]


async def pin(examined: Examined) -> Sequence[Finding]:
    """Whether there is an approval PIN, and what it holds off."""
    if await examined.vault.pin.is_set():
        return [ok("pin", "An approval PIN is set: no program can give a yes without it.")]
    fix = examined.command("pin", "set")
    if examined.moves_money:
        return [failed("pin", "No approval PIN is set, so no order can be placed here.", fix)]
    said = "No approval PIN is set; the simulator orders without one, and a program with a pseudo-terminal can say yes."
    return [warning("pin", said, fix)]


async def cards(examined: Examined) -> Sequence[Finding]:
    """The cards by label and expiry."""
    vault, now = examined.vault, examined.now()
    found, damaged = await vault.cards(), await vault.damaged_cards()
    if damaged:
        return [failed("cards", damage.message, examined.command("cards", "list")) for damage in damaged]
    if not found:
        return _no_card(examined)
    listed = ", ".join(f"{card.label} (until {card.month}/{card.year})" for card in found)
    expired = [card.label for card in found if card.is_expired(now)]
    if expired:
        said = f"{listed}. Expired: {', '.join(expired)}."
        return [warning("cards", said, examined.command("cards", "remove", expired[0]))]
    return [ok("cards", f"{len(found)}: {listed}.")]


def _no_card(examined: Examined) -> Sequence[Finding]:
    if examined.settings.card_command:
        return [ok("cards", "None in the keyring; card_command prints one when an order needs it.")]
    return [warning("cards", "There is no card to pay with yet.", examined.command("cards", "add"))]


async def addresses(examined: Examined) -> Sequence[Finding]:
    """How many addresses there are; where they lead is not shown."""
    vault = examined.vault
    found, damaged = await vault.addresses(), await vault.damaged_addresses()
    if damaged:
        return [failed("addresses", damage.message, examined.command("addresses", "list")) for damage in damaged]
    if not found:
        return [warning("addresses", "The address book is empty.", examined.command("addresses", "add"))]
    return [ok("addresses", f"{len(found)}: {', '.join(address.label for address in found)}.")]


async def payment_keys(examined: Examined) -> Sequence[Finding]:
    """The payment keys that cards were encrypted for. A host that shows a new one is seen here."""
    try:
        seen = await examined.vault.payment_keys()
    except DamagedEntry as error:
        return [failed("payment keys", error.message, examined.command("orders", "accept-payment-key"))]
    if not seen:
        return [ok("payment keys", "None was used yet; the first one is remembered.")]
    by_host: dict[str, list[tuple[str, str]]] = {}
    for name, print_of_key in seen.items():
        host, _, kid = name.partition(" ")
        by_host.setdefault(host, []).append((kid, print_of_key))
    return [ok("payment keys", f"{'; '.join(_keys(host, keys) for host, keys in by_host.items())}.")]


def _keys(host: str, keys: Sequence[tuple[str, str]]) -> str:
    """The keys of one host, oldest first, each by its id and RFC 7638 thumbprint."""
    kid, print_of_key = keys[-1]
    newest = f"{clean(kid)}, thumbprint {clean(print_of_key)}"
    return f"{clean(host)} showed {f'{len(keys)} keys, the newest' if len(keys) > 1 else 'one key'}: {newest}"
