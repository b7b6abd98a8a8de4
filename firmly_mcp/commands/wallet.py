"""Cards, addresses and the PIN: what the keyring holds, put there by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .opening import in_browser, with_services, with_vault

if TYPE_CHECKING:
    from firmly_mcp.services import Services


@click.group()
def cards() -> None:
    """The payment cards kept in this machine's keyring."""


@cards.command("add")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
def cards_add(*, from_stdin: bool, browser: bool) -> None:
    """Add a card; its number is typed unseen and goes nowhere but the keyring."""
    from firmly_mcp.terminal.cards import add_card

    if browser:
        in_browser(lambda pages: pages.card_form(), from_stdin=from_stdin)
        return
    with_vault(lambda vault: add_card(vault, stdin=from_stdin))


@cards.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cards_list(*, as_json: bool) -> None:
    """List the cards by label, brand, last four digits and expiry."""
    from firmly_mcp.terminal.cards import list_cards

    with_vault(lambda vault: list_cards(vault, as_json=as_json))


@cards.command("remove")
@click.argument("label")
def cards_remove(label: str) -> None:
    """Remove a card from the keyring."""
    from firmly_mcp.terminal.cards import remove_card

    with_vault(lambda vault: remove_card(vault, label))


@cards.command("unlock")
@click.argument("label")
def cards_unlock(label: str) -> None:
    """Let a card pay again that two declined payments within an hour have locked."""
    from firmly_mcp.terminal.unlocking import unlock_card

    async def act(services: Services) -> None:
        await unlock_card(await services.vault(), await services.placement(), label)

    with_services(act)


@click.group()
def addresses() -> None:
    """The address book, kept in this machine's keyring."""


@addresses.command("add")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object instead of asking.")
@click.option("--browser", is_flag=True, help="Ask on a page in your browser instead.")
def addresses_add(*, from_stdin: bool, browser: bool) -> None:
    """Add an address that orders may go to or cards are billed to."""
    from firmly_mcp.terminal.addresses import add_address

    if browser:
        in_browser(lambda pages: pages.address_form(), from_stdin=from_stdin)
        return
    with_vault(lambda vault: add_address(vault, stdin=from_stdin))


@addresses.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def addresses_list(*, as_json: bool) -> None:
    """List the addresses."""
    from firmly_mcp.terminal.addresses import list_addresses

    with_vault(lambda vault: list_addresses(vault, as_json=as_json))


@addresses.command("remove")
@click.argument("label")
def addresses_remove(label: str) -> None:
    """Remove an address."""
    from firmly_mcp.terminal.addresses import remove_address

    with_vault(lambda vault: remove_address(vault, label))


@click.group()
def pin() -> None:
    """The approval PIN, which a yes to an order asks for beside the card's security code."""


@pin.command("set")
def pin_set() -> None:
    """Set the approval PIN, or change it; changing it takes the old one.

    A forgotten PIN is reset outside of firmly-mcp: delete the entry ENVIRONMENT/SHOPPER/pin of firmly-mcp, such as
    production/local/pin, with your system's own keyring program (Passwords and Keys, KWalletManager, Keychain Access,
    Credential Manager), then set a new one.
    """
    from firmly_mcp.terminal.pin import set_pin

    with_vault(set_pin)
