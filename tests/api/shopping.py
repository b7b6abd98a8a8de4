"""What the tests of this room share: a client on the simulator or on a raw server, an address, a sealed card."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jwcrypto import jwe, jwk

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.encoding import Hosts
from firmly_mcp.api.models import PaymentKey
from firmly_mcp.api.session import DeviceSession, TokensInMemory, TokenStore
from firmly_mcp.api.transport import Http
from firmly_mcp.simulator import TEST_CARD, Simulator

LUMA: Final = "staging.luma.gift"
TEE: Final[Mapping[str, object]] = {"variant_id": "WS12-XS-Orange"}
# Reading the system's certificates takes longer than most tests, which meet none but false ones.
TRUSTS_NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ADDRESS: Final[Mapping[str, str]] = {
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "2065550100",
    "address1": "1 Test St",
    "city": "Seattle",
    "state_or_province": "WA",
    "postal_code": "98101",
    "country": "US",
}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


@asynccontextmanager
async def client_of(
    url: str,
    lock_dir: Path,
    *,
    payment_url: str | None = None,
    tokens: TokenStore | None = None,
    clock: Clock | None = None,
    app_id: str = "app-1",
    only_this: bool = False,
) -> AsyncIterator[FirmlyClient]:
    """A client whose connections end with the block."""
    async with Http(verify=TRUSTS_NOBODY) as http:
        hosts = Hosts(url, payment_url or url)
        kept, now = tokens or TokensInMemory(), clock or Clock()
        yield FirmlyClient(DeviceSession(http, hosts, app_id, kept, now=now, lock_dir=lock_dir, only_this=only_this))


@asynccontextmanager
async def client_on(sim: Simulator, lock_dir: Path, *, tokens: TokenStore | None = None) -> AsyncIterator[FirmlyClient]:
    """A client of the simulator."""
    urls = client_of(sim.api_url, lock_dir, payment_url=sim.payment_url, tokens=tokens, app_id=sim.app_id)
    async with urls as client:
        yield client


def sealed(key: PaymentKey, card: Mapping[str, str] = TEST_CARD) -> str:
    """A card as the store can open it (RFC 7516)."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key.header_kid}
    public = jwk.JWK(kty="RSA", n=key.n, e=key.e)
    token = jwe.JWE(json.dumps(card).encode(), json.dumps(header))
    token.add_recipient(public)
    return str(token.serialize(compact=True))
