"""A person's proof, as their terminal and their pages make it, for tests that are about something else."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Attempt
from firmly_mcp.wallet.pin import ApprovalProof

BY_PERSON: Final = ApprovalProof("terminal")


def with_pin(pin: SecretStr | str | None) -> ApprovalProof:
    """The proof of a person who typed this PIN."""
    return ApprovalProof("terminal", SecretStr(pin) if isinstance(pin, str) else pin)


async def until_recorded(checkout: Checkout, attempt: Attempt) -> None:
    """Wait until the process that sends this attempt has recorded its outcome."""
    log = checkout.progress(attempt)
    while log is not None and not log.ended:
        await log.more_than(len(log.steps))
