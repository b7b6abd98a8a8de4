"""The security code is printed by the operator's own command at the moment of use, and is never stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import WalletError

from .operator_command import printed_by

_LONGEST: Final = 64


class OneUseCode:
    """A security code for one encryption: an order lasts for minutes, and what waits for it must not hold the code."""

    __slots__ = ("_code",)

    def __init__(self, code: SecretStr) -> None:
        self._code: SecretStr | None = code

    def take(self) -> SecretStr:
        """Return the code and forget it; the second time raises RuntimeError."""
        code, self._code = self._code, None
        if code is None:
            raise RuntimeError("a security code is used once")
        return code

    def forget(self) -> None:
        """Forget the code, used or not."""
        self._code = None


async def security_code(command: Sequence[str], *, limit: float = 10.0) -> SecretStr:
    """Run `cvv_command`, a program and its arguments, and take the three or four digits that it prints.

    Raises:
        WalletError: it cannot be run, fails, takes too long, or prints something else; never holds what it printed.
    """
    if not command:
        raise WalletError("No cvv_command is set, so there is no security code. Nothing was sent.")
    printed = await printed_by(command, setting="cvv_command", longest=_LONGEST, limit=limit)
    if printed is None or not _is_code(printed):
        program = PurePath(command[0]).name
        raise WalletError(f"The cvv_command {program} printed no three or four digits. Nothing was sent.")
    return printed


def _is_code(printed: SecretStr) -> bool:
    text = printed.get_secret_value()
    return text.isascii() and text.isdigit() and len(text) in {3, 4}
