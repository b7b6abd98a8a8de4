"""The address book in a terminal. What a person types at it is their own; what a script gives is marked so."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from firmly_mcp.errors import WalletError

from .output import Row, default_mark, examples, in_browser, json_option, meant_now, show, tell, with_vault
from .prompt import ask, by_person, confirm, controlling_terminal, read_object, require_terminal, text_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.wallet.addresses import Address, AddressSource
    from firmly_mcp.wallet.wallet import Wallet

_ADD: Final = "firmly-mcp addresses add"
_COLUMNS: Final = {
    "label": "Label",
    "name": "Name",
    "address1": "Street",
    "city": "City",
    "postal_code": "Postal code",
    "country": "Country",
    "origin": "From",
    "default": "Default",
}


async def add_address(vault: Wallet, *, stdin: bool, as_json: bool) -> None:
    """Add an address that a person types, with the PIN where one is set; or with `stdin` one that a script gives.

    A script replaces no label, and an order to its address asks the person first.

    Raises:
        AddressRefused: names the field and what is wrong with it, or the label is taken.
        NotAllowed: no terminal to ask in. Nothing was added.
        PinRefused: the PIN was wrong too often. Nothing was added.
        WalletError: the keyring cannot be used.
    """
    from firmly_mcp.wallet.addresses import FIELDS

    required = ["label", *(name for name, field in FIELDS.items() if not field.optional)]
    optional = [name for name, field in FIELDS.items() if field.optional]
    if stdin:
        address = _made(read_object(_ADD, required, optional), "script")
        await vault.add_address(address)
    else:
        require_terminal(_ADD, ", ".join((*required, *optional)))
        address = await _typed(vault)
    tell(_added(vault, address), {"added": _row(address, as_json=True)}, as_json=as_json)


async def _typed(vault: Wallet) -> Address:
    """Add the address that a person types."""
    from firmly_mcp.wallet.entries import label_problem

    with controlling_terminal(f"`{_ADD}`") as terminal:
        await vault.addresses()  # a keyring that cannot be used is told before the questions
        label = ask("Label, such as Home", lambda typed: label_problem(typed.get_secret_value()))
        replace = await vault.has_address(label.get_secret_value())
        if replace and not confirm(f"There is an address {label.get_secret_value()}. Replace it?"):
            raise WalletError("The address was not replaced, and nothing was added.")
        address = _made({"label": label, **_asked()}, "person")
        await by_person(vault.pin, terminal, lambda proof: vault.add_own_address(address, proof, replace=replace))
    return address


def _added(vault: Wallet, address: Address) -> str:
    asks = "" if address.origin == "person" else " A script gave it, so an order to it asks you first."
    return f"Added {address.label} to {vault.description}.{asks}"


async def list_addresses(vault: Wallet, *, as_json: bool) -> None:
    """Print the address book; each entry says whether a person typed it, or a tool or a script gave it.

    Raises:
        WalletError: an entry is damaged; the others were printed.
    """
    addresses, meant = await vault.addresses(), await vault.default_address()
    rows: list[Row] = [
        {**_row(address, as_json=as_json), "default": default_mark(address.label, meant, as_json=as_json)}
        for address in addresses
    ]
    show(rows, _COLUMNS, as_json=as_json)
    damaged = await vault.damaged_addresses()
    if damaged:
        raise WalletError("\n".join(damage.message for damage in damaged))
    if not addresses and not as_json:
        click.echo(f"There is no address yet. Add one with `{_ADD}`.", err=True)


async def default_address(vault: Wallet, label: str, *, as_json: bool) -> None:
    """Mean this address where none is named.

    Raises:
        AddressNotFound: there is none of this label.
    """
    await vault.set_default_address(label)
    meant = await vault.default_address()
    tell(f"An order that names no address goes to {meant}.", {"default": meant}, as_json=as_json)


async def remove_address(vault: Wallet, label: str, *, as_json: bool) -> None:
    """Forget an address.

    Raises:
        AddressNotFound: there is none of this label.
        WalletError: it is the billing address of a card.
    """
    meant_before = await vault.default_address()
    await vault.remove_address(label)
    labels, meant = [address.label for address in await vault.addresses()], await vault.default_address()
    words = f"Removed the address {label}.{meant_now('address', labels, meant, was_meant=meant_before)}"
    tell(words, {"removed": label, "default": meant}, as_json=as_json)


def _row(address: Address, *, as_json: bool) -> dict[str, str | None]:
    row: dict[str, str | None] = {"label": address.label, "origin": address.origin, **address.as_firmly()}
    return row if as_json else row | {"name": f"{address.first_name} {address.last_name}"}


def _asked() -> dict[str, SecretStr]:
    from firmly_mcp.wallet.addresses import FIELDS

    answers: dict[str, SecretStr] = {}
    for name, field in FIELDS.items():
        question = f"{field.title} (may be empty)" if field.optional else field.title
        answers[name] = ask(question, partial(_problem, name, answers))
    return answers


def _problem(name: str, answers: Mapping[str, SecretStr], typed: SecretStr) -> str | None:
    from firmly_mcp.wallet.addresses import clean_field, field_problem

    country = clean_field("country", text_of(answers, "country"))
    return field_problem(name, clean_field(name, typed.get_secret_value()), country=country)


def _made(fields: Mapping[str, SecretStr], origin: AddressSource) -> Address:
    from firmly_mcp.wallet.addresses import new_address

    def text(name: str) -> str:
        return text_of(fields, name) or ""

    return new_address(
        label=text("label"),
        origin=origin,
        first_name=text("first_name"),
        last_name=text("last_name"),
        company=text("company"),
        email=text("email"),
        phone=text("phone"),
        address1=text("address1"),
        address2=text("address2"),
        city=text("city"),
        country=text("country"),
        state_or_province=text("state_or_province"),
        postal_code=text("postal_code"),
    )


@click.group(epilog=examples("firmly-mcp addresses add", "firmly-mcp addresses list"))
def addresses() -> None:
    """The address book, kept in this machine's keyring."""


@addresses.command(
    "add",
    epilog=examples(
        "firmly-mcp addresses add", "firmly-mcp addresses add --browser", "firmly-mcp addresses add --stdin < home.json"
    ),
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
@json_option
def addresses_add(*, from_stdin: bool, browser: bool, as_json: bool) -> None:
    """Add an address that orders may go to or cards are billed to."""
    if browser:
        in_browser(lambda pages: pages.address_form(), from_stdin=from_stdin, as_json=as_json)
        return
    with_vault(lambda vault: add_address(vault, stdin=from_stdin, as_json=as_json))


@addresses.command("list", epilog=examples("firmly-mcp addresses list", "firmly-mcp addresses list --json"))
@json_option
def addresses_list(*, as_json: bool) -> None:
    """List the addresses."""
    with_vault(lambda vault: list_addresses(vault, as_json=as_json))


@addresses.command("default", epilog=examples("firmly-mcp addresses default home"))
@click.argument("label")
@json_option
def addresses_default(label: str, *, as_json: bool) -> None:
    """Choose the address that is meant where none is named."""
    with_vault(lambda vault: default_address(vault, label, as_json=as_json))


@addresses.command("remove", epilog=examples("firmly-mcp addresses remove home"))
@click.argument("label")
@json_option
def addresses_remove(label: str, *, as_json: bool) -> None:
    """Remove an address."""
    with_vault(lambda vault: remove_address(vault, label, as_json=as_json))
