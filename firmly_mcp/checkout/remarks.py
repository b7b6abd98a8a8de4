"""What readable rules may hold that guards nothing: a label of no card, a store never seen here, a yes without a code.

`rules check`, `rules show`, `rules accept` and `doctor` all show this one result.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from firmly_mcp.errors import FirmlyError
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.entries import label_key
from firmly_mcp.wallet.wallet import Wallet

from .journal.inspect import stores_in
from .policy.evaluate import WINDOWS
from .policy.rules import Limits, Rules, in_quotes


@dataclass(frozen=True, slots=True)
class Here:
    """One shopper's installation: what rules are compared with."""

    settings: Settings
    vault: Wallet
    journal_path: Path

    async def remarks(self, rules: Rules) -> tuple[str, ...]:
        """What about these rules wants a look. The keyring and the journal are read only if the rules name their like.

        Neither is made, changed or waited for longer than the vault waits.
        """
        cards = await self._cards() if any(limits.cards for limits in rules.limits.values()) else ()
        stores = await self._stores() if any(_stores_named(rules)) else ()
        return (
            *_about_cards(rules, cards, others=bool(self.settings.card_command)),
            *_about_stores(rules, stores),
            *([] if self.settings.cvv_command else _about_codes(rules)),
        )

    async def _cards(self) -> Sequence[str] | None:
        try:
            return await self.vault.card_labels()
        except FirmlyError:
            return None

    async def _stores(self) -> Collection[str] | None:
        owner = {"environment": self.settings.environment, "shopper": self.settings.shopper}
        try:
            return await anyio.to_thread.run_sync(stores_in, self.journal_path, owner)
        except FirmlyError:
            return None


def _about_cards(rules: Rules, known: Sequence[str] | None, *, others: bool) -> Iterator[str]:
    if known is None:
        yield "The card labels were not compared with your cards: the keyring cannot be read."
        return
    keys = {label_key(label) for label in known}
    for currency, limits in rules.limits.items():
        for label in limits.cards:
            if label_key(label) not in keys:
                unless = " unless it is the one that card_command prints" if others else ""
                place = f"{currency}.cards.{in_quotes(label)}"
                yield f"{place}: no card has this label, so it limits nothing{unless}{_meant(label, known)}."


def _about_stores(rules: Rules, seen: Collection[str] | None) -> Iterator[str]:
    if seen is None:
        yield "The stores were not compared with earlier orders: the journal cannot be read."
        return
    for place, store in _stores_named(rules):
        if store not in seen:
            yield f"{place}: {store} was not seen here yet{_meant(store, seen)}. Check its spelling."


def _about_codes(rules: Rules) -> Iterator[str]:
    if any(_may_allow(limits, *limits.stores.values(), *limits.cards.values()) for limits in rules.limits.values()):
        yield (
            "They let orders go unasked, and no cvv_command is set that prints the card's security code: every order "
            "asks a person."
        )


def _may_allow(*tables: Limits) -> bool:
    over_time = [f"ask_above_a_{window}" for window in WINDOWS]
    one = any(table.ask_above is not None for table in tables)
    return one and any(getattr(table, name) is not None for table in tables for name in over_time)


def _stores_named(rules: Rules) -> Iterator[tuple[str, str]]:
    """Every store that the rules name, each with the place where it stands."""
    for currency, limits in rules.limits.items():
        for store in limits.stores:
            yield f"{currency}.stores.{in_quotes(store)}", store
    stores = rules.stores
    lists = (("allowed", stores.allowed), ("refused", stores.refused), ("without_asking", stores.without_asking))
    for name, named in lists:
        for store in named or ():
            yield f"stores.{name}", store


def _meant(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""
