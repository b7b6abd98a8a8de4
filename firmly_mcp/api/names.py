"""Nothing enters a path unchecked: a store is a host name and nothing else, every other segment is wholly encoded."""

from __future__ import annotations

import re
from typing import Final, NewType
from urllib.parse import quote, unquote, urlencode

from .refusals import invalid

StoreName = NewType("StoreName", str)

# RFC 1123: labels of letters, digits and inner hyphens. Names of other scripts are given in their xn-- form.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def store_name(text: str) -> StoreName:
    """A merchant's domain, lower-cased.

    Raises:
        InvalidRequest: `InvalidStore`, status 0: not a host name alone.
    """
    name = text.lower() if text.isascii() else ""
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise invalid("InvalidStore", "A store is a host name such as staging.luma.gift, with nothing before or after.")
    return StoreName(name)


def segment(text: str) -> str:
    """One path segment: a product's handle, a line item's id, an order's number. Slashes and all else are encoded.

    Raises:
        InvalidRequest: `InvalidPath`, status 0: empty, or dots that a server would read as another path.
    """
    if not text.strip(".") or not text.isprintable():
        raise invalid("InvalidPath", "A product handle, an id or an order number is missing or cannot be one.")
    return quote(text, safe="")


def query(**parameters: str | int) -> str:
    """Return a query string with its `?`, every value percent-encoded."""
    return "?" + urlencode(parameters, quote_via=quote, safe="")


def page_url(text: str) -> str:
    """A product page's address as it is in a browser; an address that was encoded as a whole is decoded once.

    Raises:
        InvalidRequest: `InvalidUrl`, status 0: not an http(s) address.
    """
    url = unquote(text) if text[:9].lower().startswith(("http%3a%2f", "https%3a")) else text
    if not re.match(r"https?://[^/\s]", url, re.IGNORECASE) or not url.isprintable():
        raise invalid("InvalidUrl", "A product page's address begins with https:// and names a host.")
    return url
