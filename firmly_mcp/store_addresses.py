"""An address that a store gave is shown only if it is what it seems: http or https, to a plain host, percent-encoded.

Everything else is left out: other schemes, addresses without a host, with an account before it, or too long to be
shown whole. What is shown is one line of printable ASCII without spaces or quotes, so it cannot pass for our words.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

# Longer ones are left out: an address that is cut leads elsewhere.
_LONGEST: Final = 300
# RFC 3986. A backslash is a slash to browsers; a control character is dropped by them, and is no part of any address.
_PARTS: Final = re.compile(r"(https?)://([^/?#\\]+)((?:[/?][^#]*)?)(?:#(.*))?", re.IGNORECASE | re.DOTALL)
_HOST: Final = re.compile(
    r"((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?)(:\d{1,5})?"
)
_ADDRESS_6: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\])(:\d{1,5})?")
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What RFC 3986 lets stand in a path, a query or a fragment, but for the apostrophe; `%` is the one of an escape.
_SAFE: Final = "%/?:@!$&()*+,;=~"


def shown_address(address: str | None) -> str | None:
    """The address as it may be shown, or None where it may not."""
    if not address or len(address) > _LONGEST:
        return None
    parts = _PARTS.fullmatch(address.strip(" "))
    host = _shown_host(parts[2]) if parts else None
    if parts is None or host is None:
        return None
    rest, fragment = percent_encoded(parts[3]), percent_encoded(parts[4] or "")
    if rest is None or fragment is None:
        return None
    shown = f"{parts[1].lower()}://{host}{rest}" + (f"#{fragment}" if fragment else "")
    return shown if len(shown) <= _LONGEST else None


def percent_encoded(text: str) -> str | None:
    """Part of an address behind its host, with everything escaped that has to be; None where it is no text."""
    try:
        return quote(_STRAY_PERCENT.sub("%25", text), safe=_SAFE, errors="strict")
    except UnicodeEncodeError:  # half of a character
        return None


def _shown_host(authority: str) -> str | None:
    """A host with its port as DNS has it, where letters that only look Latin show as what they are."""
    try:
        name, colon, port = authority.partition(":") if not authority.startswith("[") else (authority, "", "")
        plain = authority if authority.isascii() else name.encode("idna").decode("ascii") + colon + port
    except UnicodeError:
        return None
    plain = plain.lower()
    found = _HOST.fullmatch(plain) or _ADDRESS_6.fullmatch(plain)
    if found is None or len(found[1]) > 253 or (found[2] and int(found[2][1:]) > 65_535):
        return None
    return plain
