"""The payment key: a real RSA-2048 pair that rotates on request, published in three formats (contract 5.10.1)."""

import base64
import uuid
from functools import cache

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from firmly_mcp.simulator.cash import Json
from firmly_mcp.simulator.state import State


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
