"""The keyring: which one, whether it keeps what it is given, and what of this shopper's is in it. No secret shows."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import anyio
from pydantic import SecretStr

from firmly_mcp.checkout.journal.inspect import Contents, kept_mark, refuse_unless_continued
from firmly_mcp.checkout.journal.schema import NEWEST
from firmly_mcp.checkout.models import Attempt
from firmly_mcp.checkout.policy.acceptance import RULES, WHERE
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.errors import DamagedEntry, KeyringUnavailable, NotAllowed, SettingsError, WalletError
from firmly_mcp.settings import PAGES_AT, declared
from firmly_mcp.system.process import in_daemon_thread
from firmly_mcp.untrusted import clean
from firmly_mcp.wallet.entries import entry_name

from .findings import Examined, Finding, failed, ok, skipped, warning

_BUS: Final = "DBUS_SESSION_BUS_ADDRESS"

_CHOICE: Final = "PYTHON_KEYRING_BACKEND"


async def keyring(examined: Examined) -> Sequence[Finding]:
    """Whether an entry can be written, read and deleted. The person is not asked to unlock anything."""
    try:
        await _probe(examined)
    except KeyringUnavailable as unusable:
        return [failed("keyring", unusable.problem, unusable.fix)]
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


# The journal of orders: whether it is whole and the right one, and what in it waits for a person.

# Clocks of machines that are kept in time differ by less.
_AHEAD: Final = timedelta(seconds=60)

_SHOWN: Final = 5


async def journal(examined: Examined) -> Sequence[Finding]:
    """Whether it can be read, what is in doubt, which cards are locked, and whether time went backwards."""
    try:
        look = await examined.journal()
    except NotAllowed as error:
        return [failed("journal", error.message, _restore(examined))]
    if look is None:
        return [ok("journal", "There is none yet: the first order makes it.")]
    if look.version > NEWEST:
        said = f"A newer version of firmly-mcp wrote it (tables {look.version}, this one knows {NEWEST})."
        return [failed("journal", said, "pip install --upgrade firmly-mcp")]
    if look.contents is None:
        return [ok("journal", f"Its tables are of version {look.version}; the next order brings them to {NEWEST}.")]
    contents = look.contents
    said = f"Whole: tables of version {look.version}, journal {contents.mark.journal_id[:8]}"
    said += f", last attempt {contents.mark.number}."
    return [ok("journal", said), *_doubts(examined, contents), *_locks(examined, contents), *_time(examined, contents)]


def _doubts(examined: Examined, contents: Contents) -> Sequence[Finding]:
    if not contents.in_doubt:
        return [ok("doubts", "No order is in doubt.")]
    listed = "; ".join(_in_words(attempt) for attempt in contents.in_doubt[:_SHOWN])
    more = len(contents.in_doubt) - _SHOWN
    said = f"Nobody knows yet how these ended: {listed}{f'; and {more} more' if more > 0 else ''}."
    return [warning("doubts", said, examined.command("orders", "settle"))]


def _in_words(attempt: Attempt) -> str:
    return f"{attempt.id}, {attempt.total} at {attempt.store}, {attempt.begun_at:%Y-%m-%d %H:%M} UTC"


def _locks(examined: Examined, contents: Contents) -> Sequence[Finding]:
    return [
        warning(
            "card locks",
            f"{label} is locked after two declined payments within an hour.",
            examined.command("cards", "unlock", label),
        )
        for label in contents.locked_cards
    ] or [ok("card locks", "No card is locked.")]


def _time(examined: Examined, contents: Contents) -> Sequence[Finding]:
    behind = contents.time - examined.now()
    if behind <= _AHEAD:
        return []
    seconds = behind.total_seconds()
    said = f"This machine's clock is {seconds:.0f} s before the newest attempt. Limits go by the later time."
    return [failed("journal time", said, "Set the clock right, such as with `timedatectl set-ntp true`.")]


async def journal_mark(examined: Examined) -> Sequence[Finding]:
    """Whether it is the journal that the keyring knows, with every attempt that the keyring counted."""
    text = await examined.vault.journal_mark.load()
    try:
        kept = kept_mark(text)
        look = await examined.journal()
        if look is not None and look.contents is None:
            return [skipped("journal mark", "The journal's tables are of another version.")]
        here = None if look is None else look.contents
        if here is not None:
            refuse_unless_continued(kept, here.mark)
    except NotAllowed as error:
        return [failed("journal mark", error.message, _accept(examined))]
    if here is None and kept is not None:
        said = f"The journal is missing: the keyring counted {kept.number} attempts. Orders are refused."
        return [failed("journal mark", said, _accept(examined))]
    return [ok("journal mark", "The keyring and the journal agree." if kept else "The first order will set it.")]


def _accept(examined: Examined) -> str:
    return f"Put the right file back at {examined.journal_path}, or: {examined.command('orders', 'accept-journal')}"


def _restore(examined: Examined) -> str:
    return f"Put a backup of {examined.journal_path} back, then: {examined.command('orders', 'accept-journal')}"


# The rules and the settings that move money: whether they can be read, and whether a person accepted them.


async def rules(examined: Examined) -> Sequence[Finding]:
    """Whether the rules file is there and makes sense."""
    path = examined.settings.rules_file
    try:
        text = (await in_daemon_thread(lambda: declared(examined.settings)))[RULES]
        written = read_rules(text)
    except SettingsError as error:
        return [failed("rules", error.message, f"Correct {path}, then: {examined.command('rules', 'check')}")]
    if not text.strip():
        return [ok("rules", f"None are written in {path}: every order asks a person.")]
    if remarks := await examined.here.remarks(written):
        return [
            warning("rules", f"{path} can be read. {' '.join(remarks)}", f"Correct {path} where this is no intent.")
        ]
    return [ok("rules", f"{path} can be used.")]


async def accepted(examined: Examined) -> Sequence[Finding]:
    """Whether a person accepted what moves money, as it is now."""
    try:
        unaccepted = (await examined.accepted.standing()).unaccepted
    except SettingsError:
        return [skipped("accepted", "The rules cannot be read.")]
    fix = examined.command("rules", "accept")
    if not unaccepted and not examined.moves_money:
        return [ok("accepted", "On the simulator no money moves, and everything counts as it stands.")]
    if not unaccepted:
        return [ok("accepted", "All of the rules and settings that move money.")]
    if stops := [name for name in unaccepted if name in WHERE]:
        said = f"Nobody accepted {', '.join(stops)} as now written, so no order can be placed."
        return [failed("accepted", said, fix)]
    if set(unaccepted) <= set(PAGES_AT):
        said = f"Not accepted: {', '.join(unaccepted)}. The pages are at this machine's own address until then."
        return [warning("accepted", said, fix)]
    said = f"Nobody accepted {', '.join(unaccepted)} as now written, so nothing goes without asking."
    return [warning("accepted", said, fix)]


async def commands(examined: Examined) -> Sequence[Finding]:
    """Whether the programs of `cvv_command` and `card_command` are there, and nobody else's to change. None is run."""
    return await in_daemon_thread(lambda: list(_commands(examined)))


def _commands(examined: Examined) -> Iterator[Finding]:
    for name in ("cvv_command", "card_command"):
        command: tuple[str, ...] = getattr(examined.settings, name)
        if not command:
            continue
        found = shutil.which(command[0], path=examined.environ.get("PATH"))
        if found is None:
            yield failed(name, f"{command[0]} is not there or cannot be run.", f"Correct {name} in config.toml.")
        elif _others_can_write(Path(found)):
            yield failed(name, f"Others can change {found}, which is run for you.", f"chmod go-w {found}")
        else:
            yield ok(name, f"{found} is there; it runs when an order needs it.")


def _others_can_write(program: Path) -> bool:
    return os.name != "nt" and bool(program.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))
