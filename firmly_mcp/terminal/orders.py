"""Orders in a terminal: what was tried and what became of it, and how a person ends a doubt.

Reading takes no person. What a person says of a doubt or of the journal is answered at the controlling terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import click

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Attempt, State
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money
from firmly_mcp.wallet.wallet import Wallet

from .controlling import Word, by_person, controlling_terminal
from .differences import visible
from .progressing import progress_bar
from .tables import show
from .telling import tell

_COLUMNS: Final = {
    "id": "Attempt",
    "at": "At (UTC)",
    "store": "Store",
    "total": "Total",
    "state": "State",
    "order_number": "Order number",
    "what": "What",
}
_SETTLE: Final = Word("settle", "note this down")
_ACCEPT: Final = Word("accept", "go on with this journal")
_COLOURS: Final = {
    State.PLACED.value: "green",
    State.SENDING.value: "cyan",
    State.UNKNOWN.value: "bold yellow",
    State.NOT_PLACED.value: "dim",
}


async def list_orders(placement: Checkout, *, limit: int, as_json: bool) -> None:
    """Show the attempts to order, newest first."""
    _list(await placement.attempts(limit=limit), as_json=as_json)


async def settle(
    vault: Wallet,
    placement: Checkout,
    attempt_id: str | None,
    *,
    placed: str | None,
    not_placed: bool,
    charged: Decimal | None = None,
    as_json: bool = False,
) -> None:
    """Read attempts in doubt again; or end one as a person says. `charged` is in the order's currency.

    Raises:
        NotAllowed: the words do not fit together, there is no such attempt, or a person's word came without a terminal.
        PinRefused: the PIN was wrong too often.
    """
    by_hand = placed is not None or not_placed
    if (placed is not None and not_placed) or (by_hand and attempt_id is None):
        raise NotAllowed("Say which attempt, and either --placed with the order number or --not-placed.")
    if placed is not None and not placed.strip():
        raise NotAllowed("The order number is blank. Nothing was changed.", money_moved="unknown")
    if charged is not None and placed is None:
        raise NotAllowed("--charged goes with --placed: what was charged for which order number?")
    if attempt_id is None:
        with progress_bar("Reading how orders in doubt ended") as told:
            left = await placement.settle_all(told)
        if not as_json:
            _warn(await placement.alarms())
            click.echo("No attempt is in doubt." if not left else "Still in doubt:", err=True)
        _list(left, as_json=as_json)
        return
    attempt = await placement.attempt(attempt_id)
    if attempt is None:
        raise NotAllowed("There is no attempt of this id. `firmly-mcp orders list` shows them.")
    if by_hand:
        amount = None if charged is None else Money(charged, attempt.total.currency)
        attempt = await _ended(vault, placement, attempt, placed, amount)
        if not as_json:
            click.echo(_charge_in_words(attempt), err=True)
    _list([attempt], as_json=as_json)


async def _ended(
    vault: Wallet, placement: Checkout, attempt: Attempt, number: str | None, charged: Money | None
) -> Attempt:
    """End a doubt once the person at the terminal has said so, with the PIN where one is set."""
    money_moved = attempt.money_moved
    amount = "an amount that is not known" if charged is None else str(charged)
    said = "not placed" if number is None else f"placed as {number}, charged {amount}"
    with controlling_terminal("Ending a doubt", money_moved=money_moved) as terminal:
        terminal.write(f"{attempt.id}: {attempt.total} at {attempt.store}, {attempt.begun_at:%Y-%m-%d %H:%M} UTC. ")
        terminal.write(f"{'; '.join(attempt.lines)}.\nIt will be noted as {visible(said)}, as the store told you.\n")
        return await by_person(
            vault.pin,
            terminal,
            lambda proof: placement.settle_by_hand(attempt, number, charged, proof=proof),
            without_pin=_SETTLE,
            money_moved=money_moved,
        )


async def accept_journal(vault: Wallet, placement: Checkout, *, as_json: bool) -> None:
    """Take the journal that is there as the right one, once the person at the terminal has said so.

    Raises:
        NotAllowed: no terminal to ask in, or the person said no.
        PinRefused: the PIN was wrong too often.
    """
    with controlling_terminal("Accepting the journal") as terminal:
        terminal.write("Limits and earlier orders will be read from the journal that is there now. An order that is\n")
        terminal.write("missing in it counts for no limit, and can be placed again.\n")
        await by_person(vault.pin, terminal, placement.accept_journal, without_pin=_ACCEPT)
    tell("The journal is accepted; orders go on from it.", {"accepted": "journal"}, as_json=as_json)


def _list(attempts: Sequence[Attempt], *, as_json: bool) -> None:
    show([attempt_row(attempt) for attempt in attempts], _COLUMNS, as_json=as_json, colours=_COLOURS)
    if not as_json:
        _warn(attempts)


def _warn(attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        if attempt.alarm:
            click.echo(f"Warning: {attempt.id}: {attempt.alarm}", err=True)


_DIFFERS: Final = {
    "": "",
    "above": " That is not what was approved: ask the store.",
    "below": " That is less than was approved: compare your card's statement. Your limits count what was approved.",
}


def _charge_in_words(attempt: Attempt) -> str:
    charged, approved = attempt.outcome.charged, attempt.total
    if attempt.state is not State.PLACED:
        return (
            "Ended as not placed. The store is read for another 30 days: if the order turns up, it counts and you are "
            "warned. Should your card's statement show a charge, ask the store."
        )
    if charged is None:
        return f"What was charged is not known here: compare your card's statement with the approved {approved}."
    return f"Approved: {approved}. Charged: {charged}.{_DIFFERS[attempt.charge_differs]}"


def attempt_row(attempt: Attempt) -> dict[str, str | None]:
    """An attempt as a list has it."""
    return {
        "id": attempt.id,
        "at": f"{attempt.begun_at:%Y-%m-%d %H:%M}",
        "store": attempt.store,
        "total": str(attempt.outcome.charged or attempt.total),
        "state": attempt.state.value,
        "order_number": attempt.outcome.order_number,
        "what": "; ".join(attempt.lines),
        "reason": attempt.outcome.reason,
        "alarm": attempt.alarm or None,
    }
