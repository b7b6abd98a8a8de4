"""Whether an order goes to an address that the person entered, or approved an order to before.

An address that came through a tool is marked so in the book. Until a person has said yes to an order to it, no rule
allows one without asking.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Final

from firmly_mcp.api.models import Address as CartAddress
from firmly_mcp.wallet.addresses import Address

# Stores write countries and states in their own way, and leave out what they like; these have to be there and the same.
_ALWAYS: Final = ("last_name", "address1", "postal_code")
# Who receives it and where, without what one and the same recipient may give differently.
_HASHED: Final = (
    "first_name",
    "last_name",
    "address1",
    "address2",
    "city",
    "state_or_province",
    "postal_code",
    "country",
)
_WHERE_SENT: Final = ("first_name", "email", "phone", "address2", "city")


def entry_of(book: Sequence[Address], shipping: CartAddress | None) -> Address | None:
    """The book's entry that a cart's address is, if it is one."""
    if shipping is None:
        return None
    return next((entry for entry in book if _is_same(entry, shipping)), None)


def address_hash(key: bytes, shipping: CartAddress | None) -> str | None:
    """What the journal knows an address by: HMAC-SHA256 over who and where, so that the file alone tells neither."""
    if shipping is None:
        return None
    fields = json.dumps([_plain(getattr(shipping, name)) for name in _HASHED])
    return hmac.new(key, fields.encode(), hashlib.sha256).hexdigest()


def _is_same(entry: Address, shipping: CartAddress) -> bool:
    sent = [name for name in _WHERE_SENT if getattr(shipping, name)]
    return all(_plain(getattr(entry, name)) == _plain(getattr(shipping, name)) for name in (*_ALWAYS, *sent))


def _plain(text: str | None) -> str:
    return "".join(character for character in (text or "").casefold() if character.isalnum())
