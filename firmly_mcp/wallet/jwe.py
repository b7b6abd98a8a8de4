"""A card leaves this room only as a JWE made here: RSA-OAEP-256, A256GCM, for a payment key that passed every check.

Firmly publishes no root for its payment key: TLS to a fixed host is its only authentication. So the key itself is
checked strictly, and one key id never stands for two keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from importlib import import_module
from typing import Final, NoReturn, Protocol, SupportsIndex
from urllib.parse import urlsplit

from pydantic import SecretStr, TypeAdapter, ValidationError

from firmly_mcp.errors import CardRefused, DamagedEntry, UnexpectedAnswer
from firmly_mcp.redaction import OneUse, code_problem
from firmly_mcp.settings import ENVIRONMENTS, LOOPBACK_NAMES

from . import cards
from .cards import Card
from .keychain import Secrets

ALGORITHM: Final = "RSA-OAEP-256"

ENCRYPTION: Final = "A256GCM"

_NOTHING_SENT: Final = "The card was not encrypted and nothing was sent."


class PaymentKeyLike(Protocol):
    """Firmly's public key as its payment host gave it (`GET /api/v1/payment/key`, section 5.10.1 of the contract)."""

    @property
    def host(self) -> str:
        """Where it came from: a host, a host with a port, or an origin."""

    @property
    def kid(self) -> str | None: ...
    @property
    def n(self) -> str: ...
    @property
    def e(self) -> str: ...
    @property
    def kty(self) -> str: ...
    @property
    def use(self) -> str | None: ...
    @property
    def alg(self) -> str | None: ...
    @property
    def header_kid(self) -> str | None:
        """The `x-firmly-kid` header of the same answer."""


@dataclass(frozen=True, slots=True)
class PaymentKey:
    """A `PaymentKeyLike` of plain values. `n` and `e` are base64url, as in a JWK."""

    host: str
    kid: str | None
    n: str
    e: str
    kty: str
    use: str | None = None
    alg: str | None = None
    header_kid: str | None = None


class Encryptor:
    """A card, its security code and a payment key that passed every check. The one call returns a JWE.

    The call only computes, for about a millisecond: all that waits is over before it is built. It shows
    nothing of what it holds, cannot be pickled, and holds nothing once it was called.
    """

    __slots__ = ("_jwk", "_kid", "_secrets", "card")

    def __init__(self, card: Card, cvv: SecretStr, key: PaymentKeyLike, *, environment: str) -> None:
        """Check all that needs no memory.

        Raises:
            CardRefused: the card is of another environment, or the security code has not the form that its brand has.
            UnexpectedAnswer: the payment key is not one to encrypt a card with.
        """
        brand = "" if card.brand is None else card.brand.name
        problem = _mismatch(card, key.host, environment) or code_problem(cvv, brand)
        if problem is not None:
            raise CardRefused(f"{problem} {_NOTHING_SENT}")
        self._kid, self._jwk = checked_kid(key), _jwk(key)
        self._secrets = OneUse((card, cvv), "an encryptor")
        self.card: Final = card.summary()
        # The first import takes longer than many encryptions.
        import_module("jwcrypto.jwe")

    def __call__(self) -> SecretStr:
        """Encrypt the card and its security code for Firmly (JWE compact serialization), and forget them.

        Raises:
            UnexpectedAnswer: encrypting failed.
            RuntimeError: it was called before.
        """
        card, cvv = self._secrets.take()
        encrypted = _jwe(card, cvv, self._jwk, self._kid)
        if encrypted is None:
            raise UnexpectedAnswer(f"Encrypting with Firmly's payment key failed. {_NOTHING_SENT}")
        return encrypted

    def __repr__(self) -> str:
        return "Encryptor()"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("an encryptor is not pickled")


def checked_kid(key: PaymentKeyLike) -> str:
    """The key's id, once the key has passed every check that needs no memory.

    Raises:
        UnexpectedAnswer: names the check that failed.
    """
    problem = _key_problem(key)
    if problem is not None or not key.kid:
        raise UnexpectedAnswer(
            f"The payment key of {origin_host(key.host)} cannot be used: {problem or 'it has no key id'}. "
            f"{_NOTHING_SENT}"
        )
    return key.kid


