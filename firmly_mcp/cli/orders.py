"""Attempts to order: list them, end a doubt, accept a renewed payment key or a replaced journal.

Reading takes no person. Each of the other acts is answered at the controlling terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

from firmly_mcp.errors import NotAllowed, SettingsError

from .output import Amount, examples, in_app, json_option, progress_bar, report, show, visible
from .prompt import Word, controlling_terminal, run_as_person

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.checkout.models import Attempt
    from firmly_mcp.money import Money
    from firmly_mcp.wallet.jwe import ComparedKey
    from firmly_mcp.wallet.wallet import Wallet

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
_ACCEPT_JOURNAL: Final = Word("accept", "go on with this journal")
_ACCEPT_KEY: Final = Word("accept", "encrypt cards for the new key")
_MOST_COMPLETIONS: Final = 50


def complete_attempts(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the id of an attempt in doubt."""
    return _complete("attempts", begun)


def complete_approvals(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the id of an open approval."""
    return _complete("approvals", begun)


def _complete(table: str, begun: str) -> list[CompletionItem]:
    """Return what the journal has. The keyring stays closed; a journal that cannot be read completes to nothing."""
    import sqlite3

    from click.shell_completion import CompletionItem

    from firmly_mcp.app import JOURNAL
    from firmly_mcp.checkout.journal.inspect import open_ids
    from firmly_mcp.settings import read_settings

    try:
        settings = read_settings()
        found = open_ids(settings.data_dir / JOURNAL, table, settings.environment, settings.shopper)
    except (SettingsError, OSError, sqlite3.Error):
        return []
    return [CompletionItem(name, help=words) for name, words in found if name.startswith(begun)][:_MOST_COMPLETIONS]


@click.group(epilog=examples("firmly-mcp orders list", "firmly-mcp orders settle"))
def orders() -> None:
    """What was ordered from here, and what is in doubt."""


@orders.command("list", epilog=examples("firmly-mcp orders list", "firmly-mcp orders list --limit 100 --json"))
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
@in_app
async def orders_list(services: Services, *, limit: int, as_json: bool) -> None:
    """List the attempts to order."""
    checkout = await services.placement()
    _show_attempts(await checkout.attempts(limit=limit), as_json=as_json)


@orders.command(
    "settle",
    epilog=examples(
        "firmly-mcp orders settle",
        "firmly-mcp orders settle att_5f3c --placed 000123 --charged 53.40",
        "firmly-mcp orders settle att_5f3c --not-placed",
    ),
)
@click.argument("attempt", required=False, shell_complete=complete_attempts)
@click.option("--placed", metavar="NUMBER", help="The store confirms this order number.")
@click.option("--charged", type=Amount(), help="What the store or your card's statement says was charged.")
@click.option("--not-placed", is_flag=True, help="The store says that there is no such order.")
@json_option
@in_app
async def orders_settle(
    services: Services,
    attempt: str | None,
    *,
    placed: str | None,
    charged: Decimal | None,
    not_placed: bool,
    as_json: bool,
) -> None:
    """Read again how orders in doubt ended, or end one yourself after asking the store. Sends no order.

    Ending one is answered in the terminal, with the approval PIN where one is set.
    """
    from firmly_mcp.money import Money

    wallet, checkout = await services.vault(), await services.placement()
    _refuse_contradictions(attempt, placed, charged, not_placed=not_placed)
    if attempt is None:
        await _settle_all(checkout, as_json=as_json)
        return
    found = await checkout.attempt(attempt)
    if found is None:
        raise NotAllowed("There is no attempt of this id. `firmly-mcp orders list` shows them.")
    if placed is not None or not_placed:
        amount = None if charged is None else Money(charged, found.total.currency)
        found = await _settle_manually(wallet, checkout, found, placed, amount)
        if not as_json:
            click.echo(_settled_text(found), err=True)
    _show_attempts([found], as_json=as_json)


@orders.command("accept-payment-key", epilog=examples("firmly-mcp orders accept-payment-key"))
@json_option
@in_app
async def orders_accept_payment_key(services: Services, *, as_json: bool) -> None:
    """Go on with a payment key that Firmly renewed under its old key id, once Firmly has confirmed its thumbprint.

    It shows both keys' thumbprints and what to ask Firmly, and is answered in the terminal, with the approval PIN.
    """
    from firmly_mcp.checkout.execution import key_at

    # No program can tell a renewed key from an attacker's: only the key whose thumbprint was shown is accepted.
    firmly, wallet, accepted = await services.firmly(), await services.vault(), await services.accepted()
    key = key_at(firmly.session.hosts.payment, await firmly.payment_key())
    compared = await wallet.compare_payment_key(key)
    if not compared.is_refused:
        report(_nothing_to_accept(compared), _facts(compared, accepted=False), as_json=as_json)
        return
    if accepted.is_needed:
        await accepted.refuse_without_pin()
    with controlling_terminal("Accepting a payment key") as terminal:
        terminal.writelines(f"{line}\n" for line in _key_lines(compared))
        await run_as_person(
            wallet.pin, terminal, lambda proof: wallet.accept_payment_key(key, proof), without_pin=_ACCEPT_KEY
        )
    report("Accepted. Cards are encrypted for this key from now on.", _facts(compared, accepted=True), as_json=as_json)


@orders.command("accept-journal", epilog=examples("firmly-mcp orders accept-journal"))
@json_option
@in_app
async def orders_accept_journal(services: Services, *, as_json: bool) -> None:
    """Go on with the journal that is there, after a backup was put back or the file was lost.

    It is answered in the terminal, with the approval PIN where one is set.
    """
    wallet, checkout = await services.vault(), await services.placement()
    with controlling_terminal("Accepting the journal") as terminal:
        terminal.write("Limits and earlier orders will be read from the journal that is there now. An order that is\n")
        terminal.write("missing in it counts for no limit, and can be placed again.\n")
        await run_as_person(wallet.pin, terminal, checkout.accept_journal, without_pin=_ACCEPT_JOURNAL)
    report("The journal is accepted; orders go on from it.", {"accepted": "journal"}, as_json=as_json)


def _refuse_contradictions(
    attempt: str | None, placed: str | None, charged: Decimal | None, *, not_placed: bool
) -> None:
    if (placed is not None and not_placed) or ((placed is not None or not_placed) and attempt is None):
        raise NotAllowed("Say which attempt, and either --placed with the order number or --not-placed.")
    if placed is not None and not placed.strip():
        raise NotAllowed("The order number is blank. Nothing was changed.", money_moved="unknown")
    if charged is not None and placed is None:
        raise NotAllowed("--charged goes with --placed: what was charged for which order number?")


async def _settle_all(checkout: Checkout, *, as_json: bool) -> None:
    with progress_bar("Reading how orders in doubt ended") as update:
        left = await checkout.settle_all(update)
    if not as_json:
        _warn(await checkout.alarms())
        click.echo("No attempt is in doubt." if not left else "Still in doubt:", err=True)
    _show_attempts(left, as_json=as_json)


async def _settle_manually(
    wallet: Wallet, checkout: Checkout, attempt: Attempt, number: str | None, charged: Money | None
) -> Attempt:
    """End a doubt as the person at the terminal states, with the PIN if one is set."""
    amount = "an amount that is not known" if charged is None else str(charged)
    outcome = "not placed" if number is None else f"placed as {number}, charged {amount}"
    with controlling_terminal("Ending a doubt", money_moved=attempt.money_moved) as terminal:
        terminal.write(f"{attempt.id}: {attempt.total} at {attempt.store}, {attempt.begun_at:%Y-%m-%d %H:%M} UTC. ")
        terminal.write(f"{'; '.join(attempt.lines)}.\nIt will be noted as {visible(outcome)}, as the store told you.\n")
        return await run_as_person(
            wallet.pin,
            terminal,
            lambda proof: checkout.settle_manually(attempt, number, charged, proof=proof),
            without_pin=_SETTLE,
            money_moved=attempt.money_moved,
        )


def _settled_text(attempt: Attempt) -> str:
    from firmly_mcp.checkout.models import State
    from firmly_mcp.checkout.text import charge_note

    if attempt.state is not State.PLACED:
        return (
            "Ended as not placed. The store is read for another 30 days: if the order turns up, it counts and you are "
            "warned. Should your card's statement show a charge, ask the store."
        )
    note, charged = charge_note(attempt), attempt.outcome.charged
    both = "" if charged is None else f"Approved: {attempt.total}. Charged: {charged}."
    return " ".join(filter(None, (both, note.for_settled() if note is not None else "")))


def _show_attempts(attempts: Sequence[Attempt], *, as_json: bool) -> None:
    from firmly_mcp.checkout.text import STATUS_OF, STATUS_TEXT

    colours = {state.value: STATUS_TEXT[status].colour for state, status in STATUS_OF.items()}
    show([attempt_row(attempt) for attempt in attempts], _COLUMNS, as_json=as_json, colours=colours)
    if not as_json:
        _warn(attempts)


def _warn(attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        if attempt.alarm:
            click.echo(f"Warning: {attempt.id}: {attempt.alarm}", err=True)


def attempt_row(attempt: Attempt) -> dict[str, str | None]:
    """Return an attempt as lists and JSON have it."""
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


def _key_lines(compared: ComparedKey) -> Iterator[str]:
    from firmly_mcp.untrusted import clean

    kid = clean(compared.kid)
    before = "cannot be read: the keyring's entry is damaged" if compared.is_damaged else clean(compared.before)
    yield "The payment host shows another key than the one that cards were encrypted for before."
    yield ""
    yield f"  Payment host  {compared.host}"
    yield f"  Key id        {kid}"
    yield f"  Thumbprint before  {before}"
    yield f"  Thumbprint now     {compared.now}"
    yield ""
    yield "Firmly may have renewed its key. Someone between you and Firmly could also show a key of their own, and read"
    yield "your card with it. Ask Firmly, by an address or a number that you know already:"
    yield ""
    yield f'  "Is {compared.now} the SHA-256 thumbprint (RFC 7638)'
    yield f'  of your payment key {kid} at {compared.host}?"'
    yield ""
    yield "Accept it only if Firmly says yes. Every later change is asked about again."


def _nothing_to_accept(compared: ComparedKey) -> str:
    if compared.before is None:
        return "This key id was not used before: the next order remembers its key. There is nothing to accept."
    return "The payment key is the one that was used before. There is nothing to accept."


def _facts(compared: ComparedKey, *, accepted: bool) -> dict[str, Any]:
    shown = {name: fact for name, fact in asdict(compared).items() if name != "is_damaged"}
    return {"accepted": accepted, "payment_key": shown}
