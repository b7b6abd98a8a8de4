"""A person answers an order in a real browser: yes, no, too late, twice, from elsewhere."""

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from firmly_mcp.checkout.models import Approval, ApprovalStatus, Item, OrderIntent, State
from firmly_mcp.checkout.quote import term_text
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE

from . import scenes
from .browser import PHONE, a_window
from .room import CODE, Room
from .scenes import pay

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize(
    "wish", [OrderIntent(STORE), OrderIntent(STORE, (Item(TEE, 2),))], ids=["complete", "place"]
)


@BOTH
async def test_a_yes_places_the_order_and_the_page_follows_it_to_its_end(
    room: Room, window: Page, wish: OrderIntent
) -> None:
    await room.fill_cart()
    await window.goto(await room.link(wish))
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    ((number, cents),) = room.charges
    assert cents == 5340
    shown = await window.locator("main").inner_text()
    for fact in (number, "$53.40", STORE, "Visa ending 1111"):
        assert fact in shown
    (attempt,) = await room.placement.attempts(limit=5)
    assert attempt.state is State.PLACED


async def test_every_term_that_a_yes_is_bound_to_is_on_the_page(room: Room, window: Page) -> None:
    await scenes.asking(room, window)
    (asked,) = await room.placement.open_approvals()
    quote = (await room.placement.review(asked.id)).quote
    shown = await window.locator("main").inner_text()
    for fact in (
        STORE, "Radiant Tee", "Color: Orange, Size: XS", "2 \N{MULTIPLICATION SIGN} $22.00", "$44.00", "Hero Hoodie",
        "$54.00", "SAVE10",
        "Subtotal", "$98.00", "\N{MINUS SIGN}$9.80", "Shipping", "$5.00", "Tax", "$8.82", "Total", "$102.02", "USD",
        "Ana Lima", "1 Test Street", "Seattle WA 98101", "ana@example.com", "206-555-0100", "Standard",
        "5-7 business days", "Visa ending 1111", "test-visa", asked.reason, asked.rule,
    ):  # fmt: skip
        assert fact in shown, fact
    await window.get_by_text("Every term that your yes is bound to").click()
    listed = await window.locator(".terms").inner_text()
    for term in quote.terms:
        assert term.value in {None, ""} or (term.label in listed and term_text(term.value) in listed), term.label
    assert await window.locator(".ribbon").inner_text() == "SIMULATOR: no money moves"


async def test_a_no_sends_nothing_and_holds(room: Room, window: Page) -> None:
    await scenes.declined(room, window)
    assert not room.orders_sent()
    answer = await room.placement.place(OrderIntent(STORE, (Item(TEE, 2),)))
    assert isinstance(answer, Approval)
    assert answer.status is ApprovalStatus.DECLINED
    await window.reload()
    await expect(window.get_by_role("button")).to_have_count(0)


async def test_a_code_that_cannot_be_right_is_told_beside_its_field_and_never_shown(room: Room, window: Page) -> None:
    await window.goto(await room.link())
    field = window.get_by_label("Security code of the card")
    for typed, what in (
        ("", "is missing"),
        ("12", "is not complete"),
        ("1 3", "is not right"),
        ("12a", "is not right"),
    ):
        await pay(window, typed)
        await expect(window.locator("#security_code-problem")).to_contain_text(f"{what}: it has 3 digits.")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_value("")
        await expect(window.get_by_role("alert")).to_be_focused()
    assert not room.orders_sent()
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert len(room.charges) == 1


async def test_a_yes_needs_the_pin_where_one_is_set(room: Room, window: Page) -> None:
    await scenes.wrong_pin(room, window)
    await expect(window.locator("#pin-problem")).to_contain_text("4")
    await expect(window.get_by_label("Approval PIN")).to_have_value("")
    assert not room.orders_sent()
    await window.get_by_label("Approval PIN").fill(scenes.PIN)
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert len(room.charges) == 1


