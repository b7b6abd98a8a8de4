"""A journal that is missing, older or another one is noticed: its id and last number are also kept in the keyring.

Whoever puts an old journal in place of the new one, on purpose or by restoring a backup, would make limits forget what
was spent and orders forget that they were placed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from firmly_mcp.errors import NotAllowed, WalletError


class Kept(Protocol):
    """One text that outlives the journal's file."""

    async def load(self) -> str | None:
        """What was saved last; None when nothing was."""

    async def save(self, text: str) -> None:
        """Keep a text, and read it back."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which journal it is, and the number of its last attempt."""

    journal_id: str
    number: int

    def to_text(self) -> str:
        """As it is kept."""
        return json.dumps({"journal": self.journal_id, "last": self.number})

    @classmethod
    def from_text(cls, text: str | None) -> Mark | None:
        """From that form; None for what is none."""
        try:
            kept = json.loads(text or "null")
            return cls(str(kept["journal"]), int(kept["last"]))
        except (ValueError, TypeError, KeyError):
            return None


def kept_mark(text: str | None) -> Mark | None:
    """Return the mark that the keyring has; None where it has none.

    Raises:
        NotAllowed: it has something else, with which no journal can be compared.
    """
    mark = Mark.from_text(text)
    if text is not None and mark is None:
        raise NotAllowed(
            "The keyring's entry with the order journal's last number cannot be read, so the journal cannot be "
            "checked. Nothing was sent. Look through your orders with `firmly-mcp orders list`, then run `firmly-mcp "
            "orders accept-journal`.",
            next="firmly-mcp orders accept-journal",
        )
    return mark


def refuse_unless_continued(kept: Mark | None, found: Mark) -> None:
    """Compare the journal that is there with the one that was there last.

    Raises:
        NotAllowed: it is another one, or has lost attempts.
    """
    if kept is None:
        return
    if kept.journal_id != found.journal_id:
        problem = "is not the one that was used last: it is missing, new or another's"
    elif found.number < kept.number:
        problem = f"is older than it was: it ends at attempt {found.number}, and there were {kept.number}"
    else:
        return
    raise NotAllowed(
        f"The journal of orders {problem}, so limits and earlier orders cannot be trusted. Nothing was sent. Put the "
        "right file back, or run `firmly-mcp orders accept-journal` if you know why.",
        next="firmly-mcp orders accept-journal",
    )


async def keep(kept: Kept, mark: Mark) -> None:
    """Save a mark where another process may be saving its own at the same moment.

    Raises:
        WalletError: neither this mark nor a later one of the same journal is kept.
    """
    try:
        await kept.save(mark.to_text())
    except WalletError:
        # What was read back may be the number of an order that another process began meanwhile.
        there = Mark.from_text(await kept.load())
        if there is None or there.journal_id != mark.journal_id:
            raise
        if there.number < mark.number:
            await kept.save(mark.to_text())
