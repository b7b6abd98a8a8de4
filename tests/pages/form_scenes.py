"""The states of the pages that take a card and an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from playwright.async_api import Page

from .desk import expect_title, save, type_address, type_card
from .room import Room


async def card(room: Room, window: Page) -> None:
    """A card beside another one: its address is chosen from the book."""
    await window.goto((await room.pages.card_form()).link)
    await type_card(window)
    await window.get_by_label("Card number", exact=True).press_sequentially(" ")


async def first_card(room: Room, window: Page) -> None:
    """The first card of all, with its address and a PIN; the published numbers are shown."""
    vault = await room.services.vault()
    await vault.remove_card("test-visa")
    await vault.remove_address("home")
    await window.goto((await room.pages.card_form()).link)
    await window.get_by_text("takes published test numbers only").click()


async def card_problems(room: Room, window: Page) -> None:
    """A first card with something wrong in every part."""
    await first_card(room, window)
    await type_card(window, **{"Card number": "4111 1111 1111 1112", "Name on the card": ""})
    await type_address(window, **{"Postal code": "ABC"})
    await window.get_by_label("New approval PIN").fill("1234")
    await save(window)


async def card_saved(room: Room, window: Page) -> None:
    """A card that is kept."""
    await card(room, window)
    await save(window)
    await expect_title(window, "The card is saved")


async def address(room: Room, window: Page) -> None:
    """An address."""
    await window.goto((await room.pages.address_form()).link)


async def address_problems(room: Room, window: Page) -> None:
    """An address with nothing typed."""
    await address(room, window)
    await save(window)


async def address_saved(room: Room, window: Page) -> None:
    """An address that is kept."""
    await address(room, window)
    await type_address(window, **{"Label of the address": "House"})
    await save(window)
    await expect_title(window, "The address is saved")


FORM_SCENES: Final[dict[str, Callable[[Room, Page], Awaitable[None]]]] = {
    scene.__name__: scene
    for scene in (card, first_card, card_problems, card_saved, address, address_problems, address_saved)
}
