"""The cards that there are to pay with: those of the keyring, and the one that the operator's command prints.

A card of the keyring is found without running the command. Labels are told apart without regard to upper and lower
case; where both have one, the keyring's is meant. Without a label it is the first card, until a person says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmly_mcp.errors import CardNotFound, FirmlyError

from .cards import Card, CardSummary
from .commands import CardCommand
from .entries import DamagedEntry, Entries, label_key


@dataclass(frozen=True, slots=True)
class PaymentCards:
    """Cards by their labels. `command` is None where no setting names one."""

    kept: Entries[Card]
    command: CardCommand | None

    async def summaries(self) -> tuple[list[CardSummary], list[DamagedEntry]]:
        """Every card that there is now, the command's last, and what is wrong with the others."""
        cards, bad = await self.kept.entries()
        good = [card.summary() for card in cards]
        if self.command is not None:
            try:
                printed = await self.command.summary()
            except FirmlyError as problem:
                bad.append(DamagedEntry(problem.message))
            else:
                taken = {label_key(label) for label in (await self.kept.listing()).labels}
                good += [] if label_key(printed.label) in taken else [printed]
        return good, bad

    async def summary(self, label: str | None) -> CardSummary:
        """The card that is meant, without its secrets.

        Raises:
            CardNotFound: there is none of this label, or several and none is named; `known` has the labels there are.
            NotAllowed, WalletError: it may be the command's, and that cannot be asked.
        """
        kept = await self._kept_label(label)
        return await self._printed(label) if kept is None else (await self.kept.entry(kept)).summary()

    async def card(self, label: str | None) -> Card:
        """The card that is meant, to be sealed at once.

        Raises:
            CardNotFound, NotAllowed, WalletError: as for `summary`.
        """
        kept = await self._kept_label(label)
        if kept is not None:
            return await self.kept.entry(kept)
        await self._printed(label)
        assert self.command is not None
        return await self.command.card()

    async def default(self) -> str | None:
        """The label of the card that is meant when none is named; None where one has to be, or the command fails."""
        listing = await self.kept.listing()
        if self.command is None:
            return listing.only_or_default()
        if listing.labels and not listing.default_is_outside:
            return listing.default
        try:
            return (await self.command.summary()).label
        except FirmlyError:
            return None

    async def make_default(self, label: str) -> None:
        """Mean this card when none is named; the caller holds the lock.

        Raises:
            CardNotFound, NotAllowed, WalletError: as for `summary`.
        """
        kept = await self._kept_label(label)
        if kept is None:
            await self._printed(label)
        await self.kept.make_default(kept)

    async def _kept_label(self, label: str | None) -> str | None:
        """The keyring's card that is meant; None where only the command's may be."""
        listing = await self.kept.listing()
        found = listing.default if label is None else listing.find(label)
        return found if found is not None or self.command is not None else await self.kept.known(label)

    async def _printed(self, label: str | None) -> CardSummary:
        """The command's card, if that is the one that is meant."""
        assert self.command is not None
        printed, listing = await self.command.summary(), await self.kept.listing()
        is_first = not listing.labels or listing.default_is_outside
        if is_first if label is None else label_key(label) == label_key(printed.label):
            return printed
        known = (*listing.labels, printed.label)
        said = (
            "more than one card and no default one. Name one of"
            if label is None
            else "no card of this label. There are"
        )
        raise CardNotFound(f"There is {said}: {', '.join(known)}.", known=known)