async def tries_left(room: Room) -> int:
    """How many guesses at the PIN there are still, without making one."""
    kept = await (await room.services.vault()).pin._kept()
    assert kept is not None
    return 5 - kept.misses


async def test_a_reload_after_a_wrong_pin_tries_it_no_second_time(room: Room, window: Page) -> None:
    await scenes.wrong_pin(room, window)
    for _ in range(3):
        await window.reload()
        await expect(window.locator("#pin-problem")).to_contain_text("4 tries are left")
        await expect(window.get_by_label("Approval PIN")).to_have_value("")
    await window.go_back()
    await window.go_forward()
    assert await tries_left(room) == 4
    await window.get_by_label("Approval PIN").fill(scenes.PIN)
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert len(room.charges) == 1


async def test_a_slip_in_the_security_code_costs_neither_the_question_nor_a_try_of_the_pin(
    room: Room, window: Page
) -> None:
    await (await room.services.vault()).pin.set(SecretStr(scenes.PIN), BY_PERSON)
    await window.goto(await room.link())
    for code in ("12", "1a3", ""):
        await window.get_by_label("Approval PIN").fill("9017")
        await pay(window, code)
        await expect(window.locator("#security_code-problem")).to_contain_text("it has 3 digits")
        await window.reload()
        await expect(window.locator("#security_code-problem")).to_contain_text("it has 3 digits")
    assert await tries_left(room) == 5
    assert len(await room.placement.open_approvals()) == 1


async def test_a_no_to_what_was_approved_elsewhere_is_not_shown_as_a_no(room: Room, window: Page) -> None:
    asked = await room.asked()
    await window.goto(await room.pages.approval_link(asked))
    desk = room.placement
    await scenes.to_its_end(room.placement, await desk.approve(await desk.review(asked), SecretStr(CODE), BY_PERSON))
    await window.get_by_role("button", name="Decline").click()
    await expect(window.get_by_role("heading", name="This order was approved elsewhere")).to_be_visible()
    assert len(room.charges) == 1


async def test_whoever_holds_the_link_and_the_code_but_no_pin_never_pays(room: Room, window: Page) -> None:
    await (await room.services.vault()).pin.set(SecretStr(scenes.PIN), BY_PERSON)
    await window.goto(await room.link())
    for guess in ("0000", "1234", "7192", "7194", "71930", scenes.PIN):
        await window.get_by_label("Approval PIN").fill(guess)
        await pay(window)
        await expect(window.locator("#pin-problem")).to_be_visible()
    await expect(window.locator("#pin-problem")).to_contain_text("locked after 5 wrong tries")
    assert not room.orders_sent()


async def test_a_double_click_pays_once(room: Room, window: Page) -> None:
    await window.goto(await room.link())
    await window.get_by_label("Security code of the card").fill(CODE)
    await window.get_by_role("button", name="Pay $53.40").dblclick(no_wait_after=True)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert room.orders_sent() == 1
    assert len(room.charges) == 1


async def test_the_way_back_shows_how_it_ended_and_pays_nothing(room: Room, window: Page) -> None:
    await window.goto("about:blank")
    await scenes.placed(room, window)
    for _ in range(2):
        await window.go_back()
    await window.go_forward()
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    await expect(window.get_by_role("button")).to_have_count(0)
    assert room.orders_sent() == 1


async def test_an_old_form_of_the_same_visit_approves_nothing_that_it_did_not_show(room: Room, window: Page) -> None:
    await window.goto(await room.link())
    another = await window.context.new_page()
    room.simulator.set_price(STORE, TEE, 2300)
    await another.goto(window.url)
    await expect(another.get_by_role("button", name="Pay $55.60")).to_be_visible()
    await pay(window)
    await expect(window.get_by_role("alert")).to_contain_text("The order was read anew meanwhile")
    await expect(window.get_by_role("button", name="Pay $55.60")).to_be_visible()
    assert not room.orders_sent()


