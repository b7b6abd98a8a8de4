"""A person's yes or no to an order, and what became of orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

from firmly_mcp.errors import NotAllowed, SettingsError

from .output import Amount, examples, json_option, progress_bar, show, tell, visible, with_placement, with_services
from .prompt import Word, by_person, controlling_terminal

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from firmly_mcp.api.client import FirmlyClient
    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.checkout.models import Attempt
    from firmly_mcp.checkout.policy.acceptance import AcceptedSettings
    from firmly_mcp.money import Money
    from firmly_mcp.wallet.jwe import ComparedKey
    from firmly_mcp.wallet.wallet import Wallet


_MOST_COMPLETIONS: Final = 50


@click.group(epilog=examples("firmly-mcp orders list", "firmly-mcp orders settle"))
def orders() -> None:
    """What was ordered from here, and what is in doubt."""


@orders.command("list", epilog=examples("firmly-mcp orders list", "firmly-mcp orders list --limit 100 --json"))
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
def orders_list(*, limit: int, as_json: bool) -> None:
    """List the attempts to order."""
    with_placement(lambda placement: list_orders(placement, limit=limit, as_json=as_json))


def doubts(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the id of an attempt in doubt."""
    return _complete("attempts", begun)


def questions(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
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

    async def act(services: Services) -> None:
        await settle(await services.vault(), await services.placement(), attempt, **said)

    with_services(act)


@orders.command("accept-payment-key", epilog=examples("firmly-mcp orders accept-payment-key"))
@json_option
def orders_accept_payment_key(*, as_json: bool) -> None:
    """Go on with a payment key that Firmly renewed under its old key id, once Firmly has confirmed its thumbprint.

    It shows both keys' thumbprints and what to ask Firmly, and is answered in the terminal, with the approval PIN.
    """

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

    async def act(services: Services) -> None:
        await accept_journal(await services.vault(), await services.placement(), as_json=as_json)

    with_services(act)


# Orders in a terminal: what was tried and what became of it, and how a person ends a doubt.

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


async def list_orders(placement: Checkout, *, limit: int, as_json: bool) -> None:
    """Show the attempts to order, newest first."""
    _show_attempts(await placement.attempts(limit=limit), as_json=as_json)


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
    from firmly_mcp.money import Money

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
        _show_attempts(left, as_json=as_json)
        return
    attempt = await placement.attempt(attempt_id)
    if attempt is None:
        raise NotAllowed("There is no attempt of this id. `firmly-mcp orders list` shows them.")
    if by_hand:
        amount = None if charged is None else Money(charged, attempt.total.currency)
        attempt = await _ended(vault, placement, attempt, placed, amount)
        if not as_json:
            click.echo(_charge_in_words(attempt), err=True)
    _show_attempts([attempt], as_json=as_json)


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
        await by_person(vault.pin, terminal, placement.accept_journal, without_pin=_ACCEPT_JOURNAL)
    tell("The journal is accepted; orders go on from it.", {"accepted": "journal"}, as_json=as_json)


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


def _charge_in_words(attempt: Attempt) -> str:
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


# A payment key that was renewed under its old id: a person asks Firmly about it, and accepts the key that is shown.

_ACCEPT_KEY: Final = Word("accept", "encrypt cards for the new key")


async def accept_payment_key(firmly: FirmlyClient, vault: Wallet, accepted: AcceptedSettings, *, as_json: bool) -> None:
    """Fetch the payment key, show it beside the one that was used before, and accept it once the person said so.

    Raises:
        NotAllowed: no PIN where money moves, no terminal to ask in, or the person said no. Nothing was changed.
        PinRefused: the PIN was wrong too often. Nothing was changed.
        UnexpectedAnswer: the key cannot be used at all.
    """
    from firmly_mcp.checkout.execution import key_at

    key = key_at(firmly.session.hosts.payment, await firmly.payment_key())
    compared = await vault.compare_payment_key(key)
    if not compared.is_refused:
        tell(_nothing_to_accept(compared), _facts(compared, accepted=False), as_json=as_json)
        return
    if accepted.is_needed:
        await accepted.refuse_without_pin()
    with controlling_terminal("Accepting a payment key") as terminal:
        terminal.writelines(f"{line}\n" for line in _key_lines(compared))
        await by_person(
            vault.pin, terminal, lambda proof: vault.accept_payment_key(key, proof), without_pin=_ACCEPT_KEY
        )
    tell("Accepted. Cards are encrypted for this key from now on.", _facts(compared, accepted=True), as_json=as_json)


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
