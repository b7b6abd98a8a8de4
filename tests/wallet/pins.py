"""A PIN that is cheap to try, and a clock that a test moves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.errors import PinRefused
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.pin import ApprovalPin, Cost

from .samples import NOW, now

NAME = "simulator/local/pin"
PIN = SecretStr("8305 7")
WRONG = SecretStr("9416")
CHEAP = Cost(n=2, r=1, p=1)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def a_pin(directory: Path, secrets: MemoryKeychain, clock: Clock | None = None) -> ApprovalPin:
    """The PIN as one more process would open it."""
    return ApprovalPin(secrets, NAME, directory / "pin.lock", clock or now, CHEAP)


async def tries_left(pin: ApprovalPin, typed: SecretStr = WRONG) -> int | None:
    """What a refused try says."""
    with pytest.raises(PinRefused) as caught:
        await pin.check(typed)
    return caught.value.tries_left