async def test_a_price_that_moved_is_shown_term_by_term_and_asked_about_again(room: Room, window: Page) -> None:
    await scenes.changed(room, window)
    assert not room.orders_sent()
    await expect(window.get_by_role("alert")).to_contain_text("Nothing was charged")
    row = window.get_by_role("row", name="total 53.40 USD 55.60 USD", exact=True)
    await expect(row).to_be_visible()
    await window.get_by_label("Security code of the card").fill(CODE)
    await window.get_by_role("button", name="Pay $55.60").click()
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert [cents for _, cents in room.charges] == [5560]


async def test_a_link_that_came_too_late_opens_nothing(room: Room, window: Page) -> None:
    link = await room.link()
    room.clock.pass_minutes(11)
    await window.goto(link)
    await expect(window.get_by_role("heading", name="This link is not valid")).to_be_visible()


async def test_a_yes_that_came_too_late_sends_nothing(room: Room, window: Page) -> None:
    await window.goto(await room.link())
    room.clock.pass_minutes(11)
    await pay(window)
    await expect(window.get_by_role("heading", name="This link is not valid")).to_be_visible()
    assert not room.orders_sent()


async def test_a_second_use_of_a_link_opens_nothing_and_disturbs_nobody(
    room: Room, window: Page, browser: Browser
) -> None:
    link = await room.link()
    await window.goto(link)
    async with a_window(browser) as thief:
        await thief.goto(link)
        await expect(thief.get_by_role("heading", name="This link is not valid")).to_be_visible()
        await thief.goto(window.url)
        await expect(thief.get_by_role("heading", name="This link is not valid")).to_be_visible()
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()


async def test_a_link_on_another_host_name_shows_nothing_and_still_works_on_its_own(room: Room, window: Page) -> None:
    link = await room.link()
    await window.goto(link.replace("127.0.0.1", "shop.example"))
    await expect(window.get_by_role("heading", name="This page has another address")).to_be_visible()
    await window.goto(link)
    await expect(window.get_by_role("button", name="Pay $53.40")).to_be_visible()


async def test_a_link_that_is_clicked_on_another_site_opens(room: Room, window: Page) -> None:
    link = await room.link()
    await window.route("http://chat.example/", lambda route: route.fulfill(body=f"<a href='{link}'>Approve</a>"))
    await window.goto("http://chat.example/")
    await window.get_by_role("link").click()
    await pay(window)
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()


async def test_what_a_store_writes_is_only_ever_text(room: Room, window: Page) -> None:
    asked_for: list[str] = []
    alerts: list[str] = []
    window.on("request", lambda request: asked_for.append(request.url))
    window.on("dialog", lambda dialog: alerts.append(dialog.message))
    await scenes.hostile(room, window)
    title = await window.locator(".line-title").inner_text()
    assert title.startswith("<script>document.title='owned'</script><img src=x onerror=alert(1)> gnp.exe {{ 7*7 }}")
    assert len(title) <= 160
    assert not {"\u202e", "\u202c", "\u200b"} & set(title)
    assert "owned" not in (await window.title())
    assert not alerts
    assert await window.locator("main img, main script").count() == 0
    origin = await window.evaluate("location.origin")
    assert asked_for
    assert all(url.startswith(origin) for url in asked_for)


async def test_without_a_script_everything_works(room: Room, browser: Browser) -> None:
    gate = room.hold_events()
    async with a_window(browser, java_script_enabled=False, viewport=PHONE) as window:
        await window.goto(await room.link())
        await pay(window, "1")
        await expect(window.locator("#security_code-problem")).to_be_visible()
        await pay(window)
        await expect(window.get_by_role("heading", name="Placing the order")).to_be_visible()
        await gate.release()
        await expect(window.get_by_role("listitem")).to_have_count(2)
        gate.open()
        await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()
    assert len(room.charges) == 1


