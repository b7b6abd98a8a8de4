"""The journal of orders: whether it is whole and the right one, and what in it waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from firmly_mcp.checkout.attempts import Attempt
from firmly_mcp.checkout.journal_look import NEWEST, Contents
from firmly_mcp.checkout.mark import kept_mark, refuse_unless_continued
from firmly_mcp.errors import NotAllowed

from .examined import Examined
from .findings import Finding, failed, ok, skipped, warning

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
    return f"{attempt.id}, {attempt.draft.total} at {attempt.draft.store}, {attempt.begun_at:%Y-%m-%d %H:%M} UTC"


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
