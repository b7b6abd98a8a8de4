"""The pages that keep a card or an address, with a person's wallet in the tests' keyring and no shop at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page, expect

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.pages.server import Pages
from firmly_mcp.wallet.keychain import Keychain, Secrets
from firmly_mcp.wallet.wallet import Wallet
from tests.wallet.samples import a_vault

from .room import Clock

VISA = "4000 0566 5566 5556"
PIN = "8305-7"
ADDRESS = {
    "Label of the address": "Home",
    "First name": "Ana",
    "Last name": "Lima",
    "Email": "ana@example.com",
    "Phone": "+1 206 555 0100",
    "Street and number": "1 Test Street",
    "City": "Seattle",
    "Country": "us",
    "State or province": "WA",
    "Postal code": "98101",
}


@dataclass(frozen=True)
class Desk:
    """The pages, and the wallet that they fill."""

    pages: Pages
    vault: Wallet
    clock: Clock


@asynccontextmanager
async def open_desk(
    directory: Path, environment: str = "simulator", *, keychain: Secrets | None = None
) -> AsyncIterator[Desk]:
    """A wallet of a shopper that no other test has, and its pages."""
    clock = Clock()
    vault = a_vault(directory / "locks", keychain or Keychain(), environment=environment)
    vault.now = clock

    async def of_vault() -> Wallet:
        return vault

    async def no_shop() -> Checkout:
        raise AssertionError("no order is placed from these pages")

    pages = Pages(placement=no_shop, vault=of_vault, environment=environment, now=clock)
    try:
        yield Desk(pages, vault, clock)
    finally:
        await pages.close()


async def type_card(window: Page, **changes: str) -> None:
    """Fill in a card."""
    fields = {
        "Label of the card": "Visa",
        "Card number": VISA,
        "Expires": "8/2031",
        "Name on the card": "Ana Lima",
    } | changes
    for label, typed in fields.items():
        await window.get_by_label(label, exact=True).fill(typed)


async def type_address(window: Page, **changes: str) -> None:
    """Fill in an address."""
    for label, typed in (ADDRESS | changes).items():
        await window.get_by_label(label, exact=True).fill(typed)


async def save(window: Page) -> None:
    """Press the form's one button, and wait for what comes."""
    button = window.get_by_role("button", name="Save the")
    async with window.expect_navigation():
        await button.click()


async def expect_title(window: Page, title: str) -> None:
    """Wait for the page with this heading."""
    await expect(window.get_by_role("heading", name=title)).to_be_visible()


async def described(window: Page, field: str) -> str:
    """What a screen reader says of a field besides its label."""
    names = await window.locator(f"#{field}").get_attribute("aria-describedby") or ""
    return " ".join([await window.locator(f"#{name}").inner_text() for name in names.split()])
