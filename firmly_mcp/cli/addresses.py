"""The address book: add, list, default, remove. Each entry keeps whether a person typed it or a script gave it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import click

from firmly_mcp.errors import WalletError

from .output import (
    Row,
    default_mark,
    default_note,
    examples,
    fill_page,
    in_app,
    json_option,
    refuse_both,
    report,
    show,
)
from .prompt import controlling_terminal, run_as_person
from .stdin import ask, confirm, read_object, require_terminal, text_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.app import Services
    from firmly_mcp.wallet.addresses import Address, AddressFields, AddressSource
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
@in_app
async def addresses_add(services: Services, *, from_stdin: bool, browser: bool, as_json: bool) -> None:
    """Add an address that orders may go to or cards are billed to."""
    from firmly_mcp.wallet.addresses import FIELDS

    refuse_both(from_stdin=from_stdin, browser=browser)
    if browser:
        await fill_page(services, await (await services.pages()).address_form(), as_json=as_json)
        return
    wallet = await services.vault()
    required = ["label", *(name for name, field in FIELDS.items() if not field.optional)]
    optional = [name for name, field in FIELDS.items() if field.optional]
    if from_stdin:
        address = _address(read_object(_ADD, required, optional), "script")
        await wallet.add_address(address)
    else:
        require_terminal(_ADD, (*required, *optional))
        address = await _add_typed(wallet)
    asks = "" if address.origin == "person" else " A script gave it, so an order to it asks you first."
    words = f"Added {address.label} to {wallet.description}.{asks}"
    report(words, {"added": _row(address, as_json=True)}, as_json=as_json)


@addresses.command("list", epilog=examples("firmly-mcp addresses list", "firmly-mcp addresses list --json"))
@json_option
@in_app
async def addresses_list(services: Services, *, as_json: bool) -> None:
    """List the addresses."""
    wallet = await services.vault()
    known, default = await wallet.addresses(), await wallet.default_address()
    rows: list[Row] = [
        {**_row(address, as_json=as_json), "default": default_mark(address.label, default, as_json=as_json)}
        for address in known
    ]
    show(rows, _COLUMNS, as_json=as_json)
    damaged = await wallet.damaged_addresses()
    if damaged:
        raise WalletError("\n".join(damage.message for damage in damaged))
    if not known and not as_json:
        click.echo(f"There is no address yet. Add one with `{_ADD}`.", err=True)


@addresses.command("default", epilog=examples("firmly-mcp addresses default home"))
@click.argument("label")
@json_option
@in_app
async def addresses_default(services: Services, label: str, *, as_json: bool) -> None:
    """Choose the address that is meant where none is named."""
    wallet = await services.vault()
    await wallet.set_default_address(label)
    default = await wallet.default_address()
    report(f"An order that names no address goes to {default}.", {"default": default}, as_json=as_json)


@addresses.command("remove", epilog=examples("firmly-mcp addresses remove home"))
@click.argument("label")
@json_option
@in_app
async def addresses_remove(services: Services, label: str, *, as_json: bool) -> None:
    """Remove an address."""
    wallet = await services.vault()
    before = await wallet.default_address()
    await wallet.remove_address(label)
    labels, default = [address.label for address in await wallet.addresses()], await wallet.default_address()
    words = f"Removed the address {label}.{default_note('address', labels, default, before=before)}"
    report(words, {"removed": label, "default": default}, as_json=as_json)


async def _add_typed(wallet: Wallet) -> Address:
    """Add the address that a person types, with the PIN if one is set."""
    from firmly_mcp.wallet.entries import label_problem

    with controlling_terminal(f"`{_ADD}`") as terminal:
        await wallet.addresses()  # a keyring that cannot be used is reported before the questions
        label = ask("Label, such as Home", lambda typed: label_problem(typed.get_secret_value()))
        replace = await wallet.has_address(label.get_secret_value())
        if replace and not confirm(f"There is an address {label.get_secret_value()}. Replace it?"):
            raise WalletError("The address was not replaced, and nothing was added.")
        address = _address({"label": label, **_ask_fields()}, "person")
        await run_as_person(wallet.pin, terminal, lambda proof: wallet.add_own_address(address, proof, replace=replace))
    return address


def _ask_fields() -> dict[str, SecretStr]:
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


def _address(fields: Mapping[str, SecretStr], source: AddressSource) -> Address:
    from firmly_mcp.wallet.addresses import FIELDS, new_address

    # No variable holds what was typed: a card number may be in the wrong field, and a traceback shows variables.
    return new_address(
        label=text_of(fields, "label") or "",
        origin=source,
        **cast("AddressFields", {name: text_of(fields, name) or "" for name in FIELDS}),
    )


def _row(address: Address, *, as_json: bool) -> dict[str, str | None]:
    row: dict[str, str | None] = {"label": address.label, "origin": address.origin, **address.as_firmly()}
    return row if as_json else row | {"name": f"{address.first_name} {address.last_name}"}
