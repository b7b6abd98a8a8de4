"""Opens a compact JWE by RFC 7516 section 5.2, with RSA-OAEP (RFC 7518 section 4.3) and A256GCM (5.3).

Written from the RFCs with primitives only, so that it shares no mistake with the library that sealed it.
"""

import base64
import json
import re
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class Unreadable(ValueError):
    """This text is no JWE that this reader opens; the message says why and holds nothing of it."""


class Sealed(NamedTuple):
    """The five parts of a compact JWE, decoded, and its first part as it came."""

    protected: str
    header: dict[str, Any]
    encrypted_key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes

    @property
    def lengths(self) -> tuple[int, int, int, int, int]:
        """How many bytes each part decodes to."""
        return (
            len(_decoded(self.protected)),
            len(self.encrypted_key),
            len(self.iv),
            len(self.ciphertext),
            len(self.tag),
        )


def parse(text: str) -> Sealed:
    """Take a compact serialization apart."""
    parts = text.split(".")
    if len(parts) != 5:
        raise Unreadable("a compact JWE has five parts")
    try:
        header = json.loads(_decoded(parts[0]))
    except (ValueError, RecursionError) as broken:
        raise Unreadable("the protected header is not JSON") from broken
    if not isinstance(header, dict):
        raise Unreadable("the protected header is not an object")
    return Sealed(parts[0], header, *(_decoded(part) for part in parts[1:]))


def opened(sealed: Sealed, key: RSAPrivateKey, oaep_hash: hashes.HashAlgorithm) -> bytes:
    """The plaintext. `oaep_hash` is SHA-256 for RSA-OAEP-256 and SHA-1 for RSA-OAEP; MGF1 uses the same."""
    if len(sealed.iv) != 12 or len(sealed.tag) != 16:
        raise Unreadable("A256GCM needs an iv of 96 bits and a tag of 128")
    try:
        content_key = key.decrypt(sealed.encrypted_key, padding.OAEP(padding.MGF1(oaep_hash), oaep_hash, None))
    except ValueError as broken:
        raise Unreadable("the encrypted key does not open with this key") from broken
    if len(content_key) != 32:
        raise Unreadable("A256GCM needs a content key of 256 bits")
    try:
        return AESGCM(content_key).decrypt(sealed.iv, sealed.ciphertext + sealed.tag, sealed.protected.encode("ascii"))
    except InvalidTag as broken:
        raise Unreadable("the tag does not match") from broken


def _decoded(part: str) -> bytes:
    if not BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise Unreadable("a part is not base64url")
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != part:
        raise Unreadable("a part is not canonical base64url")
    return raw
