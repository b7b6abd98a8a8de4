"""A person's yes or no to an order, and what became of orders."""

from __future__ import annotations

import sys
from decimal import Decimal

import click

from .opening import Amount, with_placement


@click.command()
@click.argument("approval", required=False)
def approve(approval: str | None) -> None:
    """Approve or decline an order that an assistant asked for; the yes places it."""
    from firmly_mcp.terminal.approve import approve as approve_in_terminal

    sys.exit(0 if with_placement(lambda placement: approve_in_terminal(placement, approval)) else 1)


@click.group()
def orders() -> None:
    """What was ordered from here, and what is in doubt."""


@orders.command("list")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def orders_list(*, limit: int, as_json: bool) -> None:
    """List the attempts to order."""
    from firmly_mcp.terminal.orders import list_orders

    with_placement(lambda placement: list_orders(placement, limit=limit, as_json=as_json))


@orders.command("settle")
@click.argument("attempt", required=False)
@click.option("--placed", metavar="NUMBER", help="The store confirms this order number.")
@click.option("--charged", type=Amount(), help="What the store or your card's statement says was charged.")
@click.option("--not-placed", is_flag=True, help="The store says that there is no such order.")
def orders_settle(*, attempt: str | None, placed: str | None, charged: Decimal | None, not_placed: bool) -> None:
    """Read again how orders in doubt ended, or end one yourself after asking the store. Sends no order."""
    from firmly_mcp.terminal.orders import settle

    with_placement(lambda placement: settle(placement, attempt, placed=placed, not_placed=not_placed, charged=charged))


@orders.command("accept-journal")
def orders_accept_journal() -> None:
    """Go on with the journal that is there, after a backup was put back or the file was lost."""
    from firmly_mcp.terminal.orders import accept_journal

    with_placement(accept_journal)
