"""What enters a URL or a body: store names, path segments, origins and item refs, all checked or encoded."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NewType
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from firmly_mcp.errors import SettingsError
from firmly_mcp.money import Money, minor_units
from firmly_mcp.settings import LOOPBACK_NAMES
from firmly_mcp.untrusted import is_unseen

from .error_codes import invalid_request
from .models import Address

StoreName = NewType("StoreName", str)

# RFC 1123: labels of letters, digits and inner hyphens. Names of other scripts are given in their xn-- form.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def store_name(text: str) -> StoreName:
    """Return a merchant's domain, lower-cased.

    Raises:
        InvalidRequest: `InvalidStore`, status 0: not a host name alone.
    """
    name = text.lower() if text.isascii() else ""
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise invalid_request(
            "InvalidStore", "A store is a host name such as staging.luma.gift, with nothing before or after."
        )
    return StoreName(name)


def segment(text: str) -> str:
    """One path segment: a product's handle, a line item's id, an order's number. Slashes and all else are encoded.

    Raises:
        InvalidRequest: `InvalidPath`, status 0: empty, or dots that a server would read as another path.
    """
    if not text.strip(".") or not text.isprintable():
        raise invalid_request("InvalidPath", "A product handle, an id or an order number is missing or cannot be one.")
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
        raise invalid_request("InvalidUrl", "A product page's address begins with https:// and names a host.")
    return url


# Origins.

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an http(s) address; None for anything else, and where a user name is given."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def _refuse_unless_origin(url: str) -> None:
    origin = origin_of(url)
    if origin is None or urlsplit(url).path not in {"", "/"} or "?" in url or "#" in url:
        raise SettingsError("Firmly's address must be a host alone, such as https://api.firmly.work.")
    if origin[0] == "http" and origin[1] not in LOOPBACK_NAMES:
        raise SettingsError("Firmly's address must be https; plain http is for this machine only.")


@dataclass(frozen=True)
class Hosts:
    """Firmly's two origins: `api` for everything but the payment group, which is on `payment` (Firmly: overview).

    Raises:
        SettingsError: not an origin, or plain http to another machine.
    """

    api: str
    payment: str

    def __post_init__(self) -> None:
        for url in (self.api, self.payment):
            _refuse_unless_origin(url)
        object.__setattr__(self, "api", self.api.rstrip("/"))
        object.__setattr__(self, "payment", self.payment.rstrip("/"))


def search_url(next_page: str, hosts: Hosts) -> str:
    """Return the address of a next page unchanged, for it passed through a model.

    Raises:
        InvalidRequest: `InvalidNextPage`, status 0: not discovery on the API's own origin.
    """
    ours = origin_of(next_page) == origin_of(hosts.api)
    path = urlsplit(next_page).path if ours else ""
    if not path.startswith("/api/") or "/discovery/" not in path or "/." in path or "%" in path:
        raise invalid_request("InvalidNextPage", "The next page is not on Firmly's own search. Search again.")
    return next_page


def query_of(url: str) -> dict[str, object]:
    """A next page's parameters as the body of a search."""
    parameters: dict[str, object] = dict(parse_qsl(urlsplit(url).query))
    size = parameters.pop("page_size", None)
    return parameters | ({"page_size": int(size)} if isinstance(size, str) and size.isdecimal() else {})


# What requests hold, checked before it is sent.

AddressFields = Address | Mapping[str, str]

# What is ordered: an `add_to_cart_ref` (`ref.unpack`) and how many of it.
Item = tuple[Mapping[str, object], int]


def at_least(least: int, quantity: int) -> int:
    """A quantity that can be sent.

    Raises:
        InvalidRequest: `InvalidAmount`, status 0: below `least`.
    """
    if quantity < least:
        raise invalid_request("InvalidAmount", f"A quantity is a whole number from {least}.")
    return quantity


def items_body(items: Sequence[Item]) -> list[dict[str, object]]:
    """Place-order's items. Raises InvalidRequest for a quantity below 1."""
    return [{"add_to_cart_ref": dict(ref), "quantity": at_least(1, quantity)} for ref, quantity in items]


def address_body(address: AddressFields) -> dict[str, str]:
    """An address in Firmly's field names, without the empty ones."""
    fields = address.model_dump(exclude={"state_name"}) if isinstance(address, Address) else address
    return {name: value for name, value in fields.items() if value}


def cents(price: Money | None, rounding: str) -> int | None:
    """A price as discovery's integer minor units, rounded as `decimal` names it."""
    if price is None:
        return None
    return int(price.amount.scaleb(minor_units(price.currency)).to_integral_value(rounding=rounding))


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


# One string names a variant, and nothing is kept to read it: `unpack(pack(reference)) == reference`, always.

PREFIX: Final = "~"

# Firmly's documented fields, in this order, are written as a list without their names: half the length.
_FIELDS: Final = ("variant_id", "product_id", "variant_handles")

_CHECK_BYTES: Final = 3


def pack(add_to_cart_ref: Mapping[str, object]) -> str:
    """A catalog's `add_to_cart_ref`, any JSON object, as one string.

    Raises:
        ValueError: the mapping is not JSON.
    """
    reference = dict(add_to_cart_ref)
    variant_id = reference.get("variant_id")
    if len(reference) == 1 and isinstance(variant_id, str) and _reads_as_itself(variant_id):
        return variant_id
    content = _compact(reference)
    return PREFIX + base64.urlsafe_b64encode(_check(content) + content).rstrip(b"=").decode()


def unpack(ref: str) -> dict[str, object]:
    """Return the `add_to_cart_ref` of a packed string."""
    if ref.startswith(PREFIX) and (reference := _unpacked(ref[len(PREFIX) :])) is not None:
        return reference
    return {"variant_id": ref}


def _reads_as_itself(variant_id: str) -> bool:
    """Whether a model can copy it: all of it seen, no blanks at its ends, and not mistaken for a packed one."""
    plain = variant_id.isprintable() and variant_id == variant_id.strip() and variant_id != ""
    return plain and not variant_id.startswith(PREFIX) and not any(map(is_unseen, variant_id))


def _compact(reference: dict[str, object]) -> bytes:
    listed = set(reference) <= set(_FIELDS) and None not in reference.values()
    fields = [reference.get(field) for field in _FIELDS]
    while listed and fields and fields[-1] is None:
        fields.pop()
    return json.dumps(fields if listed else reference, separators=(",", ":"), allow_nan=False).encode()


def _check(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(4, "big")[:_CHECK_BYTES]


def _unpacked(packed: str) -> dict[str, object] | None:
    try:
        raw = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        check, content = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        read = json.loads(content) if check == _check(content) else None
    except (binascii.Error, ValueError, RecursionError):
        return None
    if isinstance(read, list) and len(read) <= len(_FIELDS):
        return {field: value for field, value in zip(_FIELDS, read, strict=False) if value is not None}
    return read if isinstance(read, dict) else None
