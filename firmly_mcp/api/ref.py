"""One string names a variant, and nothing is kept to read it: `unpack(pack(reference)) == reference`, always.

A reference that holds a variant id alone is that id. Anything more is `~`, then base64url over three check bytes and
compact JSON. The check bytes are there because models copy these strings: one that was copied wrongly must not become
another product. A string that is not one of ours is sent as a variant id, and the store says that it knows none.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Final

from firmly_mcp.store_text import is_unseen

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
    """The `add_to_cart_ref` that a string stands for."""
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
