"""The approval PIN in a terminal: typed unseen at the controlling terminal, and checked nowhere but in the wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

import click

from firmly_mcp.errors import NotAllowed, PinRefused

from .output import examples, give, json_option, with_vault
from .prompt import answered, controlling_terminal, no_pin, proof_at, unseen

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.wallet.pin import ApprovalPin
    from firmly_mcp.wallet.wallet import Wallet

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
    from firmly_mcp.wallet.pin import TRIES

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
    raise NotAllowed(no_pin())


def new_pin_question() -> str:
    """Return the question for a new PIN."""
    from firmly_mcp.wallet.pin import LONGEST, SHORTEST

    return f"New approval PIN, {SHORTEST} to {LONGEST} characters"


async def _chosen(terminal: TextIO) -> SecretStr:
    from firmly_mcp.wallet.pin import TRIES, pin_problem

    for _ in range(TRIES):
        new = await answered(unseen(new_pin_question()), terminal)
        problem = pin_problem(new)
        if problem is None:
            if await answered(unseen(AGAIN), terminal) == new:
                return new
            problem = DIFFERENT
        terminal.write(f"{problem}\n")
    raise NotAllowed(f"None of {TRIES} answers was fine. Nothing was changed.")


@click.group(epilog=examples("firmly-mcp pin set"))
def pin() -> None:
    """The approval PIN, which a yes to an order asks for beside the card's security code."""


@pin.command("set", epilog=examples("firmly-mcp pin set", "FIRMLY_MCP_SHOPPER=ana firmly-mcp pin set"))
@json_option
def pin_set(*, as_json: bool) -> None:
    """Set the approval PIN, or change it; changing it takes the old one.

    A forgotten PIN is reset outside of firmly-mcp: delete the entry ENVIRONMENT/SHOPPER/pin of firmly-mcp, such as
    production/local/pin, with your system's own keyring program (Passwords and Keys, KWalletManager, Keychain Access,
    Credential Manager), then set a new one.
    """
    with_vault(lambda vault: set_pin(vault, as_json=as_json))