def thumbprint(key: PaymentKeyLike) -> str:
    """The key's thumbprint by RFC 7638, SHA-256, base64url."""
    members = json.dumps(_jwk(key), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def origin_host(host: str) -> str:
    """The host of an origin, a host with a port, or a host alone; in lower case, without the port."""
    try:
        return urlsplit(host if "//" in host else f"//{host}").hostname or ""
    except ValueError:
        return ""


def _mismatch(card: Card, host: str, environment: str) -> str | None:
    if card.environment != environment:
        return f"The card {card.label} was added for the {card.environment} environment, not for {environment}."
    name = origin_host(host)
    pair = ENVIRONMENTS.get(environment)
    expected = {name} if pair is None else {origin_host(pair.payment)}
    if not name or name not in (LOOPBACK_NAMES if environment == "simulator" else expected):
        return f"The payment key is not from a payment host of the {environment} environment."
    return cards.problem_with(card.number, environment)


def _key_problem(key: PaymentKeyLike) -> str | None:
    modulus, exponent = _number(key.n), _number(key.e)
    checks = (
        (key.kty == "RSA", "it is not an RSA key"),
        (modulus is not None and exponent is not None, "its numbers are not base64url"),
        (2048 <= (modulus or 0).bit_length() <= 8192, "its size is not between 2048 and 8192 bits"),
        ((modulus or 0) % 2 == 1, "its modulus is even"),
        (exponent == 65537, "its exponent is not 65537"),
        (key.use in {None, "enc"}, "it is not meant for encryption"),
        (key.alg in {None, ALGORITHM}, f"it is not meant for {ALGORITHM}"),
        (bool(key.kid) and _is_plain(key.kid or ""), "its key id is missing, long or unprintable"),
        (key.header_kid in {None, key.kid}, "the answer names two different key ids"),
    )
    return next((problem for holds, problem in checks if not holds), None)


def _number(text: str) -> int | None:
    """A base64url number of a JWK in its one proper form: no padding, no leading zero."""
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    if not octets or octets[0] == 0 or base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        return None
    return int.from_bytes(octets, "big")


def _is_plain(kid: str) -> bool:
    return kid.isascii() and kid.isprintable() and len(kid) <= 128


def _jwk(key: PaymentKeyLike) -> dict[str, str]:
    """The members that make the key: the library gets nothing else that came with it."""
    return {"e": key.e, "kty": key.kty, "n": key.n}


def _jwe(card: Card, cvv: SecretStr, jwk: dict[str, str], kid: str) -> SecretStr | None:
    """The only frame that a JWE object lives in: its repr shows the plaintext. None where the library failed."""
    from jwcrypto.jwe import JWE
    from jwcrypto.jwk import JWK

    header = json.dumps({"alg": ALGORITHM, "enc": ENCRYPTION, "kid": kid}, separators=(",", ":"))
    try:
        token = JWE(_plaintext(card, cvv), protected=header, algs=[ALGORITHM, ENCRYPTION])
        token.add_recipient(JWK(**jwk))
        return SecretStr(token.serialize(compact=True))
    except Exception:  # noqa: BLE001 - its frames hold the plaintext, whatever the error: none of it gets out
        return None


def _plaintext(card: Card, cvv: SecretStr) -> bytes:
    return json.dumps(
        {
            "number": card.number.get_secret_value(),
            "name": card.name,
            "verification_value": cvv.get_secret_value(),
            "month": card.month,
            "year": card.year,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


# One key id of one payment host never stands for two keys: the first thumbprint stays until a person accepts another.

# Old keys are forgotten first. A dozen fit into the smallest keyring entry there is.
_KEPT: Final = 10

_ENTRY: Final = TypeAdapter(dict[str, str])

ACCEPT: Final = "firmly-mcp orders accept-payment-key"


@dataclass(frozen=True, slots=True)
class ComparedKey:
    """A payment key and what its id stood for before: RFC 7638 thumbprints; None where the id was not used.

    `is_damaged`: what was used before cannot be read.
    """

    host: str
    kid: str
    before: str | None
    now: str
    is_damaged: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether orders are blocked until a person accepts this key."""
        return self.is_damaged or self.before not in {None, self.now}


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """The thumbprints of the payment keys that were used, by host and key id, in one entry of the keyring.

    `accept_command` is what a person runs to accept another key. Changes need the caller's lock.
    """

    secrets: Secrets
    name: str
    accept_command: str = ACCEPT

    async def load(self) -> dict[str, str]:
        """What was used, oldest first.

        Raises:
            DamagedEntry: it cannot be read.
        """
        entry = await self.secrets.get(self.name)
        found = {} if entry is None else _thumbprints_in(entry)
        if found is None:
            raise DamagedEntry(
                f"The keyring's entry {self.name} of firmly-mcp is damaged, so the payment key cannot be compared with "
                f"earlier ones. No order was sent. Run `{ACCEPT}` in a terminal: it shows what to ask Firmly.",
                next=ACCEPT,
            )
        return found

    async def save(self, thumbprints: dict[str, str]) -> None:
        """Keep what was used."""
        await self.secrets.set(self.name, SecretStr(json.dumps(thumbprints)))

    async def compare(self, key: PaymentKeyLike) -> ComparedKey:
        """Compare a payment key with what its id stood for. Nothing is remembered. Raises UnexpectedAnswer."""
        kid, found = checked_kid(key), thumbprint(key)
        try:
            before = (await self.load()).get(_name(key))
        except DamagedEntry:
            return ComparedKey(key.host, kid, None, found, is_damaged=True)
        return ComparedKey(key.host, kid, before, found)

    async def accept(self, key: PaymentKeyLike) -> None:
        """Let this very key stand for its id from now on. Raises UnexpectedAnswer where the key itself is refused."""
        name, found = _name(key), thumbprint(key)
        try:
            known = await self.load()
        except DamagedEntry:
            known = {}
        known.pop(name, None)
        await self.save(_with(known, name, found))

    async def check(self, key: PaymentKeyLike, *, remember: bool = True) -> bool:
        """Compare a payment key with what its id stood for; True if its id is new, and then remember it.

        Raises:
            UnexpectedAnswer: the key itself is refused, or this id stood for another key before.
            DamagedEntry: as for `load`.
        """
        name, found = _name(key), thumbprint(key)
        known = await self.load()
        before = known.get(name)
        if before is None and remember:
            await self.save(_with(known, name, found))
        if before not in {None, found}:
            raise UnexpectedAnswer(
                f"{key.host} gave another payment key under a key id that it has used before. No order was sent: this "
                f"can be an attack. The person asks Firmly whether {found} is its key's thumbprint (before: {before}). "
                f"If it is, the person runs `{self.accept_command}` in a terminal.",
                next=self.accept_command,
            )
        return before is None


def _with(known: dict[str, str], name: str, found: str) -> dict[str, str]:
    return dict([*known.items(), (name, found)][-_KEPT:])


def _name(key: PaymentKeyLike) -> str:
    return f"{key.host.lower()} {checked_kid(key)}"


def _thumbprints_in(entry: SecretStr) -> dict[str, str] | None:
    try:
        return _ENTRY.validate_json(entry.get_secret_value())
    except ValidationError:
        return None
