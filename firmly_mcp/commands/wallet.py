"""Cards, addresses and the PIN: what the keyring holds, put there by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .manners import examples, json_option
from .opening import in_browser, with_services, with_vault

if TYPE_CHECKING:
    from firmly_mcp.app import Services


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
    from firmly_mcp.terminal.cards import add_card

    if browser:
        in_browser(lambda pages: pages.card_form(), from_stdin=from_stdin, as_json=as_json)
        return
    with_vault(lambda vault: add_card(vault, stdin=from_stdin, as_json=as_json))


@cards.command("list", epilog=examples("firmly-mcp cards list", "firmly-mcp cards list --json"))
@json_option
def cards_list(*, as_json: bool) -> None:
    """List the cards by label, brand, last four digits and expiry."""
    from firmly_mcp.terminal.cards import list_cards

    with_vault(lambda vault: list_cards(vault, as_json=as_json))


@cards.command("default", epilog=examples('firmly-mcp cards default "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_default(label: str, *, as_json: bool) -> None:
    """Choose the card that pays where an order names none."""
    from firmly_mcp.terminal.cards import default_card

    with_vault(lambda vault: default_card(vault, label, as_json=as_json))


@cards.command("remove", epilog=examples('firmly-mcp cards remove "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_remove(label: str, *, as_json: bool) -> None:
    """Remove a card from the keyring."""
    from firmly_mcp.terminal.cards import remove_card

    with_vault(lambda vault: remove_card(vault, label, as_json=as_json))


@cards.command("unlock", epilog=examples('firmly-mcp cards unlock "Everyday Visa"'))
@click.argument("label")
@json_option
def cards_unlock(label: str, *, as_json: bool) -> None:
    """Let a card pay again that two declined payments within an hour have locked."""
    from firmly_mcp.terminal.unlocking import unlock_card

    async def act(services: Services) -> None:
        await unlock_card(await services.vault(), await services.placement(), label, as_json=as_json)

    with_services(act)


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
    from firmly_mcp.terminal.addresses import add_address

    if browser:
        in_browser(lambda pages: pages.address_form(), from_stdin=from_stdin, as_json=as_json)
        return
    with_vault(lambda vault: add_address(vault, stdin=from_stdin, as_json=as_json))


@addresses.command("list", epilog=examples("firmly-mcp addresses list", "firmly-mcp addresses list --json"))
@json_option
def addresses_list(*, as_json: bool) -> None:
    """List the addresses."""
    from firmly_mcp.terminal.addresses import list_addresses

    with_vault(lambda vault: list_addresses(vault, as_json=as_json))


@addresses.command("default", epilog=examples("firmly-mcp addresses default home"))
@click.argument("label")
@json_option
def addresses_default(label: str, *, as_json: bool) -> None:
    """Choose the address that is meant where none is named."""
    from firmly_mcp.terminal.addresses import default_address

    with_vault(lambda vault: default_address(vault, label, as_json=as_json))


@addresses.command("remove", epilog=examples("firmly-mcp addresses remove home"))
@click.argument("label")
@json_option
def addresses_remove(label: str, *, as_json: bool) -> None:
    """Remove an address."""
    from firmly_mcp.terminal.addresses import remove_address

    with_vault(lambda vault: remove_address(vault, label, as_json=as_json))


@click.group(epilog=examples("firmly-mcp pin set"))
def pin() -> None:
    """The approval PIN, which a yes to an order asks for beside the card's security code."""


@pin.command("set", epilog=examples("firmly-mcp pin set", "FIRMLY_MCP_SHOPPER=ana firmly-mcp pin set"))
@json_option
def pin_set(*, as_json: bool) -> None:
    """Set the approval PIN, or change it; changing it takes the old one.

    A forgotten PIN is reset outside of firmly-mcp: delete the entry ENVIRONMENT/SHOPPER/pin of firmly-mcp, such as
    production/local/pin, with your system's own keyring program (Passwords and Keys, KWalletManager, Keychain Access,
    Credential Manager), then set a new one.
    """
    from firmly_mcp.terminal.pin import set_pin

    with_vault(lambda vault: set_pin(vault, as_json=as_json))
