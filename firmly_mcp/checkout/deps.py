"""What one shopper's checkout works with: built once by `app`, frozen, and handed on whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.settings import Owner
from firmly_mcp.system.files import SenderLocks
from firmly_mcp.wallet.wallet import Wallet

from .journal.journal import Journal
from .models import Attempt
from .policy.acceptance import Policy


class StoreClients(Protocol):
    """Clients of Firmly, each for one device."""

    async def shopper(self) -> FirmlyClient:
        """Return the shopper's own device, whose carts outlive the process."""

    async def throwaway(self) -> FirmlyClient:
        """Return a device that lives in memory, to learn a price."""

    async def of_attempt(self, attempt_id: str) -> FirmlyClient:
        """Return the attempt's own device: made by the first call, found by any later one."""

    async def kept(self, attempt_id: str) -> FirmlyClient | None:
        """Return the attempt's own device as it was made; None where its token is not stored."""

    async def forget(self, attempt_id: str) -> None:
        """Delete the attempt's token."""


class PolicySource(Protocol):
    """The rules and settings of the shopper, as a person accepted them."""

    async def load(self) -> Policy:
        """Return the rules in force now."""

    async def require_accepted_destination(self) -> None:
        """Raise NotAllowed while a person has not accepted where orders and payments go."""


def seconds_passed() -> float:
    """Return the seconds since some moment, by a clock that goes on while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        # Unlike `time.monotonic`, which stops in sleep.
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What checkout is given. `security_code` is None where no command prints one; `order_ended` hears every outcome.

    `now` is the time of day, `clock` counts seconds for the age of a price.
    """

    owner: Owner
    wallet: Wallet
    stores: StoreClients
    journal: Journal
    policy: PolicySource
    locks: SenderLocks
    order_ended: Callable[[Attempt], Awaitable[None]]
    security_code: Callable[[], Awaitable[SecretStr]] | None
    now: Callable[[], datetime]
    clock: Callable[[], float] = seconds_passed
