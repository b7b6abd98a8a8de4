"""Cards at the command line. The number is typed unseen; the security code is not asked for: it is never stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.errors import WalletError

from .output import (
    default_mark,
    examples,
    give,
    in_browser,
    json_option,
    meant_now,
    show,
    tell,
    with_services,
    with_vault,
)
from .pin import AGAIN, DIFFERENT, new_pin_question
from .prompt import (
    Word,
    ask,
    by_person,
    confirm,
    controlling_terminal,
    proof_at,
    read_object,
    require_terminal,
    text_of,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.wallet.cards import Card
    from firmly_mcp.wallet.wallet import Wallet


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
def cards_add(*, from_stdin: bool, browser: bool, as_json: bool) -> None:
    """Add a card; its number is typed unseen and goes nowhere but the keyring."""
    if browser:
        in_browser(lambda pages: pages.card_form(), from_stdin=from_stdin, as_json=as_json)
        return
    with_vault(lambda vault: add_card(vault, stdin=from_stdin, as_json=as_json))


@cards.command("list", epilog=examples("firmly-mcp cards list", "firmly-mcp cards list --json"))
@json_option
def cards_list(*, as_json: bool) -> None:
    """List the cards by label, brand, last four digits and expiry."""
    with_vault(lambda vault: list_cards(vault, as_json=as_json))


@cards.command("default", epilog=examples('firmly-mcp cards default "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_default(label: str, *, as_json: bool) -> None:
    """Choose the card that pays where an order names none."""
    with_vault(lambda vault: default_card(vault, label, as_json=as_json))


@cards.command("remove", epilog=examples('firmly-mcp cards remove "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_remove(label: str, *, as_json: bool) -> None:
    """Remove a card from the keyring."""
    with_vault(lambda vault: remove_card(vault, label, as_json=as_json))


@cards.command("unlock", epilog=examples('firmly-mcp cards unlock "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_unlock(label: str, *, as_json: bool) -> None:
    """Let a card pay again that two declined payments within an hour have locked."""

    async def act(services: Services) -> None:
        await unlock_card(await services.vault(), await services.placement(), label, as_json=as_json)

    with_services(act)


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


async def add_card(vault: Wallet, *, stdin: bool, as_json: bool = False) -> None:
    """Add a card that a person types, or with `stdin` one that a script gives; a script replaces no label.

    The first card asks for an approval PIN too.

    Raises:
        CardRefused: the card is not one, or its label is taken.
        AddressNotFound: its billing address is not in the book.
        WalletError: nobody is there to be asked, or the keyring cannot be used.
    """
    card, replace = (_given(vault), False) if stdin else await _typed(vault)
    wants_pin = await vault.wants_pin()
    pin = _asked_pin(vault) if wants_pin and not stdin else None
    added = await vault.add_card(card, replace=replace)
    _say(f"Added {added.label} ({added.brand}, ends in {added.last_four}) to {vault.description}.", as_json=as_json)
    if pin is not None:
        with controlling_terminal("Setting the approval PIN") as terminal:
            await vault.pin.set(pin, proof_at(terminal))
        _say("The approval PIN is set: an order asks for it beside the card's security code.", as_json=as_json)
    elif wants_pin:
        _say("No approval PIN is set yet. Set one with `firmly-mcp pin set`.", as_json=as_json)
    if as_json:
        give({"added": asdict(added), "wants_pin": wants_pin and pin is None})


def _say(words: str, *, as_json: bool) -> None:
    if not as_json:
        click.echo(words, err=True)


async def list_cards(vault: Wallet, *, as_json: bool) -> None:
    """Print the cards, never more of a number than its last four digits.

    Raises:
        WalletError: an entry is damaged; the others were printed.
    """
    cards, meant = await vault.cards(), await vault.default_card()
    rows = [
        asdict(card)
        | {"default": default_mark(card.label, meant, as_json=as_json)}
        | ({} if as_json else {"expires": f"{card.month}/{card.year}"})
        for card in cards
    ]
    show(rows, _COLUMNS, as_json=as_json)
    damaged = await vault.damaged_cards()
    if damaged:
        raise WalletError("\n".join(damage.message for damage in damaged))
    if not cards and not as_json:
        click.echo(f"There is no card yet. Add one with `{_ADD}`.", err=True)


async def default_card(vault: Wallet, label: str, *, as_json: bool) -> None:
    """Mean this card where an order names none.

    Raises:
        CardNotFound: there is none of this label.
    """
    await vault.set_default_card(label)
    meant = await vault.default_card()
    tell(f"An order that names no card is paid with {meant}.", {"default": meant}, as_json=as_json)


async def remove_card(vault: Wallet, label: str, *, as_json: bool) -> None:
    """Forget a card.

    Raises:
        CardNotFound: there is none of this label.
    """
    meant_before = await vault.default_card()
    await vault.remove_card(label)
    labels, meant = [card.label for card in await vault.cards()], await vault.default_card()
    words = f"Removed the card {label}.{meant_now('card', labels, meant, was_meant=meant_before)}"
    tell(words, {"removed": label, "default": meant}, as_json=as_json)


def _given(vault: Wallet) -> Card:
    from firmly_mcp.wallet.cards import new_card

    fields = read_object(_ADD, _REQUIRED, _OPTIONAL)
    return new_card(
        label=fields["label"].get_secret_value(),
        number=fields["number"],
        name=fields["name"].get_secret_value(),
        month=fields["month"].get_secret_value(),
        year=fields["year"].get_secret_value(),
        billing_address=text_of(fields, "billing_address"),
        environment=vault.environment,
        now=vault.now(),
    )


async def _typed(vault: Wallet) -> tuple[Card, bool]:
    """The card that a person types, and whether it may replace another one."""
    require_terminal(_ADD, ", ".join((*_REQUIRED, *_OPTIONAL)))
    billing = [address.label for address in await vault.addresses()]
    label = _asked_label()
    replace = await vault.has_card(label)
    if replace and not confirm(f"There is a card {label}. Replace it?"):
        raise WalletError("The card was not replaced, and nothing was added.")
    return _asked(vault, label, billing), replace


def _asked_label() -> str:
    from firmly_mcp.wallet.entries import label_problem

    return ask("Label, such as Visa", lambda typed: label_problem(typed.get_secret_value())).get_secret_value()


def _asked(vault: Wallet, label: str, billing: list[str]) -> Card:
    from firmly_mcp.wallet.cards import expiry_problem, month_and_year, name_problem, new_card, number_problem

    number = ask("Card number", lambda typed: number_problem(typed, vault.environment), hidden=True)
    name = ask("Name on the card", lambda typed: name_problem(typed.get_secret_value()))
    expiry = ask("Expires (MM/YYYY)", lambda typed: expiry_problem(*month_and_year(typed), vault.now()))
    month, year = month_and_year(expiry)
    return new_card(
        label=label,
        number=number,
        name=name.get_secret_value(),
        month=month,
        year=year,
        billing_address=_asked_billing(billing),
        environment=vault.environment,
        now=vault.now(),
    )


def _asked_pin(vault: Wallet) -> SecretStr | None:
    """A new approval PIN; on the simulator, whose cards are published test numbers, it may be left out."""
    from firmly_mcp.wallet.pin import pin_problem

    may_skip = vault.environment == "simulator"
    question = new_pin_question() + ("; empty for none" if may_skip else "")
    new = ask(question, lambda typed: None if may_skip and not typed else pin_problem(typed), hidden=True)
    if not new:
        return None
    ask(AGAIN, lambda typed: None if typed == new else DIFFERENT, hidden=True)
    return new


def _asked_billing(labels: list[str]) -> str | None:
    """A label of the address book; none where the book is empty or nothing is typed."""
    if not labels:
        click.echo("The address book is empty; add a billing address with `firmly-mcp addresses add`.", err=True)
        return None
    known = {label.casefold(): label for label in labels}
    answer = ask(
        f"Billing address ({', '.join(labels)}; empty for the default one)",
        lambda typed: None if typed.get_secret_value().casefold() in {"", *known} else "There is no such address.",
    )
    return known.get(answer.get_secret_value().casefold())


_UNLOCK: Final = Word("unlock", "let it be used again")


async def unlock_card(vault: Wallet, placement: Checkout, label: str, *, as_json: bool) -> None:
    """Unlock a card once a person said so, with the PIN where one is set.

    Raises:
        CardNotFound: there is none of this label.
        PinRefused: the PIN was wrong too often.
        NotAllowed: no terminal to ask in, or the person said no. Nothing was changed.
    """
    card = await vault.card_summary(label)
    with controlling_terminal("Unlocking a card") as terminal:
        terminal.write(f"{card.label}, {card.brand} ending {card.last_four}, environment {vault.environment}.\n")
        terminal.write("A card is locked after two declined payments within an hour.\n")
        was_locked = await by_person(
            vault.pin, terminal, lambda proof: placement.unlock_card(card.label, proof), without_pin=_UNLOCK
        )
        terminal.write(f"{card.label} is unlocked.\n" if was_locked else f"{card.label} was not locked.\n")
    if as_json:
        give({"unlocked": card.label, "was_locked": was_locked})
