"""Secrets in this process's memory, for the demo's server alone: published test cards of the simulator, no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import CardRefused, WalletError
from firmly_mcp.settings import Owner

from .addresses import new_address
from .cards import TEST_NUMBERS, new_card
from .entries import entry_name
from .pin import ApprovalProof
from .wallet import Wallet

_ENVIRONMENT: Final = "simulator"


class MemoryKeychain:
    """Stands in for the keyring in a demonstration. What it holds is gone with the process."""

    description = "this process's memory (published test cards of the simulator only; gone when it ends)"

    def __init__(self) -> None:
        self._secrets: dict[str, SecretStr] = {}

    async def get(self, name: str) -> SecretStr | None:
        """The secret of this name; None when there is none."""
        return self._secrets.get(name)

    async def set(self, name: str, secret: SecretStr) -> None:
        """Keep a secret.

        Raises:
            CardRefused: it is of another environment, or a card whose number was not published for testing.
        """
        if not name.startswith(f"{entry_name(_ENVIRONMENT)}/"):
            raise CardRefused("Only the simulator's entries are held in memory; others belong in the system's keyring.")
        if not _is_harmless(secret):
            raise CardRefused("Only published test cards are held in memory; others belong in the system's keyring.")
        self._secrets[name] = secret

    async def delete(self, name: str) -> None:
        """Forget a secret; a missing one is no error."""
        self._secrets.pop(name, None)


def _is_harmless(secret: SecretStr) -> bool:
    try:
        entry = json.loads(secret.get_secret_value())
    except ValueError:
        return True
    return not isinstance(entry, dict) or "number" not in entry or entry["number"] in TEST_NUMBERS


# The demo's card and address: a published test number and a made-up person.

CARD_LABEL: Final = "test-visa"

ADDRESS_LABEL: Final = "home"

# Visa's published test number; no such card was ever issued, and no security code is kept for it.
TEST_NUMBER: Final = "4111111111111111"


async def demo_wallet(shopper: str, lock_dir: Path, now: Callable[[], datetime]) -> Wallet:
    """A wallet in this process's memory with the test card in it, for the simulator alone."""
    vault = Wallet(MemoryKeychain(), Owner(_ENVIRONMENT, shopper), lock_dir, now)
    await fill(vault)
    return vault


async def fill(vault: Wallet) -> None:
    """Put the test card and its address into a wallet of the simulator.

    Raises:
        WalletError: the keyring cannot be used, or the wallet is of another environment.
    """
    if vault.environment != "simulator":
        raise WalletError("The demo's card and address work in the simulator environment only.")
    await vault.add_own_address(
        new_address(
            label=ADDRESS_LABEL,
            origin="person",
            first_name="Ana",
            last_name="Lima",
            email="ana@example.com",
            phone="206-555-0100",
            address1="1 Test Street",
            city="Seattle",
            state_or_province="WA",
            postal_code="98101",
            country="US",
        ),
        ApprovalProof("demo"),
    )
    await vault.add_card(
        new_card(
            label=CARD_LABEL,
            number=SecretStr(TEST_NUMBER),
            name="Ana Lima",
            month="12",
            year=str(vault.now().year + 3),
            billing_address=ADDRESS_LABEL,
            environment="simulator",
            now=vault.now(),
        )
    )
