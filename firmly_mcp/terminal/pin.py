"""The approval PIN in a terminal: typed unseen at the controlling terminal, and checked nowhere but in the wallet."""

from __future__ import annotations

from typing import Final, TextIO

from pydantic import SecretStr

from firmly_mcp.errors import NotAllowed, PinRefused
from firmly_mcp.wallet.pin import LONGEST, SHORTEST, TRIES, ApprovalPin, pin_problem
from firmly_mcp.wallet.wallet import Wallet

from .controlling import NONE_FITS, answered, controlling_terminal, proof_at, unseen
from .telling import give

NEW: Final = f"New approval PIN, {SHORTEST} to {LONGEST} characters"
AGAIN: Final = "The same once more"
DIFFERENT: Final = "The two are not the same."


async def set_pin(vault: Wallet, *, as_json: bool) -> None:
    """Set the approval PIN, or change it: that asks for the one that is set first.

    Raises:
        PinRefused: the old one was wrong too often.
        NotAllowed: no terminal to ask in, or no answer was fine.
    """
    is_set = await vault.pin.is_set()
    with controlling_terminal("Setting the approval PIN") as terminal:
        old = await checked_pin(vault.pin, terminal, "Approval PIN that is set now") if is_set else None
        new = await _chosen(terminal)
        await vault.pin.set(new, proof_at(terminal, old))
        done = "changed" if is_set else "set"
        terminal.write(f"The approval PIN of the {vault.environment} environment is {done}.\n")
    if as_json:
        give({"pin": done, "environment": vault.environment})


async def checked_pin(pin: ApprovalPin, terminal: TextIO, question: str = "Approval PIN") -> SecretStr:
    """The PIN as a person typed it, found right; a wrong one is asked for again while there are tries.

    Raises:
        PinRefused: it was wrong too often, or it is locked.
        NotAllowed: too many answers were no PIN at all.
    """
    for _ in range(TRIES):
        typed = await answered(unseen(question), terminal)
        try:
            await pin.check(typed)
        except PinRefused as refused:
            if not refused.tries_left:
                raise
            terminal.write(f"{refused.message}\n")
        else:
            return typed
    raise NotAllowed(NONE_FITS)


async def _chosen(terminal: TextIO) -> SecretStr:
    for _ in range(TRIES):
        new = await answered(unseen(NEW), terminal)
        problem = pin_problem(new)
        if problem is None:
            if await answered(unseen(AGAIN), terminal) == new:
                return new
            problem = DIFFERENT
        terminal.write(f"{problem}\n")
    raise NotAllowed(f"None of {TRIES} answers was fine. Nothing was changed.")