async def test_a_keyboard_is_enough(room: Room, window: Page) -> None:
    await window.goto(await room.link())
    for _ in range(20):
        await window.keyboard.press("Tab")
        if await window.evaluate("document.activeElement.id") == "security_code":
            break
    await window.keyboard.type("7")
    await window.keyboard.press("Enter")
    await expect(window.get_by_role("alert")).to_be_focused()
    await window.keyboard.press("Tab")
    await window.keyboard.press("Enter")
    await expect(window.get_by_label("Security code of the card")).to_be_focused()
    await window.keyboard.type(CODE)
    await window.keyboard.press("Tab")
    await expect(window.get_by_role("button", name="Pay $53.40")).to_be_focused()
    await window.keyboard.press("Tab")
    await expect(window.get_by_role("button", name="Decline")).to_be_focused()
    await window.keyboard.press("Shift+Tab")
    await window.keyboard.press("Space")
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()


async def test_steps_appear_as_the_store_tells_them(room: Room, window: Page) -> None:
    gate = room.hold_events()
    await window.goto(await room.link())
    await pay(window)
    for number in (1, 2, 3):
        await expect(window.get_by_role("listitem")).to_have_count(number)
        await gate.release()
    gate.open()
    await expect(window.get_by_role("heading", name="The order is placed")).to_be_visible()


async def test_a_price_that_rose_inside_the_payment_is_told_with_both_amounts(room: Room, window: Page) -> None:
    await scenes.risen(room, window)
    await expect(window.get_by_role("alert")).to_contain_text("You approved $53.40: the store charged $62.20.")


async def test_an_order_that_was_refused_says_why_and_that_nothing_was_charged(room: Room, window: Page) -> None:
    await scenes.not_placed(room, window)
    await expect(window.locator("main")).to_contain_text("Nothing was charged.")
    assert not room.charges


async def test_an_order_that_nothing_proves_says_do_not_order_again(room: Room, window: Page) -> None:
    await scenes.unknown(room, window)
    await expect(window.locator("main")).to_contain_text("Do not order again; check with the store.")


async def test_a_doubt_and_what_was_just_bought_stand_above_the_question(room: Room, window: Page) -> None:
    await scenes.warned(room, window)
    await expect(window.get_by_role("heading", name="An earlier order here is in doubt")).to_be_visible()
    ((number, _),) = room.charges
    await expect(window.locator(".notice", has_text="You bought the same")).to_contain_text(number)


async def test_what_was_answered_elsewhere_is_no_question_any_more(room: Room, window: Page) -> None:
    asked = await room.asked()
    await window.goto(await room.pages.approval_link(asked))
    await room.placement.decline(await room.placement.review(asked), "terminal")
    await pay(window)
    await expect(window.get_by_role("heading", name="This order was declined")).to_be_visible()
    assert not room.orders_sent()


async def test_a_newer_question_replaces_the_one_on_the_page(room: Room, window: Page) -> None:
    await scenes.replaced(room, window)
    assert not room.orders_sent()


async def test_a_store_that_takes_its_time_to_say_the_price_gets_a_page_that_waits(room: Room, window: Page) -> None:
    room.simulator.faults.add("delay", "*shipping*", n=2, seconds=2.5)
    await window.goto(await room.link())
    await expect(window.get_by_role("heading", name="Reading the price at")).to_be_visible()
    await expect(window.get_by_role("button", name="Pay $53.40")).to_be_visible()


async def test_an_address_that_an_assistant_or_a_script_gave_is_marked(room: Room, window: Page) -> None:
    vault = await room.services.vault()
    home = await vault.address("home")
    for origin, gave in (("tool", "Your assistant"), ("script", "A script")):
        await vault.add_address(home.model_copy(update={"label": origin, "origin": origin, "city": origin}))
        await window.goto(await room.link(OrderIntent(STORE, (Item(TEE, 2),), address=origin)))
        await expect(window.locator("main")).to_contain_text(f"{gave} gave this address")
