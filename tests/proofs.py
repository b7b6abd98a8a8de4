"""A person's proof, as their terminal and their pages make it, for tests that are about something else."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from firmly_mcp.wallet.person import ApprovalProof

BY_PERSON: Final = ApprovalProof("terminal")


def with_pin(pin: SecretStr | str | None) -> ApprovalProof:
    """The proof of a person who typed this PIN."""
    return ApprovalProof("terminal", SecretStr(pin) if isinstance(pin, str) else pin)
