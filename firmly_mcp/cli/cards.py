"""Payment cards: add, list, default, remove, unlock. The security code is not asked for, because it is never stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.errors import WalletError

from .output import (
    default_mark,
    default_note,
    examples,
    fill_page,
    in_app,
    json_option,
    print_json,
    refuse_both,
    report,
    show,
)
from .pin import new_pin
from .prompt import Word, controlling_terminal, proof_at, run_as_person
from .stdin import ask, confirm, read_object, require_terminal, text_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.app import Services
    from firmly_mcp.wallet.cards import Card
    from firmly_mcp.wallet.wallet import Wallet

_ADD: Final = "firmly-mcp cards add"
_REQUIRED: Final = ("label", "number", "name", "month", "year")
_OPTIONAL: Final = ("billing_address",)
_COLUMNS: Final = {
    "label": "Label",
    "brand": "Brand",
    "last_four": "Ends in",
    "expires": "Expires",
    "billing_address": "Billing address",
    "default": "Default",
}
_UNLOCK: Final = Word("unlock", "let it be used again")


@click.group(epilog=examples("firmly-mcp cards add", "firmly-mcp cards list"))
def cards() -> None:
    """The payment cards kept in this machine's keyring."""


@cards.command(
    "add",
    epilog=examples(
        "firmly-mcp cards add",
        "firmly-mcp cards add --browser",
        "firmly-mcp cards add --stdin --json < card.json",
    ),
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
@json_option
@in_app
async def cards_add(services: Services, *, from_stdin: bool, browser: bool, as_json: bool) -> None:
    """Add a card; its number is typed unseen and goes nowhere but the keyring."""
    refuse_both(from_stdin=from_stdin, browser=browser)
    if browser:
        await fill_page(services, await (await services.pages()).card_form(), as_json=as_json)
    else:
        await add_card(await services.vault(), stdin=from_stdin, as_json=as_json)


@cards.command("list", epilog=examples("firmly-mcp cards list", "firmly-mcp cards list --json"))
@json_option
@in_app
async def cards_list(services: Services, *, as_json: bool) -> None:
    """List the cards by label, brand, last four digits and expiry."""
    wallet = await services.vault()
    known, default = await wallet.cards(), await wallet.default_card()
    rows = [
        asdict(card)
        | {"default": default_mark(card.label, default, as_json=as_json)}
        | ({} if as_json else {"expires": f"{card.month}/{card.year}"})
        for card in known
    ]
    show(rows, _COLUMNS, as_json=as_json)
    damaged = await wallet.damaged_cards()
    if damaged:
        raise WalletError("\n".join(damage.message for damage in damaged))
    if not known and not as_json:
        click.echo(f"There is no card yet. Add one with `{_ADD}`.", err=True)


@cards.command("default", epilog=examples('firmly-mcp cards default "Everyday Visa"'))
@click.argument("label")
@json_option
@in_app
async def cards_default(services: Services, label: str, *, as_json: bool) -> None:
    """Choose the card that pays where an order names none."""
    wallet = await services.vault()
    await wallet.set_default_card(label)
    default = await wallet.default_card()
    report(f"An order that names no card is paid with {default}.", {"default": default}, as_json=as_json)


@cards.command("remove", epilog=examples('firmly-mcp cards remove "Everyday Visa"'))
@click.argument("label")
@json_option
@in_app
async def cards_remove(services: Services, label: str, *, as_json: bool) -> None:
    """Remove a card from the keyring."""
    wallet = await services.vault()
    before = await wallet.default_card()
    await wallet.remove_card(label)
    labels, default = [card.label for card in await wallet.cards()], await wallet.default_card()
    words = f"Removed the card {label}.{default_note('card', labels, default, before=before)}"
    report(words, {"removed": label, "default": default}, as_json=as_json)


@cards.command("unlock", epilog=examples('firmly-mcp cards unlock "Everyday Visa"'))
@click.argument("label")
@json_option
@in_app
async def cards_unlock(services: Services, label: str, *, as_json: bool) -> None:
    """Let a card pay again that two declined payments within an hour have locked."""
    wallet, checkout = await services.vault(), await services.placement()
    card = await wallet.card_summary(label)
    with controlling_terminal("Unlocking a card") as terminal:
        terminal.write(f"{card.label}, {card.brand} ending {card.last_four}, environment {wallet.environment}.\n")
        terminal.write("A card is locked after two declined payments within an hour.\n")
        was_locked = await run_as_person(
            wallet.pin, terminal, lambda proof: checkout.unlock_card(card.label, proof), without_pin=_UNLOCK
        )
        terminal.write(f"{card.label} is unlocked.\n" if was_locked else f"{card.label} was not locked.\n")
    if as_json:
        print_json({"unlocked": card.label, "was_locked": was_locked})


async def add_card(wallet: Wallet, *, stdin: bool, as_json: bool = False) -> None:
    """Add a card that a person types, or with `stdin` one that a script gives; a script replaces no label.

    The first card asks for an approval PIN too.
    """
    card, replace = (_given_card(wallet), False) if stdin else await _typed_card(wallet)
    wants_pin = await wallet.wants_pin()
    pin = await _first_pin(wallet) if wants_pin and not stdin else None
    added = await wallet.add_card(card, replace=replace)
    if not as_json:
        click.echo(f"Added {added.label} ({added.brand}, ends in {added.last_four}) to {wallet.description}.", err=True)
    words = "No approval PIN is set yet. Set one with `firmly-mcp pin set`." if wants_pin else ""
    if pin is not None:
        with controlling_terminal("Setting the approval PIN") as terminal:
            await wallet.pin.set(pin, proof_at(terminal))
        words = "The approval PIN is set: an order asks for it beside the card's security code."
    if words or as_json:
        report(words, {"added": asdict(added), "wants_pin": wants_pin and pin is None}, as_json=as_json)


def _given_card(wallet: Wallet) -> Card:
    from firmly_mcp.wallet.cards import new_card

    fields = read_object(_ADD, _REQUIRED, _OPTIONAL)
    return new_card(
        label=fields["label"].get_secret_value(),
        number=fields["number"],
        name=fields["name"].get_secret_value(),
        month=fields["month"].get_secret_value(),
        year=fields["year"].get_secret_value(),
        billing_address=text_of(fields, "billing_address"),
        environment=wallet.environment,
        now=wallet.now(),
    )


async def _typed_card(wallet: Wallet) -> tuple[Card, bool]:
    """Return the card that a person types, and whether it may replace another one."""
    from firmly_mcp.wallet.cards import expiry_problem, month_and_year, name_problem, new_card, number_problem
    from firmly_mcp.wallet.entries import label_problem

    require_terminal(_ADD, (*_REQUIRED, *_OPTIONAL))
    billing = [address.label for address in await wallet.addresses()]
    label = ask("Label, such as Visa", lambda typed: label_problem(typed.get_secret_value())).get_secret_value()
    replace = await wallet.has_card(label)
    if replace and not confirm(f"There is a card {label}. Replace it?"):
        raise WalletError("The card was not replaced, and nothing was added.")
    number = ask("Card number", lambda typed: number_problem(typed, wallet.environment), hidden=True)
    name = ask("Name on the card", lambda typed: name_problem(typed.get_secret_value()))
    expiry = ask("Expires (MM/YYYY)", lambda typed: expiry_problem(*month_and_year(typed), wallet.now()))
    month, year = month_and_year(expiry)
    card = new_card(
        label=label,
        number=number,
        name=name.get_secret_value(),
        month=month,
        year=year,
        billing_address=_ask_billing_address(billing),
        environment=wallet.environment,
        now=wallet.now(),
    )
    return card, replace


async def _first_pin(wallet: Wallet) -> SecretStr | None:
    """Ask for an approval PIN; the simulator, whose cards are published test numbers, may go without one."""
    with controlling_terminal("Setting the approval PIN") as terminal:
        return await new_pin(terminal, optional=wallet.environment == "simulator") or None


def _ask_billing_address(labels: list[str]) -> str | None:
    """Ask for a label of the address book; return None if the book or the answer is empty."""
    if not labels:
        click.echo("The address book is empty; add a billing address with `firmly-mcp addresses add`.", err=True)
        return None
    known = {label.casefold(): label for label in labels}
    answer = ask(
        f"Billing address ({', '.join(labels)}; empty for the default one)",
        lambda typed: None if typed.get_secret_value().casefold() in {"", *known} else "There is no such address.",
    )
    return known.get(answer.get_secret_value().casefold())
