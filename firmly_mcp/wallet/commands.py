"""The operator's own commands: `card_command` prints a card, `cvv_command` a security code.

`card_command` runs when the card is first listed and whenever it is encrypted. Between the two only the summary is
kept, and another card than the one that was shown is not used.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final

from pydantic import SecretStr

from firmly_mcp.errors import CardRefused, WalletError
from firmly_mcp.system.process import run_for_output

from .cards import Card, CardSummary, new_card

_LONGEST: Final = 4096

_REQUIRED: Final = ("label", "number", "name", "month", "year")

_BILLING: Final = "billing_address"


class CardCommand:
    """The one card of `card_command`. `may_run` raises until a person accepted the command; `limit` is in seconds."""

    def __init__(
        self,
        command: Sequence[str],
        environment: str,
        *,
        may_run: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
        limit: float = 10.0,
    ) -> None:
        self._command = tuple(command)
        self._environment = environment
        self._may_run = may_run
        self._now = now
        self._limit = limit
        self._shown: CardSummary | None = None

    async def summary(self) -> CardSummary:
        """The card without its secrets, as it was printed first.

        Raises:
            NotAllowed: no person has accepted the command.
            WalletError, CardRefused: it printed no card; the message never holds what it printed.
        """
        if self._shown is None:
            self._shown = (await self._printed()).summary()
        return self._shown

    async def card(self) -> Card:
        """The card, to be encrypted at once.

        Raises:
            NotAllowed, WalletError, CardRefused: as for `summary`; or it is not the card that was shown.
        """
        shown, card = await self.summary(), await self._printed()
        if card.summary() != shown:
            self._shown = None
            raise CardRefused(f"{self._name} printed another card than the one that was shown. Nothing was sent.")
        return card

    @property
    def _name(self) -> str:
        return f"The card_command {PurePath(self._command[0]).name}"

    async def _printed(self) -> Card:
        await self._may_run()
        printed = await run_for_output(self._command, setting="card_command", longest=_LONGEST, limit=self._limit)
        fields = None if printed is None else _fields_in(printed)
        if fields is None:
            raise WalletError(
                f"{self._name} printed no card. It prints one JSON object of texts: {', '.join(_REQUIRED)}, and "
                f"{_BILLING} (a label of the address book) if that is not the default one. Nothing was sent."
            )
        billing = fields.get(_BILLING)
        try:
            return new_card(
                label=fields["label"].get_secret_value(),
                number=fields["number"],
                name=fields["name"].get_secret_value(),
                month=fields["month"].get_secret_value(),
                year=fields["year"].get_secret_value(),
                billing_address=None if billing is None else billing.get_secret_value(),
                environment=self._environment,
                now=self._now(),
            )
        except CardRefused as refused:
            problem = refused.message
        raise CardRefused(f"{self._name} printed a card that cannot be used: {problem} Nothing was sent.")


def _fields_in(printed: SecretStr) -> Mapping[str, SecretStr] | None:
    """The fields of a card; None where it is none. A field's name may be a card number too: no message has it."""
    try:
        read = json.loads(printed.get_secret_value())
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not set(_REQUIRED) <= set(read) <= {*_REQUIRED, _BILLING}:
        return None
    given = {field: value for field, value in read.items() if value is not None or field != _BILLING}
    if not all(isinstance(value, str) for value in given.values()):
        return None
    return {field: SecretStr(value) for field, value in given.items()}


# The security code is printed by the operator's own command at the moment of use, and is never stored.

_LONGEST_CODE: Final = 64


async def security_code(command: Sequence[str], *, limit: float = 10.0) -> SecretStr:
    """Run `cvv_command`, a program and its arguments, and take the three or four digits that it prints.

    Raises:
        WalletError: it cannot be run, fails, takes too long, or prints something else; never holds what it printed.
    """
    if not command:
        raise WalletError("No cvv_command is set, so there is no security code. Nothing was sent.")
    printed = await run_for_output(command, setting="cvv_command", longest=_LONGEST_CODE, limit=limit)
    if printed is None or not _is_code(printed):
        program = PurePath(command[0]).name
        raise WalletError(f"The cvv_command {program} printed no three or four digits. Nothing was sent.")
    return printed


def _is_code(printed: SecretStr) -> bool:
    text = printed.get_secret_value()
    return text.isascii() and text.isdigit() and len(text) in {3, 4}
