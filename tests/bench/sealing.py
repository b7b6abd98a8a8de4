"""What it takes to encrypt a card once the payment key is known."""

from __future__ import annotations

import time
from statistics import median
from typing import Final

from pydantic import SecretStr

from firmly_mcp.wallet.jwe import Encryptor
from tests.wallet.samples import a_card, a_key_pair

from .figures import ms

SEALS: Final = 500


def seals() -> dict[str, float]:
    """Milliseconds for a seal."""
    card, key, code = a_card(), a_key_pair().public, SecretStr("123")
    seconds = []
    for _ in range(SEALS):
        began = time.perf_counter()
        Encryptor(card, code, key, environment="simulator")()
        seconds.append(time.perf_counter() - began)
    return {"median_ms": ms(median(seconds))}
