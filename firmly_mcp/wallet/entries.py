"""Entries of the keyring: labels that people type, single values, and labelled entries with their index."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from firmly_mcp.errors import DamagedEntry, WalletError
from firmly_mcp.settings import Owner

from .keychain import Secrets

LABEL_LENGTH: Final = 40

# Control, format (zero-width, bidirectional), surrogate, private, unassigned; line and paragraph separators.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# A year, a flat, the last four of a card: fine. More could be most of a card number.
_LABEL_DIGITS: Final = 6


def one_line(text: str) -> str:
    """The text in one Unicode form, with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_printable(text: str) -> bool:
    """No control, invisible, bidirectional, private or unassigned character, and no line break."""
    return all(unicodedata.category(character) not in _UNPRINTABLE for character in text)


def label_problem(typed: str) -> str | None:
    """Why this cannot name a card or an address; None when it can. Never holds the label: it may be a card number."""
    label = one_line(typed)
    if not label:
        return "A label is missing: a short name such as Visa or Home."
    if len(label) > LABEL_LENGTH:
        return f"A label has at most {LABEL_LENGTH} characters."
    if not is_printable(typed):
        return "A label has only printable characters."
    if sum(character.isdigit() for character in label) > _LABEL_DIGITS:
        return f"A label has at most {_LABEL_DIGITS} digits: it is shown, and must not hold a card number."
    return None


def label_key(label: str) -> str:
    """What all spellings of one label share: labels are compared without regard to case."""
    return one_line(label).casefold()


# Single values.


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One text in the keyring, for a room that knows no keyring: a device's token, the journal's guard entry."""

    secrets: Secrets
    name: str

    async def load(self) -> str | None:
        """The text that was saved last; None when none was."""
        found = await self.secrets.get(self.name)
        return None if found is None else found.get_secret_value()

    async def save(self, text: str) -> None:
        """Keep a text, and read it back."""
        await self.secrets.set(self.name, SecretStr(text))

    async def forget(self) -> None:
        """Delete it; a missing one is no error."""
        await self.secrets.delete(self.name)


# Labelled entries of one kind, and their index: the keyring cannot list what it has.

# What needs no escape in a part of an entry's name; a slash does.
_PLAIN: Final = " !#$&'()*+,:;=?@[]"


def entry_name(*parts: str) -> str:
    """The keyring's name of an entry, such as `simulator/local/card/visa`; no two lists of parts share one."""
    return "/".join(quote(part, safe=_PLAIN) for part in parts)


