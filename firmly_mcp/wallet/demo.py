"""The demo's card and address: a published test number and a made-up person. Nothing else puts a card here unasked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import WalletError

from .addresses import new_address
from .cards import new_card
from .memory import MemoryKeychain
from .person import PersonProof
from .vault import Vault

CARD_LABEL: Final = "test-visa"
ADDRESS_LABEL: Final = "home"
# Visa's published test number; no such card was ever issued, and no security code is kept for it.
TEST_NUMBER: Final = "4111111111111111"


async def demo_vault(shopper: str, lock_dir: Path, now: Callable[[], datetime]) -> Vault:
    """A wallet in this process's memory with the test card in it, for the simulator alone."""
    vault = Vault(MemoryKeychain(), "simulator", shopper, lock_dir, now)
    await fill(vault)
    return vault


async def fill(vault: Vault) -> None:
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
        PersonProof("demo"),
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
