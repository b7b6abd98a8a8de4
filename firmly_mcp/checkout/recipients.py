"""Whether an order goes to an address that is the person's own: one that they entered, or approved an order to before.

An address that came through a tool or a script is marked so in the book, and no rule allows an order to it before a
person has approved one. So an address counts as the person's own only if every field of it is equal to an entry's, and
every entry that it is equal to is the person's: a field that is missing in the cart and present in the entry is another
one, and so is punctuation ("11/2" and "1/12", "50 0" and "500"). Only case, Unicode form and the number of spaces are
no difference. Stores may write a country, a state or a phone number in their own way; such a cart asks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

from firmly_mcp.api.models import Address as CartAddress
from firmly_mcp.wallet.addresses import FIELDS, Address, Origin
from firmly_mcp.wallet.plain_text import label_key, one_line


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where an order goes, as the address book knows it.

    `entries` are all those that it is equal to. `shipped_to` is the entry that the order was made with, where there is
    no doubt which one that is: an approved order makes this one the person's own, and no other.
    """

    entries: tuple[Address, ...] = ()
    shipped_to: Address | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is in the book, and only the person's word put it there."""
        return self.origin == "person"

    @property
    def origin(self) -> Origin | None:
        """Who entered it; of several entries the one that is not the person's decides. None: it is not in the book."""
        origins = [entry.origin for entry in self.entries]
        return next((origin for origin in origins if origin != "person"), origins[0] if origins else None)


def recipient(book: Iterable[Address], sent: CartAddress | None, label: str | None = None) -> Recipient:
    """The book's entries that an order's address is equal to; `label` is the entry's that the order call named."""
    if sent is None:
        return Recipient()
    entries = tuple(entry for entry in book if _compared(as_sent(entry)) == _compared(sent))
    meant = [entry for entry in entries if label is None or label_key(entry.label) == label_key(label)]
    return Recipient(entries, meant[0] if len(meant) == 1 else None)


def as_sent(entry: Address) -> CartAddress:
    """An entry in the form in which a cart holds it."""
    return CartAddress.model_validate(entry.as_firmly())


def address_hash(key: bytes, shipping: CartAddress | None) -> str | None:
    """What the journal knows an address by: HMAC-SHA256 over every field, so that the file alone tells none of them.

    Two addresses have one hash if and only if they are equal here.
    """
    if shipping is None:
        return None
    return hmac.new(key, json.dumps(_compared(shipping)).encode(), hashlib.sha256).hexdigest()


def _compared(address: CartAddress) -> list[str]:
    """Every field of the book, in its order; `state_name` is a store's own addition and stands in no entry."""
    return [_plain(getattr(address, name)) for name in FIELDS]


def _plain(text: str | None) -> str:
    # Folded case may leave the one Unicode form that the text was in.
    return one_line(label_key(text or ""))
