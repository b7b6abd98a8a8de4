"""Device sessions (contract 3): RS256 tokens of an hour, renewed up to a week past expiry, on the same device."""

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

from firmly_mcp.simulator.answers import Json, Refusal, fresh_device
from firmly_mcp.simulator.state import Row, State

LIFETIME = timedelta(hours=1)
RENEWABLE = timedelta(weeks=1)
REMEMBERED = 4096


@dataclass(slots=True)
class Device:
    """One device: whose carts these are."""

    device_id: str
    postal_code: str = ""


class Tokens:
    """Makes tokens and knows whose they are."""

    def __init__(self, state: State, app_id: str, now: Callable[[], datetime]) -> None:
        self._state = state
        self._app_id = app_id
        self._now = now
        self._key = from_pem(state.value("token_key", process_key))
        self._public = self._key.public_key()
        self._devices = {row.id: Device(**row.body) for row in state.loaded("device")}
        self._read: OrderedDict[str, tuple[Device, float]] = OrderedDict()

    def create(self) -> dict[str, Any]:
        """A session on a new device."""
        device = Device(fresh_device())
        self._devices[device.device_id] = device
        self.keep(device)
        return self._session(device, created=True)

    def renew(self, token: str) -> dict[str, Any]:
        """A session on the old token's device, up to a week after the token expired."""
        device, expires = self._device(token, envelope="message")
        if self._now().timestamp() > expires + RENEWABLE.total_seconds():
            raise Refusal("TokenExpired", "The access token is too old to renew", envelope="message")
        return self._session(device, created=False)

    def device(self, token: str, invalid: str = "InvalidToken") -> Device:
        """Whose token this is; `invalid` is the name this endpoint has for a bad one."""
        device, expires = self._device(token, invalid)
        if self._now().timestamp() >= expires:
            raise Refusal("TokenExpired", "The access token has expired")
        return device

    def known(self, device_id: str) -> Device:
        """The device of this id."""
        return self._devices[device_id]

    def keep(self, device: Device) -> None:
        """Note that a device changed."""
        self._state.keep(Row("device", device.device_id, device))

    def _device(self, token: str, invalid: str = "InvalidToken", envelope: str | None = None) -> tuple[Device, float]:
        known = self._read.get(token)
        if known is None:
            known = self._read[token] = self._decoded(token, invalid, envelope)
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        return known

    def _decoded(self, token: str, invalid: str, envelope: str | None) -> tuple[Device, float]:
        unchecked: Options = {"verify_exp": False, "verify_iat": False}  # by the injected clock, not the machine's
        try:
            claims = jwt.decode(token, self._public, algorithms=["RS256"], options=unchecked)
            device, expires = self._devices[claims["device_id"]], float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise Refusal(invalid, "The access token is invalid", envelope=envelope) from None
        return device, expires

    def _session(self, device: Device, *, created: bool) -> dict[str, Any]:
        issued = int(self._now().timestamp())
        lifetime = int(LIFETIME.total_seconds())
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
    """An RSA-2048 key with e = 65537, as it is kept; simulators that are new in one process share it.

    Making one takes a while, and their kids, apps and devices differ.
    """
    return to_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def to_pem(key: RSAPrivateKey) -> str:
    """A private key as it is kept on disk."""
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode()


def from_pem(text: str) -> RSAPrivateKey:
    """A private key from its kept form."""
    key = forms.load_pem_private_key(text.encode(), password=None, unsafe_skip_rsa_key_validation=True)  # our own
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


class PaymentKeys:
    """The current key; after a rotation the old one opens nothing any more."""

    def __init__(self, state: State) -> None:
        self._state = state
        kept = state.value("payment_key", lambda: _made(process_key()))
        self.kid: str = kept["kid"]
        self._key = from_pem(kept["pem"])

    def rotate(self, *, same_kid: bool = False) -> str:
        """Take another key, under a new kid or under the old one, and give the kid."""
        current = to_pem(self._key)
        made = _made(next(pem for pem in map(process_key, range(2)) if pem != current))
        made |= {"kid": self.kid} if same_kid else {}
        self._state.set_value("payment_key", made)
        self.kid, self._key = made["kid"], from_pem(made["pem"])
        return self.kid

    def of_kid(self, kid: object) -> RSAPrivateKey | None:
        """The private key of a kid, if it is the current one."""
        return self._key if kid == self.kid else None

    def jwk(self) -> Json:
        """The public key as a JWK."""
        numbers = self._key.public_key().public_numbers()
        return {"kid": self.kid, "kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e), "use": "enc"}

    def pem(self) -> str:
        """The public key as SubjectPublicKeyInfo."""
        return self._public(forms.PublicFormat.SubjectPublicKeyInfo)

    def rsa(self) -> str:
        """The public key as PKCS#1."""
        return self._public(forms.PublicFormat.PKCS1)

    def _public(self, form: forms.PublicFormat) -> str:
        return self._key.public_key().public_bytes(forms.Encoding.PEM, form).decode()


def _made(pem: str) -> Json:
    return {"kid": f"sim-{uuid.uuid4().hex[:12]}", "pem": pem}


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


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


def parse_jwe(text: str) -> Sealed:
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


def decrypt_jwe(sealed: Sealed, key: RSAPrivateKey, oaep_hash: hashes.HashAlgorithm) -> bytes:
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


@dataclass(frozen=True, slots=True)
class Paid:
    """What may be remembered of a card: everything but its number and security code."""

    brand: str
    last_four: str
    month: int
    year: int
    holder: str
    declined: str | None


def read_card(plain: Any, now: datetime) -> Paid:
    """Check the five string fields; the number is forgotten on return.

    What is malformed is `ErrorInvalidInputBody`; what a bank would turn down is told by `declined`.
    """
    if not isinstance(plain, Mapping) or set(plain) != set(FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: the card needs exactly " + ", ".join(FIELDS))
    if not all(isinstance(plain[name], str) and plain[name] for name in FIELDS):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: every field of the card is a string")
    number, month, year = plain["number"], plain["month"], plain["year"]
    _check_form(number, plain["verification_value"], month, year)
    return Paid(
        brand=ACCEPTED.get(number, "visa"),
        last_four=number[-4:],
        month=int(month),
        year=int(year),
        holder=plain["name"],
        declined=_declined(number, int(month), int(year), now),
    )


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    doubled = (int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _check_form(number: str, cvv: str, month: str, year: str) -> None:
    if not (_digits(number, 12, 19) and luhn(number)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: number is not a card number")
    if not _digits(cvv, 3, 4) or (len(cvv) == 4) != number.startswith(("34", "37")):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: verification_value has the wrong length")
    if not (_digits(month, 2, 2) and 1 <= int(month) <= 12 and _digits(year, 4, 4)):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card: month is two digits, year is four")


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most


def _declined(number: str, month: int, year: int, now: datetime) -> str | None:
    if (year, month) < (now.year, now.month):
        return "The card has expired"
    if number in DECLINED:
        return DECLINED[number]
    return None if number in ACCEPTED else "The simulator takes published test cards only"
