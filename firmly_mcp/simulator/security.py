"""Device sessions, the payment key, the JWE reader and the cards that the simulator takes.

- Session tokens (contract 3) are RS256 JWTs of an hour, renewed up to a week after they expired, on the same device.
- The payment key is a real RSA-2048 pair that rotates on request, published in three formats (contract 5.10.1).
- A compact JWE is opened by RFC 7516 section 5.2, with RSA-OAEP (RFC 7518 section 4.3) and A256GCM (5.3): written from
  the RFCs with primitives only, so that it shares no mistake with the library that encrypted the card.
- Only card numbers that networks and payment services publish for tests are taken, never a real one; four are declined.
"""

import base64
import json
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwt.types import Options

from firmly_mcp.simulator.answers import Json, Refusal, new_device_id
from firmly_mcp.simulator.state import State

LIFETIME = timedelta(hours=1)
RENEWABLE = timedelta(weeks=1)
MAX_DECODED = 4096
BASE64URL = re.compile(r"[A-Za-z0-9_-]*")

FIELDS = ("number", "name", "verification_value", "month", "year")
ACCEPTED = {
    "4111111111111111": "visa",
    "4242424242424242": "visa",
    "4012888888881881": "visa",
    "4000056655665556": "visa",
    "5555555555554444": "mastercard",
    "5105105105105100": "mastercard",
    "2223003122003222": "mastercard",
    "378282246310005": "amex",
    "371449635398431": "amex",
    "6011111111111117": "discover",
    "6011000990139424": "discover",
    "30569309025904": "diners",
    "3566002020360505": "jcb",
}
DECLINED = {
    "4000000000000002": "The card was declined",
    "4000000000009995": "Insufficient funds",
    "4000000000000069": "The card has expired",
    "4000000000000127": "The security code is incorrect",
}


@dataclass(slots=True)
class Device:
    """The owner of carts."""

    device_id: str
    postal_code: str = ""


