"""A card, an address, a payment key: whatever a test of the wallet needs and is not about."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from firmly_mcp.errors import DamagedEntry
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.addresses import Address, new_address
from firmly_mcp.wallet.cards import Card, new_card
from firmly_mcp.wallet.jwe import PaymentKey, PaymentKeyLike
from firmly_mcp.wallet.keychain import Keychain, Secrets
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.wallet import Wallet

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEST_VISA = "4111111111111111"
TEST_AMEX = "378282246310005"
# Not published anywhere: what a real card's number looks like.
REAL_LOOKING = "4539148803436467"

# What the environments' table has to hold, written down a second time.
PAYMENT_HOSTS = {"sandbox": "cc.firmly.work", "production": "cc.firmly.online"}

_shoppers = (f"shopper-{number}" for number in itertools.count())


def now() -> datetime:
    return NOW


def a_card(**changes: Any) -> Card:
    fields: dict[str, Any] = {
        "label": "Visa",
        "number": SecretStr(TEST_VISA),
        "name": "Ana Lima",
        "month": "08",
        "year": "2030",
        "environment": "simulator",
        "now": NOW,
    }
    return new_card(**fields | changes)


def an_address(**changes: Any) -> Address:
    fields: dict[str, Any] = {
        "label": "Home",
        "origin": "person",
        "first_name": "Ana",
        "last_name": "Lima",
        "email": "ana@example.com",
        "phone": "+1 206 555 0100",
        "address1": "1 Test Street",
        "city": "Seattle",
        "state_or_province": "WA",
        "postal_code": "98101",
        "country": "US",
    }
    return new_address(**fields | changes)


def a_vault(lock_dir: Path, keychain: Secrets | None = None, *, environment: str = "simulator") -> Wallet:
    """A vault of a shopper that no other test has."""
    return Wallet(keychain or MemoryKeychain(), Owner(environment, next(_shoppers)), lock_dir, now)


def a_real_vault(lock_dir: Path, *, environment: str = "simulator") -> Wallet:
    return a_vault(lock_dir, Keychain(), environment=environment)


async def sealed_by(vault: Wallet, label: str | None, code: SecretStr, key: PaymentKeyLike) -> SecretStr:
    """The card of this label as an order has it: read and checked, then encrypted."""
    return (await vault.encryptor(label, code, key))()


async def damage_in(vault: Wallet) -> list[DamagedEntry]:
    return await vault.damaged_cards() + await vault.damaged_addresses()


@dataclass(frozen=True)
class KeyPair:
    """Firmly's side of a payment key."""

    private: rsa.RSAPrivateKey
    public: PaymentKey


def a_key_pair(*, host: str = "127.0.0.1:8123", kid: str = "2026-01-key", which: int = 0) -> KeyPair:
    private = _private_key(which)
    numbers = private.public_key().public_numbers()
    return KeyPair(private, PaymentKey(host, kid, base64url(numbers.n), base64url(numbers.e), "RSA", use="enc"))


def base64url(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@cache
def _private_key(which: int) -> rsa.RSAPrivateKey:
    del which  # another key for every number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
