"""Cards and addresses in the keyring, one entry each. A card's secrets come out only sealed.

Entries are keyed by environment and shopper, so a card pays only where it was added. Labels are found without regard
to upper and lower case; without a label the only entry is meant, or the default one.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from filelock import AsyncFileLock, Timeout
from pydantic import SecretStr

from firmly_mcp.errors import AddressNotFound, AddressRefused, CardNotFound, CardRefused, WalletError

from .addresses import Address, address_from
from .addresses import entry_of as entry_of_address
from .cards import Card, CardSummary, card_from, expiry_problem, number_problem
from .cards import entry_of as entry_of_card
from .keychain import Secrets
from .pins import KeptThumbprints, check_pinned
from .plain_text import label_key
from .seal import PaymentKeyLike, seal
from .shelf import DamagedEntry, Shelf, entry_name

__all__ = ["CardSummary", "KeptText", "Vault"]

_LOCK_SECONDS: Final = 20.0


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


class Vault:
    """The cards and the address book of one shopper in one environment."""

    def __init__(
        self, keychain: Secrets, environment: str, shopper: str, lock_dir: Path, now: Callable[[], datetime]
    ) -> None:
        self.environment = environment
        self.shopper = shopper
        self.now = now
        self.device_tokens = KeptText(keychain, entry_name(environment, shopper, "device"))
        self.journal_mark = KeptText(keychain, entry_name(environment, shopper, "journal"))
        self._keychain = keychain
        self._thumbprints = KeptThumbprints(keychain, entry_name(environment, shopper, "payment-keys"))
        self._lock_path = lock_dir / f"wallet-{quote(f'{environment} {shopper}', safe='')}.lock"
        self._cards = Shelf(keychain, environment, shopper, "card", "cards", self._own_card, _card_not_found)
        self._addresses = Shelf(
            keychain, environment, shopper, "address", "addresses", address_from, _address_not_found
        )

    @property
    def description(self) -> str:
        """Where the cards are kept, for the person."""
        return self._keychain.description

    async def add_card(self, card: Card, *, replace: bool = False, default: bool = False) -> CardSummary:
        """Keep a card.

        Raises:
            CardRefused: it is of another environment, has expired, or its label is taken and `replace` is False.
            AddressNotFound: its billing address is not in the book.
        """
        problem = self._problem_with(card)
        if problem is not None:
            raise CardRefused(problem)
        async with self._lock():
            if not replace and await self.has_card(card.label):
                raise CardRefused(_taken(card.label, "cards"))
            if card.billing_address is not None:
                await self._addresses.known(card.billing_address)
            await self._cards.put(card.label, entry_of_card(card), default=default)
        return card.summary()

    async def cards(self) -> list[CardSummary]:
        """Every card that can be read, in the order they were added; `damaged_cards` tells of the others."""
        return [card.summary() for card in (await self._cards.entries())[0]]

    async def card_summary(self, label: str | None = None) -> CardSummary:
        """The card of this label, or the one that is meant without a label.

        Raises:
            CardNotFound: there is none; `known` has the labels that there are.
        """
        return (await self._cards.entry(await self._cards.known(label))).summary()

    async def remove_card(self, label: str) -> None:
        """Forget a card, also one whose entry is damaged.

        Raises:
            CardNotFound: as for `card_summary`.
        """
        async with self._lock():
            await self._cards.drop(await self._cards.known(label))

    async def set_default_card(self, label: str) -> None:
        """Mean this card when none is named.

        Raises:
            CardNotFound: as for `card_summary`.
        """
        async with self._lock():
            await self._cards.make_default(await self._cards.known(label))

    async def seal(self, label: str | None, cvv: SecretStr, payment_key: PaymentKeyLike) -> SecretStr:
        """The card of this label with its security code as a JWE for Firmly: a new one every time, kept nowhere.

        Raises:
            CardNotFound: as for `card_summary`.
            CardRefused: it has expired, the security code's form is wrong, or the key is not of this environment.
            UnexpectedAnswer: the payment key is refused, or its id stood for another key before.
        """
        card = await self._cards.entry(await self._cards.known(label))
        problem = self._problem_with(card)
        if problem is not None:
            raise CardRefused(f"{problem} Nothing was sent.", next="add_payment_card")
        sealed = seal(card, cvv, payment_key, environment=self.environment)
        async with self._lock():
            await check_pinned(payment_key, self._thumbprints)
        return sealed

    async def payment_keys(self) -> dict[str, str]:
        """The thumbprints of the payment keys that were used, by `host kid`, oldest first; `doctor` shows them."""
        return await self._thumbprints.load()

    async def add_address(self, address: Address, *, replace: bool = False, default: bool = False) -> None:
        """Keep an address.

        Raises:
            AddressRefused: its label is taken and `replace` is False, or a tool's would replace a person's.
        """
        async with self._lock():
            may_replace = replace and address.origin == "person"
            if not may_replace and await self.has_address(address.label):
                raise AddressRefused(_taken(address.label, "addresses"), field="label")
            await self._addresses.put(address.label, entry_of_address(address), default=default)

    async def addresses(self) -> list[Address]:
        """Every address that can be read, in the order they were added; `damaged_addresses` tells of the others."""
        return (await self._addresses.entries())[0]

    async def address(self, label: str | None = None) -> Address:
        """The address of this label, or the one that is meant without a label.

        Raises:
            AddressNotFound: there is none; `known` has the labels that there are.
        """
        return await self._addresses.entry(await self._addresses.known(label))

    async def accept_address(self, label: str) -> None:
        """Take an address that came through a tool as the person's own: they approved an order to it.

        Raises:
            AddressNotFound: as for `address`.
        """
        async with self._lock():
            entry = await self._addresses.entry(await self._addresses.known(label))
            if entry.origin != "person":
                own = entry.model_copy(update={"origin": "person"})
                await self._addresses.put(own.label, entry_of_address(own))

    async def remove_address(self, label: str) -> None:
        """Forget an address, also one whose entry is damaged.

        Raises:
            AddressNotFound: as for `address`.
            WalletError: it is the billing address of a card.
        """
        async with self._lock():
            known = await self._addresses.known(label)
            payers = [card.label for card in await self.cards() if _is_same(card.billing_address, known)]
            if payers:
                raise WalletError(f"{known} is the billing address of the card {payers[0]}: remove that first.")
            await self._addresses.drop(known)

    async def set_default_address(self, label: str) -> None:
        """Mean this address when none is named.

        Raises:
            AddressNotFound: as for `address`.
        """
        async with self._lock():
            await self._addresses.make_default(await self._addresses.known(label))

    async def has_card(self, label: str) -> bool:
        """Whether this label is taken, be its entry damaged or not."""
        return (await self._cards.listing()).find(label) is not None

    async def has_address(self, label: str) -> bool:
        """Whether this label is taken, be its entry damaged or not."""
        return (await self._addresses.listing()).find(label) is not None

    async def damaged_cards(self) -> list[DamagedEntry]:
        """What is wrong with each card that cannot be read, and what to do."""
        return (await self._cards.entries())[1]

    async def damaged_addresses(self) -> list[DamagedEntry]:
        """What is wrong with each address that cannot be read, and what to do."""
        return (await self._addresses.entries())[1]

    async def damaged(self) -> list[DamagedEntry]:
        """What is wrong with each entry that cannot be read, and what to do."""
        return await self.damaged_cards() + await self.damaged_addresses()

    def attempt_tokens(self, attempt_id: str) -> KeptText:
        """Where the token of an attempt's own device is kept while the attempt's outcome is in doubt."""
        return KeptText(self._keychain, entry_name(self.environment, self.shopper, "device", attempt_id))

    async def forget_everything(self) -> None:
        """Delete all that is kept for this shopper in this environment: cards, addresses, the device, the keys seen."""
        async with self._lock():
            await self._cards.clear()
            await self._addresses.clear()
            for name in (self.device_tokens.name, self._thumbprints.name, self.journal_mark.name):
                await self._keychain.delete(name)

    def _own_card(self, entry: SecretStr) -> Card | None:
        card = card_from(entry)
        return card if card is not None and card.environment == self.environment else None

    def _problem_with(self, card: Card) -> str | None:
        if card.environment != self.environment:
            return f"The card was made for the {card.environment} environment; this is {self.environment}."
        return number_problem(card.number, self.environment) or expiry_problem(card.month, card.year, self.now())

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        """One change at a time, across processes: a list is read, changed and written as one."""
        self._lock_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = AsyncFileLock(self._lock_path, timeout=_LOCK_SECONDS, mode=0o600, run_in_executor=False)
        try:
            await lock.acquire()
        except Timeout:
            lock_free = False
        else:
            lock_free = True
        if not lock_free:
            raise WalletError(
                "Another firmly-mcp has been changing the wallet for a while: is it waiting for the keyring?"
            )
        try:
            yield
        finally:
            await lock.release()


def _card_not_found(message: str, known: Sequence[str]) -> CardNotFound:
    return CardNotFound(message, known=known)


def _address_not_found(message: str, known: Sequence[str]) -> AddressNotFound:
    return AddressNotFound(message, known=known)


def _taken(label: str, command: str) -> str:
    kind = {"cards": "a card", "addresses": "an address"}[command]
    return (
        f"There is {kind} of the label {label} already, and it was not replaced. Choose another label, or remove it "
        f"first with `firmly-mcp {command} remove {shlex.quote(label)}`."
    )


def _is_same(label: str | None, other: str) -> bool:
    return label is not None and label_key(label) == label_key(other)
