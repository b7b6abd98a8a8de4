"""A person adds a card in a real browser: it goes to the keyring and comes back nowhere."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Request, Response, expect
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import MemoryKeychain, fill
from tests.secret_service import SecretService
from tests.wallet.samples import REAL_LOOKING, an_address

from .browser import PHONE, a_window, violations
from .desk import PIN, VISA, Desk, described, expect_title, open_desk, save, type_address, type_card

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(tmp_path: Path, keyring_bus: SecretService) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def test_the_first_card_is_kept_with_its_new_billing_address_and_a_pin(desk: Desk, window: Page) -> None:
    form = await desk.pages.card_form()
    await window.goto(form.link)
    assert not form.done.is_set()
    await type_card(window)
    await type_address(window)
    await window.get_by_label("New approval PIN").fill(PIN)
    await window.get_by_label("The same once more").fill(PIN)
    await save(window)
    await expect_title(window, "The card is saved")
    shown = await window.locator("dl").inner_text()
    assert "Visa ending 5556" in shown
    assert "Secret Service" in shown
    assert form.done.is_set()
    (card,) = await desk.vault.cards()
    assert (card.label, card.last_four, card.month, card.year, card.billing_address) == (
        "Visa", "5556", "08", "2031", "Home",
    )  # fmt: skip
    assert (await desk.vault.address("Home")).origin == "person"
    await desk.vault.pin.check(SecretStr(PIN))


async def test_a_later_card_is_billed_to_an_address_of_the_book_and_asks_for_no_pin(desk: Desk, window: Page) -> None:
    await fill(desk.vault)
    await desk.vault.add_address(an_address(label="Gift", origin="tool"))
    await window.goto((await desk.pages.card_form()).link)
    await expect(window.get_by_label("New approval PIN")).to_have_count(0)
    await expect(window.get_by_role("group", name="The new billing address")).to_be_hidden()
    chosen = window.get_by_label("Billing address")
    assert await chosen.locator("option").all_inner_texts() == [
        "home: Ana Lima, 1 Test Street, Seattle",
        "Gift: Ana Lima, 1 Test Street, Seattle (from your assistant)",
        "A new address",
    ]
    await type_card(window, **{"Label of the card": "Work"})
    await chosen.select_option(label="home: Ana Lima, 1 Test Street, Seattle")
    await save(window)
    await expect_title(window, "The card is saved")
    assert "No approval PIN is set yet" in await window.locator("main").inner_text()
    assert (await desk.vault.card_summary("Work")).billing_address == "home"


async def test_brand_and_spaces_come_as_the_digits_are_typed(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    number, brand = window.get_by_label("Card number", exact=True), window.locator("#brand")
    for typed, shown, name in (
        ("4111111111111111", "4111 1111 1111 1111", "Visa"),
        ("378282246310005", "3782 822463 10005", "American Express"),
        ("5555-5555-5555-4444", "5555 5555 5555 4444", "Mastercard"),
    ):
        await number.fill("")
        await expect(brand).to_be_hidden()
        await number.press_sequentially(typed)
        await expect(number).to_have_value(shown)
        await expect(brand).to_have_text(name)
    await number.press("Home")
    for _ in range(3):
        await number.press("ArrowRight")
    await number.press("Delete")
    await number.press("7")
    await expect(number).to_have_value("5557 5555 5555 4444")
    expiry = window.get_by_label("Expires")
    await expiry.press_sequentially("830")
    await expect(expiry).to_have_value("08/30")


async def test_a_browser_knows_what_to_fill_in(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    inputs = window.locator("input:not([type=hidden])")
    names = {
        await one.get_attribute("name"): await one.get_attribute("autocomplete")
        for one in await inputs.all()
    }  # fmt: skip
    assert {name: names[name] for name in ("number", "expiry", "name", "address1", "postal_code", "country")} == {
        "number": "cc-number",
        "expiry": "cc-exp",
        "name": "cc-name",
        "address1": "billing address-line1",
        "postal_code": "billing postal-code",
        "country": "billing country",
    }
    assert "cc-csc" not in names.values(), "the security code is not asked for here"


async def test_every_problem_stands_beside_its_field_and_first_in_a_summary(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window, **{"Card number": "4000 0566 5566 5557", "Expires": "13/2031", "Name on the card": ""})
    await type_address(window, Email="ana", **{"Postal code": "ABC"})
    await window.get_by_label("New approval PIN").fill("1234")
    await window.get_by_label("The same once more").fill("1234")
    await save(window)
    summary = window.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(summary.get_by_role("heading")).to_have_text("The card was not saved.")
    told = await summary.get_by_role("listitem").all_inner_texts()
    expected = {
        "number": "check digit does not fit",
        "expiry": "a month from 01 to 12",
        "name": "The name on the card is missing.",
        "email": "Email is not an email address",
        "postal_code": "Postal code does not fit US",
        "pin": "one of the first that anybody would try",
    }
    assert len(told) == len(expected)
    for (field, words), line in zip(expected.items(), told, strict=True):
        assert words in line
        assert words in await described(window, field)
        await expect(window.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
    await summary.get_by_role("link").first.click()
    await expect(window.get_by_label("Card number", exact=True)).to_be_focused()
    assert await violations(window) == []
    assert await desk.vault.cards() == []
    assert await desk.vault.addresses() == []
    assert not await desk.vault.pin.is_set()


async def test_after_a_problem_what_is_secret_is_typed_again_and_the_rest_stays(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window, **{"Postal code": "ABC"})
    await window.get_by_label("New approval PIN").fill(PIN)
    await window.get_by_label("The same once more").fill(PIN)
    await save(window)
    await expect(window.locator("#number")).to_have_value("")
    await expect(window.locator("#number-problem")).to_have_text(
        "Type the card number again. It was not kept, and is never shown."
    )
    await expect(window.locator("#pin-problem")).to_have_text("Type the PIN again, in both fields.")
    for field, typed in (("pin", ""), ("pin_again", ""), ("label", "Visa"), ("expiry", "8/2031"), ("city", "Seattle")):
        await expect(window.locator(f"#{field}")).to_have_value(typed)
    await window.get_by_label("Postal code").fill("98101")
    await window.get_by_label("Card number", exact=True).fill(VISA)
    await save(window)
    await expect_title(window, "The card is saved")


async def test_a_reload_after_a_problem_sends_nothing_again(desk: Desk, window: Page) -> None:
    sent: list[str] = []
    window.on("request", lambda request: sent.append(request.method))
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window, **{"Postal code": "ABC"})
    await save(window)
    await window.reload()
    await expect(window.get_by_role("alert")).to_contain_text("Postal code does not fit US")
    await expect(window.locator("#city")).to_have_value("Seattle")
    await expect(window.locator("#number")).to_have_value("")
    assert sent.count("POST") == 1
    await window.locator(".numbers").evaluate("(published) => published.remove()")
    assert VISA[-4:] not in await window.content()


async def test_a_number_in_the_wrong_field_does_not_come_back_either(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    fields = ("label", "name", "expiry", "phone", "address1", "address_label", "city")
    for field in fields:
        await window.locator(f"#{field}").evaluate("(input, number) => { input.value = number }", "4000 0566 5566 555")
    await save(window)
    for field in fields:
        await expect(window.locator(f"#{field}")).to_have_value("")
    await window.locator(".numbers").evaluate("(published) => published.remove()")
    assert "5566" not in await window.content()


async def test_a_label_that_is_taken_is_said_beside_the_label(desk: Desk, window: Page) -> None:
    await fill(desk.vault)
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window, **{"Label of the card": "TEST-visa"})
    await window.get_by_label("Billing address").select_option("new")
    await type_address(window, **{"Label of the address": "HOME"})
    await save(window)
    assert "There is a card of this label already" in await described(window, "label")
    assert "There is an address of this label already" in await described(window, "address_label")
    await expect(window.locator("#new-address")).to_be_visible()


async def test_a_pin_that_is_not_typed_twice_the_same_is_not_set(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window)
    await window.get_by_label("New approval PIN").fill(PIN)
    await window.get_by_label("The same once more").fill(PIN + "x")
    await save(window)
    assert "The two PINs are not the same" in await described(window, "pin_again")
    assert await desk.vault.cards() == []


async def test_the_simulator_says_which_numbers_it_takes_and_needs_no_pin(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await window.get_by_text("takes published test numbers only").click()
    for number in ("4111 1111 1111 1111", "3782 8224 6310 005"):
        await expect(window.get_by_text(number)).to_be_visible()
    await type_card(window, **{"Card number": REAL_LOOKING})
    await type_address(window)
    await save(window)
    assert "takes only published test numbers" in await described(window, "number")
    await window.get_by_label("Card number", exact=True).fill("4111111111111111")
    await save(window)
    await expect_title(window, "The card is saved")
    assert not await desk.vault.pin.is_set()


async def test_where_a_card_can_pay_there_is_no_card_without_a_pin(
    tmp_path: Path, keyring_bus: SecretService, window: Page
) -> None:
    async with open_desk(tmp_path, "production") as desk:
        await window.goto((await desk.pages.card_form()).link)
        await expect(window.get_by_text("published test numbers")).to_have_count(0)
        await type_card(window, **{"Card number": REAL_LOOKING})
        await type_address(window)
        await save(window)
        assert "4 to 64 characters" in await described(window, "pin")
        assert await desk.vault.cards() == []


async def test_a_double_click_and_an_old_form_keep_one_card(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window)
    async with window.expect_navigation():
        await window.get_by_role("button", name="Save the card").dblclick(no_wait_after=True)
    await expect_title(window, "The card is saved")
    await window.go_back()
    await expect_title(window, "The card is saved")
    assert len(await desk.vault.cards()) == 1


async def test_two_forms_of_one_page_that_arrive_at_once_keep_one_card(desk: Desk, window: Page) -> None:
    await window.goto((await desk.pages.card_form()).link)
    await type_card(window)
    await type_address(window)
    twice = """async () => {
        const form = document.querySelector("form");
        const sent = () => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
        return Promise.all([sent(), sent()]).then((answers) => answers.map((answer) => answer.status));
    }"""
    assert await window.evaluate(twice) == [200, 200]
    assert len(await desk.vault.cards()) == 1


async def test_a_link_opens_once_and_is_nothing_after_its_time(desk: Desk, window: Page, browser: Browser) -> None:
    link = (await desk.pages.card_form()).link
    assert link == (await desk.pages.card_form()).link, "one that nobody opened is still good"
    await window.goto(link)
    async with a_window(browser) as other:
        await other.goto(link)
        await expect_title(other, "This link is not valid")
        await other.goto(window.url)
        await expect_title(other, "This link is not valid")
    assert link != (await desk.pages.card_form()).link
    desk.clock.ahead += _time_left(desk) * 2
    await window.reload()
    await expect_title(window, "This link is not valid")


def _time_left(desk: Desk) -> timedelta:
    closes = desk.pages._visits.closes_at()
    assert closes is not None
    return closes - desk.clock()


async def test_the_keyboard_alone_adds_a_card(desk: Desk, window: Page) -> None:
    await fill(desk.vault)
    await desk.vault.remove_card("test-visa")
    await window.goto((await desk.pages.card_form()).link)
    press, write = window.keyboard.press, window.keyboard.type
    for typed in ("Visa", "4000056655665556", None, "8/31", "Ana Lima", "home", "", ""):
        await press("Tab")
        if typed:
            await write(typed)
    await press("Enter")
    await expect_title(window, "The card is saved")
    (card,) = await desk.vault.cards()
    assert (card.label, card.billing_address) == ("Visa", "home")


async def test_it_works_without_javascript(desk: Desk, browser: Browser) -> None:
    await fill(desk.vault)
    async with a_window(browser, java_script_enabled=False, viewport=PHONE) as window:
        await window.goto((await desk.pages.card_form()).link)
        await expect(window.get_by_text("Only where you chose")).to_be_visible()
        await window.get_by_label("Label of the card").fill("Visa")
        await save(window)
        await expect(window.get_by_role("heading", name="The card was not saved.")).to_be_visible()
        for label, typed in (("Card number", VISA), ("Expires", "08/31"), ("Name on the card", "Ana Lima")):
            await window.get_by_label(label, exact=True).fill(typed)
        await window.get_by_label("Billing address").select_option("new")
        await type_address(window, **{"Label of the address": "Office"})
        await save(window)
        await expect_title(window, "The card is saved")
    assert (await desk.vault.card_summary("Visa")).billing_address == "Office"


async def test_a_keyring_that_fails_is_said_above_the_form(tmp_path: Path, window: Page) -> None:
    class Failing(MemoryKeychain):
        async def set(self, name: str, secret: SecretStr) -> None:
            if "/card/" in name:
                raise WalletError("The keyring is locked, so nothing was stored. Unlock it.")
            await super().set(name, secret)

    async with open_desk(tmp_path, keychain=Failing()) as desk:
        await window.goto((await desk.pages.card_form()).link)
        await type_card(window)
        await type_address(window)
        await save(window)
        summary = window.get_by_role("alert")
        await expect(summary).to_contain_text("The keyring is locked, so nothing was stored. Unlock it.")
        await expect(summary).to_contain_text("Type the card number again.")
        assert await desk.vault.cards() == []


async def test_a_canary_number_and_a_pin_are_nowhere_but_in_the_keyring(
    tmp_path: Path,
    keyring_bus: SecretService,
    window: Page,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    reading: list[asyncio.Task[None]] = []

    async def read(response: Response) -> None:
        seen.append(json.dumps(await response.all_headers()))
        if response.status not in {204, 303}:
            seen.append((await response.body()).decode())

    def asked(request: Request) -> None:
        seen.append(request.url)

    window.on("request", asked)
    window.on("response", lambda response: reading.append(asyncio.create_task(read(response))))
    async with open_desk(tmp_path, "sandbox") as desk:
        await window.goto((await desk.pages.card_form()).link)
        await type_card(window, **{"Card number": REAL_LOOKING[:-1] + "0"})
        await type_address(window, Phone=REAL_LOOKING)
        await window.get_by_label("New approval PIN").fill(PIN)
        await save(window)
        await type_card(window, **{"Card number": REAL_LOOKING})
        await type_address(window, **{"Street and number": f"1 {REAL_LOOKING} Street"})
        await save(window)
        await type_card(window, **{"Card number": REAL_LOOKING})
        await type_address(window)
        await window.get_by_label("New approval PIN").fill(PIN)
        await window.get_by_label("The same once more").fill(PIN)
        await save(window)
        await expect_title(window, "The card is saved")
        await asyncio.gather(*reading)
        seen.extend([window.url, await window.content(), repr(vars(desk.pages)), repr(desk.pages._visits.__dict__)])
        kept = await Keychain().get(f"sandbox/{desk.vault.owner.shopper}/card/visa")
        await desk.vault.remove_card("Visa")
    assert kept is not None
    assert REAL_LOOKING in kept.get_secret_value(), "the search would find it"
    seen.extend([*capfd.readouterr(), caplog.text, " ".join(os.environ.values())])
    seen.extend(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert len(seen) > 20
    bare = [re.sub(r"[\s-]", "", text) for text in seen]
    assert [text for text in bare if REAL_LOOKING in text or REAL_LOOKING[:-1] in text] == []
    assert [text for text in seen if PIN in text] == []
