"""A person's yes or no to an order, and what became of orders."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .completion import doubts, questions
from .manners import examples, json_option
from .opening import Amount, with_placement, with_services

if TYPE_CHECKING:
    from firmly_mcp.app import Services


@click.command(epilog=examples("firmly-mcp approve", "firmly-mcp approve ap_18ed16ef4ad03ad3"))
@click.argument("approval", required=False, shell_complete=questions)
@json_option
def approve(approval: str | None, *, as_json: bool) -> None:
    """Approve or decline an order that an assistant asked for; the yes places it.

    The question and its answer go through the terminal alone. The exit code is 0 if the order is placed.
    """
    from firmly_mcp.terminal.approve import approve as approve_in_terminal

    placed = with_placement(lambda placement: approve_in_terminal(placement, approval, as_json=as_json))
    sys.exit(0 if placed else 1)


@click.group(epilog=examples("firmly-mcp orders list", "firmly-mcp orders settle"))
def orders() -> None:
    """What was ordered from here, and what is in doubt."""


@orders.command("list", epilog=examples("firmly-mcp orders list", "firmly-mcp orders list --limit 100 --json"))
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
def orders_list(*, limit: int, as_json: bool) -> None:
    """List the attempts to order."""
    from firmly_mcp.terminal.orders import list_orders

    with_placement(lambda placement: list_orders(placement, limit=limit, as_json=as_json))


@orders.command(
    "settle",
    epilog=examples(
        "firmly-mcp orders settle",
        "firmly-mcp orders settle att_5f3c --placed 000123 --charged 53.40",
        "firmly-mcp orders settle att_5f3c --not-placed",
    ),
)
@click.argument("attempt", required=False, shell_complete=doubts)
@click.option("--placed", metavar="NUMBER", help="The store confirms this order number.")
@click.option("--charged", type=Amount(), help="What the store or your card's statement says was charged.")
@click.option("--not-placed", is_flag=True, help="The store says that there is no such order.")
@json_option
def orders_settle(attempt: str | None, **said: Any) -> None:
    """Read again how orders in doubt ended, or end one yourself after asking the store. Sends no order.

    Ending one is answered in the terminal, with the approval PIN where one is set.
    """
    from firmly_mcp.terminal.orders import settle

    async def act(services: Services) -> None:
        await settle(await services.vault(), await services.placement(), attempt, **said)

    with_services(act)


@orders.command("accept-payment-key", epilog=examples("firmly-mcp orders accept-payment-key"))
@json_option
def orders_accept_payment_key(*, as_json: bool) -> None:
    """Go on with a payment key that Firmly renewed under its old key id, once Firmly has confirmed its thumbprint.

    It shows both keys' thumbprints and what to ask Firmly, and is answered in the terminal, with the approval PIN.
    """
    from firmly_mcp.terminal.payment_key import accept_payment_key

    async def act(services: Services) -> None:
        firmly, vault, accepted = await services.firmly(), await services.vault(), await services.accepted()
        await accept_payment_key(firmly, vault, accepted, as_json=as_json)

    with_services(act)


@orders.command("accept-journal", epilog=examples("firmly-mcp orders accept-journal"))
@json_option
def orders_accept_journal(*, as_json: bool) -> None:
    """Go on with the journal that is there, after a backup was put back or the file was lost.

    It is answered in the terminal, with the approval PIN where one is set.
    """
    from firmly_mcp.terminal.orders import accept_journal

    async def act(services: Services) -> None:
        await accept_journal(await services.vault(), await services.placement(), as_json=as_json)

    with_services(act)