class Tokens:
    """Issues tokens, and finds the device of a token."""

    def __init__(self, state: State, app_id: str, now: Callable[[], datetime]) -> None:
        self._state = state
        self._app_id = app_id
        self._now = now
        self._key = from_pem(state.value("token_key", process_key))
        self._public = self._key.public_key()
        self._devices = {row.id: Device(**row.body) for row in state.rows("device")}
        self._decoded: OrderedDict[str, tuple[Device, float]] = OrderedDict()

    def create(self) -> Json:
        """Return a session on a new device."""
        device = Device(new_device_id())
        self.save(device)
        return self._session(device, created=True)

    def renew(self, token: str) -> Json:
        """Return a session on the old token's device, up to a week after the token expired."""
        device, expires = self._read(token, envelope="message")
        if self._now().timestamp() > expires + RENEWABLE.total_seconds():
            raise Refusal("TokenExpired", "The access token is too old to renew", envelope="message")
        return self._session(device, created=False)

    def device(self, token: str, invalid: str) -> Device:
        """Return the device of a token; `invalid` is the endpoint's error name for a bad one."""
        device, expires = self._read(token, invalid)
        if self._now().timestamp() >= expires:
            raise Refusal("TokenExpired", "The access token has expired")
        return device

    def device_of_id(self, device_id: str) -> Device:
        """Return the device of an id."""
        return self._devices[device_id]

    def save(self, device: Device) -> None:
        """Keep a new or changed device."""
        self._devices[device.device_id] = device
        self._state.put("device", device.device_id, device)

    def _read(self, token: str, invalid: str = "InvalidToken", envelope: str | None = None) -> tuple[Device, float]:
        """Return the device of a token and when the token expires, which the injected clock judges."""
        if token in self._decoded:
            return self._decoded[token]
        unchecked: Options = {"verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._public, algorithms=["RS256"], options=unchecked)
            self._decoded[token] = self._devices[claims["device_id"]], float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise Refusal(invalid, "The access token is invalid", envelope=envelope) from None
        if len(self._decoded) > MAX_DECODED:
            self._decoded.popitem(last=False)
        return self._decoded[token]

    def _session(self, device: Device, *, created: bool) -> Json:
        issued, lifetime = int(self._now().timestamp()), int(LIFETIME.total_seconds())
        claims = {"device_id": device.device_id, "app_id": self._app_id, "exp": issued + lifetime, "iat": issued}
        return {
            "device_created": created,
            "access_token": jwt.encode(claims, self._key, algorithm="RS256"),
            "expires_in": lifetime,
            "expires": issued + lifetime,
            "device_id": device.device_id,
        }


@cache
def process_key(number: int = 0) -> str:
    """Return an RSA-2048 key as it is kept. New simulators of one process share it, because making one takes long."""
    return to_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def to_pem(key: RSAPrivateKey) -> str:
    """Return a private key as it is kept on disk."""
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode()


def from_pem(text: str) -> RSAPrivateKey:
    """Read a private key from its kept form."""
    key = forms.load_pem_private_key(text.encode(), password=None, unsafe_skip_rsa_key_validation=True)  # our own
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


class PaymentKeys:
    """The current payment key. After a rotation the old key opens nothing."""

    def __init__(self, state: State) -> None:
        self._state = state
        kept = state.value("payment_key", lambda: _with_kid(process_key()))
        self.kid: str = kept["kid"]
        self._key = from_pem(kept["pem"])

    def rotate(self, *, same_kid: bool = False) -> str:
        """Take another key, under a new kid or under the old one, and return the kid."""
        current = to_pem(self._key)
        new = _with_kid(next(pem for pem in map(process_key, range(2)) if pem != current))
        new |= {"kid": self.kid} if same_kid else {}
        self._state.set_value("payment_key", new)
        self.kid, self._key = new["kid"], from_pem(new["pem"])
        return self.kid

    def of_kid(self, kid: object) -> RSAPrivateKey | None:
        """Return the private key of a kid, if it is the current one."""
        return self._key if kid == self.kid else None

    def jwk(self) -> Json:
        """Return the public key as a JWK."""
        numbers = self._key.public_key().public_numbers()
        return {"kid": self.kid, "kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e), "use": "enc"}

    def pem(self, form: str) -> str:
        """Return the public key as SubjectPublicKeyInfo (`PEM`) or as PKCS#1 (`RSA`)."""
        public = forms.PublicFormat.SubjectPublicKeyInfo if form == "PEM" else forms.PublicFormat.PKCS1
        return self._key.public_key().public_bytes(forms.Encoding.PEM, public).decode()


def _with_kid(pem: str) -> Json:
    return {"kid": f"sim-{uuid.uuid4().hex[:12]}", "pem": pem}


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class UnreadableJwe(ValueError):
    """This text is no JWE that the simulator opens. The message says why and holds nothing of it."""


class Jwe(NamedTuple):
    """The five decoded parts of a compact JWE, and its first part as it came."""

    protected: str
    header: Json
    encrypted_key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of bytes of each decoded part."""
        return (len(_decode(self.protected)), *(len(part) for part in self[2:]))


def parse_jwe(text: str) -> Jwe:
    """Decode the parts of a compact serialization."""
    parts = text.split(".")
    if len(parts) != 5:
        raise UnreadableJwe("a compact JWE has five parts")
    try:
        header = json.loads(_decode(parts[0]))
    except (ValueError, RecursionError) as broken:
        raise UnreadableJwe("the protected header is not JSON") from broken
    if not isinstance(header, dict):
        raise UnreadableJwe("the protected header is not an object")
    return Jwe(parts[0], header, *(_decode(part) for part in parts[1:]))


def decrypt_jwe(jwe: Jwe, key: RSAPrivateKey, oaep_hash: hashes.HashAlgorithm) -> bytes:
    """Return the plaintext. `oaep_hash` is SHA-256 for RSA-OAEP-256, SHA-1 for RSA-OAEP; MGF1 uses the same."""
    if len(jwe.iv) != 12 or len(jwe.tag) != 16:
        raise UnreadableJwe("A256GCM needs an iv of 96 bits and a tag of 128")
    try:
        content_key = key.decrypt(jwe.encrypted_key, padding.OAEP(padding.MGF1(oaep_hash), oaep_hash, None))
    except ValueError as broken:
        raise UnreadableJwe("the encrypted key does not open with this key") from broken
    if len(content_key) != 32:
        raise UnreadableJwe("A256GCM needs a content key of 256 bits")
    try:
        return AESGCM(content_key).decrypt(jwe.iv, jwe.ciphertext + jwe.tag, jwe.protected.encode("ascii"))
    except InvalidTag as broken:
        raise UnreadableJwe("the tag does not match") from broken


def _decode(part: str) -> bytes:
    if not BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise UnreadableJwe("a part is not base64url")
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != part:
        raise UnreadableJwe("a part is not canonical base64url")
    return raw


@dataclass(frozen=True, slots=True)
class PaidCard:
    """What may be kept of a card: neither its number nor its security code."""

    brand: str
    last_four: str
    month: int
    year: int
    declined: str | None


def read_card(plain: Any, now: datetime) -> PaidCard:
    """Check the five string fields. `declined` is what a bank would refuse; a malformed card is a Refusal."""
    if not isinstance(plain, Mapping) or set(plain) != set(FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: the card needs exactly " + ", ".join(FIELDS))
    if not all(isinstance(plain[name], str) and plain[name] for name in FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: every field of the card is a string")
    number, cvv, month, year = (plain[name] for name in ("number", "verification_value", "month", "year"))
    if not (_digits(number, 12, 19) and luhn(number)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: number is not a card number")
    if not _digits(cvv, 3, 4) or (len(cvv) == 4) != number.startswith(("34", "37")):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: verification_value has the wrong length")
    if not (_digits(month, 2, 2) and 1 <= int(month) <= 12 and _digits(year, 4, 4)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: month is two digits, year is four")
    declined = DECLINED.get(number)
    if (int(year), int(month)) < (now.year, now.month):
        declined = "The card has expired"
    elif declined is None and number not in ACCEPTED:
        declined = "The simulator takes published test cards only"
    return PaidCard(ACCEPTED.get(number, "visa"), number[-4:], int(month), int(year), declined)


def luhn(digits: str) -> bool:
    """Return whether the check digit is right (ISO/IEC 7812-1)."""
    doubled = (int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most
