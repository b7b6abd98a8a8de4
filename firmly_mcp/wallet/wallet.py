"""Cards and addresses in the keyring, one entry each. A card's secrets leave only in a JWE.

Entries are keyed by owner, so a card pays only in the environment that it was added for. Labels are compared without
regard to case; without a label the only entry is meant, or the default one. The first card stays the default until a
person chooses another. The operator's `card_command` may print one more card; a card of the keyring with the same
label has precedence, and is found without running the command.
"""

from __future__ import annotations

import secrets as randomness
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from firmly_mcp.errors import (
    AddressNotFound,
    AddressRefused,
    CardNotFound,
    CardRefused,
    DamagedEntry,
    FirmlyError,
    WalletError,
)
from firmly_mcp.settings import Owner
from firmly_mcp.system.process import forbid_memory_dumps

from .addresses import Address, address_from
from .addresses import entry_of as entry_of_address
from .cards import TEST_ONLY, Card, CardSummary, card_from, expiry_problem, number_problem
from .cards import entry_of as entry_of_card
from .commands import CardCommand
from .entries import Contents, Entries, StoredValue, entry_name, label_key
from .jwe import ACCEPT, ComparedKey, Encryptor, PaymentKeyLike, PinnedKeys
from .keychain import Secrets, exclusive
from .pin import ApprovalPin, ApprovalProof, require_person


