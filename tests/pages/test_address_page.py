"""A person adds an address in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from firmly_mcp.wallet.memory import MemoryKeychain
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService
from tests.wallet.samples import an_address

from .browser import a_window
from .desk import ADDRESS, PIN, VISA, Desk, described, expect_title, open_desk, save, type_address, type_card
from .wire import wire_to

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, keychain=MemoryKeychain()) as opened:
        yield opened


async def test_an_address_is_kept_in_the_real_keyring_as_the_person_s_own(
    tmp_path: Path, keyring_bus: SecretService, window: Page
) -> None:
    async with open_desk(tmp_path, "production") as desk:
        form = await desk.pages.address_form()
        await window.goto(form.link)
        await type_address(window)
        await save(window)
        await expect_title(window, "The address is saved")
        assert form.done.is_set()
        (kept,) = await desk.vault.addresses()
        assert kept == an_address(phone=ADDRESS["Phone"])
        await desk.vault.remove_address("Home")


async def test_a_browser_knows_what_to_fill_in(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.address_form()).link)
    fields = await window.locator("input:not([type=hidden])").all()
    assert [await field.get_attribute("autocomplete") for field in fields] == [
        "off", "shipping given-name", "shipping family-name", "shipping organization", "shipping email", "shipping tel",
        "shipping address-line1", "shipping address-line2", "shipping address-level2", "shipping address-level1",
        "shipping postal-code", "shipping country",
    ]  # fmt: skip


async def test_every_problem_stands_beside_its_field_and_what_was_typed_stays(desk: Desk, window: Page) -> None:
    await desk.vault.add_own_address(an_address(label="Home"), BY_PERSON)
    await window.goto((await desk.pages.address_form()).link)
    await type_address(window, Country="UK", Phone="12", City="")
    await save(window)
    await expect(window.get_by_role("alert")).to_be_focused()
    for field, words in (
        ("address_label", "There is an address of this label already"),
        ("phone", "Phone is not a phone number"),
        ("city", "City is missing."),
        ("country", "Country is GB for the United Kingdom."),
    ):
        assert words in await described(window, field)
    await expect(window.get_by_label("Email")).to_have_value("ana@example.com")
    await type_address(window, Country="gb", **{"Label of the address": "Flat", "Postal code": "sw1a 1aa"})
    await save(window)
    await expect_title(window, "The address is saved")
    assert (await desk.vault.address("Flat")).postal_code == "SW1A 1AA"


async def test_it_works_by_keyboard_and_without_javascript(desk: Desk, browser: Browser) -> None:
    async with a_window(browser, java_script_enabled=False) as window:
        await window.goto((await desk.pages.address_form()).link)
        for typed in ("", "Ana", "Lima", "", "ana@example.com", "206-555-0100", "1 Test Street", "", "Seattle", "WA",
                      "98101", "us"):  # fmt: skip
            await window.keyboard.press("Tab")
            await window.keyboard.type(typed)
        await window.keyboard.press("Enter")
        await expect_title(window, "The address is saved")
    assert (await desk.vault.address("Home")).country == "US"


async def test_hostile_text_is_shown_as_text(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.address_form()).link)
    await type_address(window, City="<script>document.title='owned'</script>", Phone="x")
    await save(window)
    assert "owned" not in await window.title()
    await expect(window.get_by_label("City")).to_have_value("<script>document.title='owned'</script>")


async def test_where_a_pin_is_set_an_address_of_the_person_s_own_takes_it(desk: Desk, window: Page) -> None:
    await desk.vault.pin.set(SecretStr(PIN), BY_PERSON)
    await window.goto((await desk.pages.address_form()).link)
    await type_address(window)
    pin = window.get_by_label("Approval PIN")
    for typed, problem in (("", "Type your approval PIN."), ("9017", "4 tries are left")):
        await pin.fill(typed)
        await save(window)
        await expect(window.locator(".field-problem")).to_contain_text(problem)
        await expect(pin).to_have_value("")
        await expect(window.get_by_label("City")).to_have_value("Seattle")
        assert await desk.vault.addresses() == []
    await pin.fill(PIN)
    await save(window)
    await expect_title(window, "The address is saved")
    assert [entry.origin for entry in await desk.vault.addresses()] == ["person"]


@pytest.mark.parametrize("kind", ["address", "card"])
async def test_clicks_on_one_form_try_its_pin_once(desk: Desk, kind: str) -> None:
    await desk.vault.pin.set(SecretStr(PIN), BY_PERSON)
    link = (await (desk.pages.address_form() if kind == "address" else desk.pages.card_form())).link
    wire = wire_to(link)
    typed = an_address(label="Home").as_firmly() | {"address_label": "Home", "own_pin": "9017"}
    typed |= {"label": "Visa", "number": VISA, "expiry": "8/2031", "name": "Ana Lima", "billing": "new"}
    form = typed | {"csrf": (await wire.enter(link)).hidden("csrf")}
    for answer in await asyncio.gather(*(wire.post(form) for _ in range(4))):
        assert answer.status == 303
    page = await wire.get()
    assert "4 tries are left" in page.body
    await wire.post(form | {"own_pin": PIN})
    assert await desk.vault.addresses() == []
    await wire.post(form | {"own_pin": PIN, "csrf": page.hidden("csrf")})
    assert [entry.label for entry in await desk.vault.addresses()] == ["Home"]


async def test_a_new_address_of_a_card_takes_the_pin_too(desk: Desk, window: Page) -> None:
    await desk.vault.pin.set(SecretStr(PIN), BY_PERSON)
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window)
    await window.get_by_label("Approval PIN").fill("9017")
    await save(window)
    await expect(window.locator(".field-problem", has_text="4 tries are left")).to_be_visible()
    assert (await desk.vault.addresses(), await desk.vault.cards()) == ([], [])
    await window.get_by_label("Card number", exact=True).fill(VISA)
    await window.get_by_label("Approval PIN").fill(PIN)
    await save(window)
    await expect_title(window, "The card is saved")
    assert [entry.origin for entry in await desk.vault.addresses()] == ["person"]
