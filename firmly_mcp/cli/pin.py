"""The approval PIN: typed unseen at the controlling terminal, and checked in the wallet alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from firmly_mcp.errors import NotAllowed

from .output import examples, in_app, json_option, print_json
from .prompt import ask_pin, ask_secret, controlling_terminal, proof_at

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.app import Services


@click.group(epilog=examples("firmly-mcp pin set"))
def pin() -> None:
    """The approval PIN, which a yes to an order asks for beside the card's security code."""


@pin.command("set", epilog=examples("firmly-mcp pin set", "FIRMLY_MCP_SHOPPER=ana firmly-mcp pin set"))
@json_option
@in_app
async def pin_set(services: Services, *, as_json: bool) -> None:
    """Set the approval PIN, or change it; changing it takes the old one.

    A forgotten PIN is reset outside of firmly-mcp: delete the entry ENVIRONMENT/SHOPPER/pin of firmly-mcp, such as
    production/local/pin, with your system's own keyring program (Passwords and Keys, KWalletManager, Keychain Access,
    Credential Manager), then set a new one.
    """
    wallet = await services.vault()

    async def check(typed: SecretStr) -> SecretStr:
        await wallet.pin.check(typed)
        return typed

    is_set = await wallet.pin.is_set()
    with controlling_terminal("Setting the approval PIN") as terminal:
        old = await ask_pin(terminal, check, question="Approval PIN that is set now") if is_set else None
        await wallet.pin.set(await new_pin(terminal), proof_at(terminal, old))
        done = "changed" if is_set else "set"
        terminal.write(f"The approval PIN of the {wallet.environment} environment is {done}.\n")
    if as_json:
        print_json({"pin": done, "environment": wallet.environment})


async def new_pin(terminal: TextIO, *, optional: bool = False) -> SecretStr:
    """Ask for a new PIN until it is good and typed twice the same. If it is `optional`, it may be empty.

    Raises:
        NotAllowed: the input ended, or no answer was fine.
    """
    from firmly_mcp.wallet.pin import LONGEST, SHORTEST, TRIES, pin_problem

    question = f"New approval PIN, {SHORTEST} to {LONGEST} characters{'; empty for none' if optional else ''}"
    for _ in range(TRIES):
        new = await ask_secret(terminal, question)
        if optional and not new:
            return new
        problem = pin_problem(new)
        if problem is None:
            if await ask_secret(terminal, "The same once more") == new:
                return new
            problem = "The two are not the same."
        terminal.write(f"{problem}\n")
    raise NotAllowed(f"None of {TRIES} answers was fine. Nothing was changed.")