class Wallet:
    """The cards and the address book of one owner. A process that has one writes no core file."""

    def __init__(
        self,
        secrets: Secrets,
        owner: Owner,
        lock_dir: Path,
        now: Callable[[], datetime],
        *,
        card_command: CardCommand | None = None,
        accept_key_command: str = ACCEPT,
    ) -> None:
        forbid_memory_dumps()
        self.owner = owner
        self.environment = owner.environment
        self.now = now
        self._secrets = secrets
        self._card_command = card_command
        file_name = quote(f"{owner.environment} {owner.shopper}", safe="")
        self._lock_path = lock_dir / f"wallet-{file_name}.lock"
        self.device_tokens = self._value("device")
        self.journal_mark = self._value("journal")
        self.acceptance = self._value("accepted")
        self._address_key_entry = self._value("address-key")
        self._address_key: bytes | None = None
        self._pinned_keys = PinnedKeys(secrets, self._name("payment-keys"), accept_key_command)
        self.pin = ApprovalPin(secrets, self._name("pin"), lock_dir / f"pin-{file_name}.lock", now)
        self._cards = Entries(secrets, owner, "card", "cards", self._own_card, CardNotFound)
        self._addresses = Entries(secrets, owner, "address", "addresses", address_from, AddressNotFound)

    @property
    def description(self) -> str:
        """Where the cards are kept, for the person."""
        return self._secrets.description

    async def wants_pin(self) -> bool:
        """Whether to ask for an approval PIN with the next card: none is set, and it is the first or can pay."""
        if await self.pin.is_set():
            return False
        return self.environment not in TEST_ONLY or not await self.card_labels()

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
            has_command = self._card_command is not None
            await self._cards.put(card.label, entry_of_card(card), default=default, others=has_command)
        return card.summary()

    async def cards(self) -> list[CardSummary]:
        """Every card that can be read, in the order they were added, the command's last."""
        return (await self._all_cards())[0]

    async def damaged_cards(self) -> list[DamagedEntry]:
        """What is wrong with each card that cannot be read, and what to do."""
        return (await self._all_cards())[1]

    async def card_labels(self) -> Sequence[str]:
        """The labels of the keyring's cards; no card is read, and no command runs."""
        return (await self._cards.index()).labels

    async def card_summary(self, label: str | None = None) -> CardSummary:
        """The card of this label, or the one that is meant without a label.

        Raises:
            CardNotFound: no card has this label, or several exist and none is named; `known` has the labels.
            NotAllowed, WalletError: it may be the command's, and that cannot be run.
        """
        found = await self._find_card(label)
        return found if isinstance(found, CardSummary) else (await self._cards.entry(found)).summary()

    async def remove_card(self, label: str) -> None:
        """Forget a card, also one whose entry is damaged. Raises CardNotFound as `card_summary`."""
        async with self._lock():
            await self._cards.drop(await self._cards.known(label))

    async def default_card(self) -> str | None:
        """The label of the card that is meant when none is named; None where one has to be, or the command fails."""
        index = await self._cards.index()
        if self._card_command is None:
            return index.only_or_default()
        if index.labels and not index.default_is_outside:
            return index.default
        try:
            return (await self._card_command.summary()).label
        except FirmlyError:
            return None

    async def set_default_card(self, label: str) -> None:
        """Mean this card when none is named. Raises as `card_summary`."""
        async with self._lock():
            found = await self._find_card(label)
            await self._cards.make_default(None if isinstance(found, CardSummary) else found)

    async def encryptor(self, label: str | None, cvv: SecretStr, payment_key: PaymentKeyLike) -> Encryptor:
        """Read and check all that a payment with this card needs; called, the result encrypts without any wait.

        The card of a label is read afresh and without the index: the label was resolved when the card was shown.

        Raises:
            CardNotFound, NotAllowed, WalletError: as `card_summary`.
            CardRefused: it has expired, the security code's form is wrong, or the key is not of this environment.
            UnexpectedAnswer: the payment key is refused, or its id stood for another key before.
        """
        card = await self._card(label)
        problem = self._problem_with(card)
        if problem is not None:
            raise CardRefused(f"{problem} Nothing was sent.", next="add_payment_card")
        encrypt = Encryptor(card, cvv, payment_key, environment=self.environment)
        async with self._lock():
            await self._pinned_keys.check(payment_key)
        return encrypt

    async def payment_keys(self) -> dict[str, str]:
        """The thumbprints of the payment keys that were used, by `host kid`, oldest first; `doctor` shows them."""
        return await self._pinned_keys.load()

    async def check_payment_key(self, key: PaymentKeyLike) -> bool:
        """Compare a payment key as `encryptor` does, and remember nothing; True if its id is new."""
        return await self._pinned_keys.check(key, remember=False)

    async def compare_payment_key(self, key: PaymentKeyLike) -> ComparedKey:
        """Compare a payment key for the person who decides about it. Raises UnexpectedAnswer for the key itself."""
        return await self._pinned_keys.compare(key)

    async def accept_payment_key(self, key: PaymentKeyLike, proof: ApprovalProof) -> None:
        """Encrypt cards for this very key from now on: the person asked Firmly about it.

        Raises:
            UnexpectedAnswer: the key itself is refused.
            PinRefused: the proof does not hold the PIN, which has to be set where money moves. Nothing was changed.
        """
        await require_person(proof, self.pin, needs_pin=self.environment != "simulator")
        async with self._lock():
            await self._pinned_keys.accept(key)

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
            PinRefused: the proof does not hold the PIN that is set. Nothing was added.
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

    async def address_book(self) -> Contents[Address]:
        """All addresses as they are now, each read once."""
        return await self._addresses.read_all()

    async def addresses(self) -> list[Address]:
        """Every address that can be read, in the order they were added; `damaged_addresses` has the others."""
        return (await self.address_book()).good

    async def damaged_addresses(self) -> list[DamagedEntry]:
        """What is wrong with each address that cannot be read, and what to do."""
        return (await self.address_book()).damaged

    async def address(self, label: str | None = None) -> Address:
        """The address of this label, or the one that is meant without a label.

        Raises:
            AddressNotFound: no address has this label, or several exist and none is named; `known` has the labels.
        """
        return await self._addresses.entry(await self._addresses.known(label))

    async def accept_address(self, shipped_to: Address) -> None:
        """Trust the entry that an approved order was shipped to, as the person's own.

        An entry that has its label by now and is another one stays as it is. Raises AddressNotFound as `address`.
        """
        if shipped_to.origin == "person":
            return
        async with self._lock():
            entry = await self._addresses.entry(await self._addresses.known(shipped_to.label))
            if entry == shipped_to:
                own = entry.model_copy(update={"origin": "person"})
                await self._addresses.put(own.label, entry_of_address(own))

    async def address_key(self) -> bytes:
        """The key of the hashes by which the journal knows addresses: made at first use, never changed, read once."""
        if self._address_key is None:
            text = await self._address_key_entry.load()
            if text is None:
                async with self._lock():
                    text = await self._address_key_entry.load()
                    if text is None:
                        text = randomness.token_hex(32)
                        await self._address_key_entry.save(text)
            self._address_key = text.encode()
        return self._address_key

    async def remove_address(self, label: str) -> None:
        """Forget an address, also one whose entry is damaged. Raises WalletError where a card is billed to it."""
        async with self._lock():
            known = await self._addresses.known(label)
            cards = (await self._cards.read_all()).good
            payers = [card.label for card in cards if _is_same(card.billing_address, known)]
            if payers:
                raise WalletError(f"{known} is the billing address of the card {payers[0]}: remove that first.")
            await self._addresses.drop(known)

    async def default_address(self) -> str | None:
        """The label of the address that is meant when none is named; None where one has to be."""
        return (await self._addresses.index()).only_or_default()

    async def set_default_address(self, label: str) -> None:
        """Mean this address when none is named. Raises AddressNotFound as `address`."""
        async with self._lock():
            await self._addresses.make_default(await self._addresses.known(label))

    async def has_card(self, label: str) -> bool:
        """Whether this label is taken, be its entry damaged or not."""
        return (await self._cards.index()).find(label) is not None

    async def has_address(self, label: str) -> bool:
        """Whether this label is taken, be its entry damaged or not."""
        return (await self._addresses.index()).find(label) is not None

    def attempt_tokens(self, attempt_id: str) -> StoredValue:
        """Where the token of an attempt's own device is kept while the attempt's outcome is in doubt."""
        return self._value("device", attempt_id)

    async def forget_everything(self) -> None:
        """Delete all that is kept for this owner: cards, addresses, device, PIN, address key, pinned payment keys."""
        async with self._lock():
            await self._cards.clear()
            await self._addresses.clear()
            await self.pin.forget()
            for kept in (self.device_tokens, self.journal_mark, self.acceptance, self._address_key_entry):
                await kept.forget()
            await self._secrets.delete(self._pinned_keys.name)
            self._address_key = None

    async def _all_cards(self) -> tuple[list[CardSummary], list[DamagedEntry]]:
        """Every card that can be read, the command's last, and what is wrong with the others."""
        kept = await self._cards.read_all()
        good, bad = [card.summary() for card in kept.good], kept.damaged
        if self._card_command is not None:
            try:
                printed = await self._card_command.summary()
            except FirmlyError as problem:
                return good, [*bad, DamagedEntry(problem.message)]
            good += [printed] if kept.index.find(printed.label) is None else []
        return good, bad

    async def _find_card(self, label: str | None) -> str | CardSummary:
        """The label of the keyring's card that is meant, or the command's card."""
        index = await self._cards.index()
        if self._card_command is None:
            return self._cards.known_in(index, label)
        found = index.default if label is None else index.find(label)
        if found is not None:
            return found
        printed = await self._card_command.summary()
        is_first = not index.labels or index.default_is_outside
        if is_first if label is None else _is_same(label, printed.label):
            return printed
        known = (*index.labels, printed.label)
        several, missing = "more than one card and no default one. Name one of", "no card of this label. There are"
        raise CardNotFound(f"There is {several if label is None else missing}: {', '.join(known)}.", known=known)

    async def _card(self, label: str | None) -> Card:
        """The card that is meant, to be encrypted at once."""
        card = None if label is None else await self._cards.entry_if_any(label)
        if card is not None:
            return card
        found = await self._find_card(label)
        if not isinstance(found, CardSummary):
            return await self._cards.entry(found)
        assert self._card_command is not None
        return await self._card_command.card()

    def _own_card(self, entry: SecretStr) -> Card | None:
        card = card_from(entry)
        return card if card is not None and card.environment == self.environment else None

    def _problem_with(self, card: Card) -> str | None:
        if card.environment != self.environment:
            return f"The card was made for the {card.environment} environment; this is {self.environment}."
        return number_problem(card.number, self.environment) or expiry_problem(card.month, card.year, self.now())

    def _value(self, *kind: str) -> StoredValue:
        return StoredValue(self._secrets, self._name(*kind))

    def _name(self, *kind: str) -> str:
        return entry_name(self.owner.environment, self.owner.shopper, *kind)

    def _lock(self) -> AbstractAsyncContextManager[None]:
        """A list is read, changed and written as one."""
        return exclusive(self._lock_path)


def _taken(label: str, command: str) -> str:
    kind = {"cards": "a card", "addresses": "an address"}[command]
    return (
        f"There is {kind} of the label {label} already, and it was not replaced. Choose another label, or remove it "
        f"first with `firmly-mcp {command} remove {shlex.quote(label)}`."
    )


def _is_same(label: str | None, other: str) -> bool:
    return label is not None and label_key(label) == label_key(other)