class LabelIndex(BaseModel):
    """The labels as they were typed, in the order in which they were added, and the default one.

    The first entry stays the default until a person chooses another. `default_is_outside`: the default is an entry that
    is not in this index, and was there before the first of these.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    labels: tuple[str, ...] = ()
    default: str | None = None
    default_is_outside: bool = False

    def find(self, label: str) -> str | None:
        """The label of this index with the same spelling, case aside."""
        wanted = label_key(label)
        return next((known for known in self.labels if label_key(known) == wanted), None)

    def only_or_default(self) -> str | None:
        """The label that is meant when none is named."""
        return self.labels[0] if len(self.labels) == 1 else self.default

    def with_label(self, label: str, *, others: bool = False) -> LabelIndex:
        """The index with this label, in the spelling given. `others`: entries exist that are not in this index."""
        old = self.find(label)
        if old is None:
            return self._and(label, others=others)
        renamed = tuple(label if known == old else known for known in self.labels)
        return self.model_copy(update={"labels": renamed, "default": label if self.default == old else self.default})

    def _and(self, label: str, *, others: bool) -> LabelIndex:
        """One more label. The default stays; where none was, the person still has to name one."""
        labels = (*self.labels, label)
        if not self.labels:
            return LabelIndex(labels=labels, default=None if others else label, default_is_outside=others)
        default = self.default if others else self.only_or_default()
        is_outside = self.default_is_outside and default is None
        return LabelIndex(labels=labels, default=default, default_is_outside=is_outside)

    def without_label(self, label: str) -> LabelIndex:
        """The index without this label."""
        kept = tuple(known for known in self.labels if known != label)
        default = None if self.default == label else self.default
        return self.model_copy(update={"labels": kept, "default": default})


class Labelled(Protocol):
    """A value with a label."""

    @property
    def label(self) -> str: ...


_T = TypeVar("_T", bound=Labelled)


@dataclass(frozen=True, slots=True)
class Contents(Generic[_T]):
    """All entries of one kind as they were read at one moment."""

    source: Entries[_T]
    index: LabelIndex
    by_label: Mapping[str, _T | DamagedEntry]

    @property
    def good(self) -> list[_T]:
        """Every entry that can be read, in the order in which they were added."""
        return [found for found in self.by_label.values() if not isinstance(found, DamagedEntry)]

    @property
    def damaged(self) -> list[DamagedEntry]:
        """What is wrong with each of the others."""
        return [found for found in self.by_label.values() if isinstance(found, DamagedEntry)]

    def entry(self, label: str | None) -> _T:
        """The entry of this label, or without one the only or default entry. Raises as `Entries.known` and `entry`."""
        found = self.by_label[self.source.known_in(self.index, label)]
        if isinstance(found, DamagedEntry):
            raise found
        return found


@dataclass(frozen=True, slots=True)
class Entries(Generic[_T]):
    """The entries of one kind and owner. Its changes need the caller's lock.

    `kind` is its word in an entry's name, `command` what people type to change it (`card`, `cards`). `read` gives None
    for an entry of another kind. `not_found` makes the refusal from a sentence and the `known` labels.
    """

    secrets: Secrets
    owner: Owner
    kind: str
    command: str
    read: Callable[[SecretStr], _T | None]
    not_found: Callable[..., WalletError]

    @property
    def index_name(self) -> str:
        """The keyring's name of the index."""
        return entry_name(self.owner.environment, self.owner.shopper, self.command)

    def name_of(self, label: str) -> str:
        """The keyring's name of a label's entry."""
        return entry_name(self.owner.environment, self.owner.shopper, self.kind, label_key(label))

    async def index(self) -> LabelIndex:
        """Read the index.

        Raises:
            WalletError: the index itself is damaged; or the keyring's.
        """
        text = await self.secrets.get(self.index_name)
        index = LabelIndex() if text is None else _index_in(text)
        if index is None:
            raise WalletError(
                f"The keyring's entry {self.index_name} of firmly-mcp is damaged, so the {self.command} cannot be "
                "listed. Delete it with the system's keyring program, then add them again with "
                f"`firmly-mcp {self.command} add`."
            )
        return index

    async def known(self, label: str | None) -> str:
        """The listed label that is meant: this one, or without one the only or the default one. Raises `not_found`."""
        return self.known_in(await self.index(), label)

    def known_in(self, index: LabelIndex, label: str | None) -> str:
        """The same in an index that was read."""
        found = index.only_or_default() if label is None else index.find(label)
        if found is None:
            raise self.not_found(self._not_known(label, index), known=index.labels)
        return found

    async def entry(self, label: str) -> _T:
        """The entry of a listed label.

        Raises:
            DamagedEntry: it is missing, unreadable, or another's.
        """
        found = await self.entry_if_any(label)
        if found is None:
            raise self._damaged(label, "is missing")
        return found

    async def entry_if_any(self, label: str) -> _T | None:
        """The entry of a label, listed or not; None where the keyring has none.

        Raises:
            DamagedEntry: it is unreadable, or another's.
        """
        text = await self.secrets.get(self.name_of(label))
        if text is None:
            return None
        found = self.read(text)
        if found is None or label_key(found.label) != label_key(label):
            raise self._damaged(label, f"does not hold this {self.kind}")
        return found

    async def read_all(self) -> Contents[_T]:
        """Read the index and every entry, each once."""
        index, by_label = await self.index(), dict[str, _T | DamagedEntry]()
        for label in index.labels:
            try:
                by_label[label] = await self.entry(label)
            except DamagedEntry as damage:
                by_label[label] = damage
        return Contents(self, index, by_label)

    async def put(self, label: str, entry: SecretStr, *, default: bool = False, others: bool = False) -> None:
        """Write an entry. `others`: entries of this kind exist elsewhere."""
        before = await self.index()
        after = before.with_label(label, others=others)
        await self._save(LabelIndex(labels=after.labels, default=label) if default else after)
        try:
            await self.secrets.set(self.name_of(label), entry)
        except WalletError:
            if before.find(label) is None:
                await self._save(before)
            raise

    async def drop(self, label: str) -> None:
        """Delete the entry of a listed label."""
        await self.secrets.delete(self.name_of(label))
        await self._save((await self.index()).without_label(label))

    async def make_default(self, label: str | None) -> None:
        """Mean this listed label when none is named; None for an entry that is kept elsewhere."""
        labels = (await self.index()).labels
        await self._save(LabelIndex(labels=labels, default=label, default_is_outside=label is None))

    async def clear(self) -> None:
        """Delete every entry and the index."""
        for label in (await self.index()).labels:
            await self.secrets.delete(self.name_of(label))
        await self.secrets.delete(self.index_name)

    async def _save(self, index: LabelIndex) -> None:
        await self.secrets.set(self.index_name, SecretStr(json.dumps(index.model_dump(), ensure_ascii=False)))

    def _damaged(self, label: str, problem: str) -> DamagedEntry:
        return DamagedEntry(
            f"The keyring's entry {self.name_of(label)} of firmly-mcp {problem}. Remove it with "
            f"`firmly-mcp {self.command} remove {shlex.quote(label)}` and add it again with "
            f"`firmly-mcp {self.command} add`."
        )

    def _not_known(self, label: str | None, index: LabelIndex) -> str:
        labels = ", ".join(index.labels)
        if not labels:
            return f"There is no {self.kind} yet. Add one with `firmly-mcp {self.command} add`."
        if label is None:
            return f"There is more than one {self.kind} and no default one. Name one of: {labels}."
        return f"There is no {self.kind} of this label. There are: {labels}."


def _index_in(text: SecretStr) -> LabelIndex | None:
    try:
        index = LabelIndex.model_validate_json(text.get_secret_value())
    except ValidationError:
        return None
    return index if index.default is None or index.default in index.labels else None
