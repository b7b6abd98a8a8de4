"""Cards and addresses in the keyring, one entry each. A card's secrets come out only sealed.

Entries are keyed by environment and shopper, so a card pays only where it was added. Labels are found without regard
to upper and lower case; without a label the only entry is meant, or the default one.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from firmly_mcp.errors import AddressNotFound, AddressRefused, CardNotFound, CardRefused, WalletError
from firmly_mcp.system.locks import exclusive
from firmly_mcp.system.process import forbid_memory_dumps

from .addresses import Address, address_from
from .addresses import entry_of as entry_of_address
from .cards import TEST_ONLY, Card, CardSummary, card_from, expiry_problem, number_problem
from .cards import entry_of as entry_of_card
from .commands import CardCommand
from .entries import DamagedEntry, Entries, StoredValue, entry_name, label_key
from .jwe import ACCEPT, ComparedKey, Encryptor, PaymentKeyLike, PinnedKeys, accept, check_pinned, compare
from .keychain import Secrets
from .payment_cards import PaymentCards
from .pin import ApprovalProof, require_person
from .pin import ApprovalPin


class Wallet:
    """The cards and the address book of one shopper in one environment. A process that has one leaves no core file."""

    def __init__(
        self,
        keychain: Secrets,
        environment: str,
        shopper: str,
        lock_dir: Path,
        now: Callable[[], datetime],
        *,
        card_command: CardCommand | None = None,
        accept_key_command: str = ACCEPT,
    ) -> None:
        forbid_memory_dumps()
        self.environment = environment
        self.shopper = shopper
        self.now = now
        self.device_tokens = StoredValue(keychain, entry_name(environment, shopper, "device"))
        self.journal_mark = StoredValue(keychain, entry_name(environment, shopper, "journal"))
        self.acceptance = StoredValue(keychain, entry_name(environment, shopper, "accepted"))
        self._address_key = StoredValue(keychain, entry_name(environment, shopper, "address-key"))
        self._keychain = keychain
        self._accept_key_command = accept_key_command
        self._thumbprints = PinnedKeys(keychain, entry_name(environment, shopper, "payment-keys"))
        whose = quote(f"{environment} {shopper}", safe="")
        self._lock_path = lock_dir / f"wallet-{whose}.lock"
        self.pin = ApprovalPin(keychain, entry_name(environment, shopper, "pin"), lock_dir / f"pin-{whose}.lock", now)
        self._cards = Entries(keychain, environment, shopper, "card", "cards", self._own_card, _card_not_found)
        self._payment_cards = PaymentCards(self._cards, card_command)
        self._addresses = Entries(
            keychain, environment, shopper, "address", "addresses", address_from, _address_not_found
        )

    @property
    def description(self) -> str:
        """Where the cards are kept, for the person."""
        return self._keychain.description

    async def wants_pin(self) -> bool:
        """Whether to ask for an approval PIN with the next card: none is set, and it is the first or can pay."""
        if await self.pin.is_set():
            return False
        return self.environment not in TEST_ONLY or not (await self._cards.listing()).labels

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
            has_command = self._payment_cards.command is not None
            await self._cards.put(card.label, entry_of_card(card), default=default, others=has_command)
        return card.summary()

    async def cards(self) -> list[CardSummary]:
        """Every card that can be read, in the order they were added; `damaged_cards` tells of the others."""
        return (await self._payment_cards.summaries())[0]

    async def card_labels(self) -> Sequence[str]:
        """The labels of the keyring's cards; no card is read, and no command runs."""
        return (await self._cards.listing()).labels

    async def card_summary(self, label: str | None = None) -> CardSummary:
        """The card of this label, or the one that is meant without a label.

        Raises:
            CardNotFound: there is none; `known` has the labels that there are.
        """
        return await self._payment_cards.summary(label)

    async def remove_card(self, label: str) -> None:
        """Forget a card, also one whose entry is damaged.

        Raises:
            CardNotFound: as for `card_summary`.
        """
        async with self._lock():
            await self._cards.drop(await self._cards.known(label))

    async def default_card(self) -> str | None:
        """The label of the card that is meant when none is named; None where one has to be."""
        return await self._payment_cards.default()

    async def set_default_card(self, label: str) -> None:
        """Mean this card when none is named.

        Raises:
            CardNotFound: as for `card_summary`.
        """
        async with self._lock():
            await self._payment_cards.make_default(label)

    async def encryptor(self, label: str | None, cvv: SecretStr, payment_key: PaymentKeyLike) -> Encryptor:
        """Read and check all that a payment with this card needs; called, the result encrypts without any wait.

        Raises:
            CardNotFound: as for `card_summary`.
            CardRefused: it has expired, the security code's form is wrong, or the key is not of this environment.
            UnexpectedAnswer: the payment key is refused, or its id stood for another key before.
        """
        card = await self._payment_cards.card(label)
        problem = self._problem_with(card)
        if problem is not None:
            raise CardRefused(f"{problem} Nothing was sent.", next="add_payment_card")
        encrypt = Encryptor(card, cvv, payment_key, environment=self.environment)
        async with self._lock():
            await check_pinned(payment_key, self._thumbprints, self._accept_key_command)
        return encrypt

    async def payment_keys(self) -> dict[str, str]:
        """The thumbprints of the payment keys that were used, by `host kid`, oldest first; `doctor` shows them."""
        return await self._thumbprints.load()

    async def compare_payment_key(self, key: PaymentKeyLike) -> ComparedKey:
        """A payment key beside what its id stood for before; nothing is remembered.

        Raises:
            UnexpectedAnswer: the key itself is refused.
        """
        return await compare(key, self._thumbprints)

    async def accept_payment_key(self, key: PaymentKeyLike, proof: ApprovalProof) -> None:
        """Encrypt cards for this very key from now on, as a person says who asked Firmly about it.

        Raises:
            UnexpectedAnswer: the key itself is refused.
            PinRefused: the proof does not hold the PIN, which has to be set where money moves. Nothing was changed.
        """
        await require_person(proof, self.pin, needs_pin=self.environment != "simulator")
        async with self._lock():
            await accept(key, self._thumbprints)

    async def add_address(self, address: Address, *, default: bool = False) -> None:
        """Keep an address that a tool or a script gives: it replaces none, and an order to it asks a person first.

        Raises:
            AddressRefused: its label is taken, or it is marked as a person's own, which `add_own_address` alone keeps.
        """
        if address.origin == "person":
            raise AddressRefused("Only a person at a page or a terminal adds an address of their own.", field="origin")
        await self._put_address(address, replace=False, default=default)

    async def add_own_address(
        self, address: Address, proof: ApprovalProof, *, replace: bool = False, default: bool = False
    ) -> None:
        """Keep an address as the person's own, to which their rules may let an order go unasked.

        Raises:
            AddressRefused: its label is taken and `replace` is False.
            PinRefused: a PIN is set, and the proof does not hold it. Nothing was added.
        """
        if not replace and await self.has_address(address.label):
            raise AddressRefused(_taken(address.label, "addresses"), field="label")
        await require_person(proof, self.pin)
        own = address.model_copy(update={"origin": "person"})
        await self._put_address(own, replace=replace, default=default)

    async def _put_address(self, address: Address, *, replace: bool, default: bool) -> None:
        async with self._lock():
            if not replace and await self.has_address(address.label):
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

    async def accept_address(self, shipped_to: Address) -> None:
        """Take the entry that an order was shipped to as the person's own: they approved that order.

        An entry that stands under its label by now and is another one stays as it is.

        Raises:
            AddressNotFound: as for `address`.
        """
        async with self._lock():
            entry = await self._addresses.entry(await self._addresses.known(shipped_to.label))
            if entry == shipped_to and entry.origin != "person":
                own = entry.model_copy(update={"origin": "person"})
                await self._addresses.put(own.label, entry_of_address(own))

    async def address_key(self) -> bytes:
        """The key that turns an address into the hash by which the journal knows it; made when it is first needed."""
        key = await self._address_key.load()
        if key is None:
            async with self._lock():
                key = await self._address_key.load()
                if key is None:
                    key = secrets.token_hex(32)
                    await self._address_key.save(key)
        return key.encode()

    async def remove_address(self, label: str) -> None:
        """Forget an address, also one whose entry is damaged.

        Raises:
            AddressNotFound: as for `address`.
            WalletError: it is the billing address of a card.
        """
        async with self._lock():
            known = await self._addresses.known(label)
            payers = [card.label for card in (await self._cards.entries())[0] if _is_same(card.billing_address, known)]
            if payers:
                raise WalletError(f"{known} is the billing address of the card {payers[0]}: remove that first.")
            await self._addresses.drop(known)

    async def default_address(self) -> str | None:
        """The label of the address that is meant when none is named; None where one has to be."""
        return (await self._addresses.listing()).only_or_default()

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
        return (await self._payment_cards.summaries())[1]

    async def damaged_addresses(self) -> list[DamagedEntry]:
        """What is wrong with each address that cannot be read, and what to do."""
        return (await self._addresses.entries())[1]

    def attempt_tokens(self, attempt_id: str) -> StoredValue:
        """Where the token of an attempt's own device is kept while the attempt's outcome is in doubt."""
        return StoredValue(self._keychain, entry_name(self.environment, self.shopper, "device", attempt_id))

    async def forget_everything(self) -> None:
        """Delete all that is kept for this shopper in this environment: cards, addresses, device, PIN, keys seen."""
        async with self._lock():
            await self._cards.clear()
            await self._addresses.clear()
            await self.pin.forget()
            for kept in (self.device_tokens, self.journal_mark, self.acceptance, self._address_key):
                await kept.forget()
            await self._keychain.delete(self._thumbprints.name)

    def _own_card(self, entry: SecretStr) -> Card | None:
        card = card_from(entry)
        return card if card is not None and card.environment == self.environment else None

    def _problem_with(self, card: Card) -> str | None:
        if card.environment != self.environment:
            return f"The card was made for the {card.environment} environment; this is {self.environment}."
        return number_problem(card.number, self.environment) or expiry_problem(card.month, card.year, self.now())

    def _lock(self) -> AbstractAsyncContextManager[None]:
        """A list is read, changed and written as one."""
        return exclusive(self._lock_path)


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
