"""What a link and a cookie are worth, seen from the wire."""

import re
import secrets
from urllib.parse import urlsplit

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.pages.forms import LONGEST_BODY
from firmly_mcp.pages.guard import HEADERS
from firmly_mcp.pages.routes import COOKIE
from firmly_mcp.wallet.pin import ApprovalPin
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE

from .room import CODE, Room
from .wire import Answer, wire_to

pytestmark = pytest.mark.anyio


def a_yes(page: Answer, **changes: str) -> dict[str, str]:
    """The fields of a yes, as the page's form would send them."""
    fields = {"csrf": page.hidden("csrf"), "shown": page.hidden("shown"), "security_code": CODE, "answer": "approve"}
    return fields | changes


async def test_the_first_visit_swaps_the_secret_for_a_cookie_and_leads_to_a_path_without_it(room: Room) -> None:
    link = await room.link()
    secret = urlsplit(link).path.removeprefix("/open/")
    assert len(secret) >= 22  # 128 bits in base64url
    wire = wire_to(link)
    page = await wire.enter(link)
    (swapped, _) = wire.seen
    cookie = swapped.headers["set-cookie"]
    name, value = wire.cookie.split("=", 1)
    assert name == COOKIE
    assert len(value) >= 22
    assert "HttpOnly" in cookie
    assert re.search(r"SameSite=strict", cookie, re.IGNORECASE)
    assert f"Path={wire.path}" in cookie
    assert "max-age" not in cookie.lower()
    assert page.status == 200
    assert secret not in wire.path
    assert secret not in page.body
    assert value not in page.body


async def test_every_answer_forbids_what_no_page_needs(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    for path in ("/", "/open/wrong", "/static/style.css", "/static/../server.py", wire.path + "progress"):
        await wire.get(path)
    await wire.get(Host="shop.example")
    await wire.post({}, Origin="null")
    assert {200, 303, 404, 421, 403} <= {answer.status for answer in wire.seen}
    for answer in wire.seen:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "server" not in answer.headers
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_a_page_holds_no_script_and_no_style_of_its_own(room: Room) -> None:
    link = await room.link()
    page = await wire_to(link).enter(link)
    assert not re.search(r"<script(?! src=\"/static/)", page.body)
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page.body)
    assert not re.search(r"(?:src|href|action)=\"(?!/|#|\")", page.body)


async def test_a_link_works_once_and_a_head_does_not_use_it_up(room: Room) -> None:
    link = await room.link()
    wire, path = wire_to(link), urlsplit(link).path
    assert (await wire.send("HEAD", path, {})).status == 404
    assert (await wire.send("GET", path, {"Sec-Purpose": "prefetch;prerender"})).status == 403
    assert (await wire.get(path)).status == 303
    assert (await wire.get(path)).status == 404


async def test_a_link_that_waits_is_given_again_and_a_used_one_is_not(room: Room) -> None:
    asked = await room.asked()
    first = await room.pages.approval_link(asked)
    assert await room.pages.approval_link(asked) == first
    await wire_to(first).enter(first)
    assert await room.pages.approval_link(asked) != first


async def test_only_the_visitor_with_the_cookie_sees_the_page(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    another = f"{COOKIE}={secrets.token_urlsafe(32)}"
    for cookie, path in (("", wire.path), (another, wire.path), (wire.cookie, "/card/" + wire.path[10:])):
        wire.cookie, kept = cookie, wire.cookie
        answer = await wire.get(path)
        wire.cookie = kept
        assert answer.status == 404
        assert "staging" not in answer.body
    assert (await wire.get()).status == 200


async def test_guessing_gets_nothing(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    known = await wire.get("/open/" + secrets.token_urlsafe(32))
    wire.cookie = ""
    for number in range(200):
        guess = secrets.token_urlsafe(32) if number % 2 else str(number)
        kind = ("open", "approval", "approval")[number % 3]
        answer = await wire.get(f"/{kind}/{guess}" + ("/" if kind == "approval" else ""))
        assert (answer.status, answer.body) == (404, known.body)


async def test_another_host_name_is_not_served(room: Room) -> None:
    link = await room.link()
    wire, path, port = wire_to(link), urlsplit(link).path, urlsplit(link).port
    for host in ("", "shop.example", f"shop.example:{port}", "127.0.0.1", f"127.0.0.1.shop.example:{port}"):
        answer = await wire.get(path, Host=host)
        assert answer.status in {400, 421}, host
        assert "set-cookie" not in answer.headers
    assert (await wire.get(path, Host=f"LOCALHOST:{port}")).status == 303


async def test_a_form_from_anywhere_else_is_refused(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    for headers in (
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://shop.example"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": f"https://{wire.host}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Dest": "iframe"},
    ):
        assert (await wire.post(a_yes(page), **headers)).status == 403, headers
    assert not room.orders_sent()


async def test_a_page_of_another_site_can_neither_frame_nor_read_it(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    for site in ("cross-site", "same-site"):
        for mode in ("cors", "no-cors", "same-origin"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            assert (await wire.send("GET", wire.path, headers)).status == 403
    framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert (await wire.send("GET", wire.path, framed)).status == 403


async def test_a_form_that_is_not_the_visits_own_approves_nothing(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    others = ({"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "\u00e9"}, {"shown": ""}, {"answer": "yes"}, {"answer": ""})
    for changes in others:
        assert (await wire.post(a_yes(page, **changes))).status in {303, 403, 422}, changes
        # An attempt is written down before a yes is answered.
        assert not await room.placement.attempts(limit=1), changes
    assert (await wire.post(a_yes(page))).status == 303
    await ended(room)
    assert len(room.charges) == 1


async def test_a_form_of_one_visit_is_nothing_at_another(room: Room) -> None:
    one, two = await room.link(), ""
    first = wire_to(one)
    page = await first.enter(one)
    two = await room.pages.approval_link((await room.placement.open_approvals())[0].id)
    second = wire_to(two)
    await second.enter(two)
    assert (await second.post(a_yes(page))).status == 403
    first.cookie = second.cookie
    assert (await first.post(a_yes(page))).status == 404
    assert not room.orders_sent()


async def test_what_is_no_form_of_ours_is_refused(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    ours = "application/x-www-form-urlencoded"
    for body, content_type in (
        (b"a=" + b"x" * LONGEST_BODY, ours),
        (b"&".join(b"a=1" for _ in range(50)), ours),
        (b"answer=%ff\xff", ours),
        (b"nothing", ours),
        (b'{"answer": "approve"}', "application/json"),
        (b"--x--", "multipart/form-data; boundary=x"),
    ):
        answer = await wire.send("POST", wire.path, {"Origin": wire.origin, "Content-Type": content_type}, body)
        assert answer.status in {403, 409}, body[:20]
    assert (await wire.get()).status == 200
    assert not room.orders_sent()


async def test_no_other_method_does_anything(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    await wire.enter(link)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert (await wire.send(method, wire.path, {"Origin": wire.origin})).status in {404, 405}


async def test_many_yeses_at_once_pay_once(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(wire.post, a_yes(page))
    assert [answer.status for answer in wire.seen[-8:]] == [303] * 8
    await ended(room)
    assert room.orders_sent() == 1
    assert len(room.charges) == 1


async def test_after_the_answer_the_cookie_shows_how_it_ended_and_does_nothing_else(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    await wire.post(a_yes(page))
    await ended(room)
    room.simulator.set_price(STORE, TEE, 1000)
    for answer in ("approve", "decline"):
        assert (await wire.post(a_yes(page, answer=answer))).status == 303
    assert room.charges[0][0] in (await wire.get()).body
    assert room.orders_sent() == 1
    room.clock.pass_minutes(11)
    assert (await wire.get()).status == 404


PIN = SecretStr("7193")


async def with_a_pin(room: Room) -> ApprovalPin:
    vault = await room.services.vault()
    await vault.pin.set(PIN, BY_PERSON)
    return vault.pin


async def misses(pin: ApprovalPin) -> int:
    kept = await pin._kept()
    assert kept is not None
    return kept.misses


async def test_no_form_is_answered_with_a_page_and_one_showing_tries_the_pin_once(room: Room) -> None:
    pin = await with_a_pin(room)
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    for changes in ({"answer": ""}, {"shown": ""}, {"security_code": "12"}, {"pin": ""}):
        answer = await wire.post(a_yes(page, **{"pin": "9017"} | changes))
        assert (answer.status, answer.headers["location"], answer.body) == (303, wire.path, ""), changes
    assert await misses(pin) == 0
    page = await wire.get()
    for _ in range(4):
        assert (await wire.post(a_yes(page, pin="9017"))).status == 303
        assert "4 tries are left" in (await wire.get()).body
    assert await misses(pin) == 1
    async with anyio.create_task_group() as tasks:
        page = await wire.get()
        for _ in range(6):
            tasks.start_soon(wire.post, a_yes(page, pin="9017"))
    assert await misses(pin) == 2
    assert (await wire.post(a_yes(page, pin=PIN.get_secret_value(), answer="decline"))).status == 303
    assert len(await room.placement.open_approvals()) == 1, "an old form is no decision"
    page = await wire.get()
    assert "7193" not in page.body
    assert (await wire.post(a_yes(page, pin=PIN.get_secret_value()))).status == 303
    await ended(room)
    assert len(room.charges) == 1


async def test_what_fails_while_a_form_is_taken_is_told_where_the_browser_is_sent(room: Room) -> None:
    await with_a_pin(room)
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    (await room.services.vault()).pin.name = "damaged"
    await (await room.services.vault())._secrets.set("damaged", SecretStr("{"))
    assert (await wire.post(a_yes(page, pin="9017"))).status == 303
    assert "is damaged" in (await wire.get()).body
    assert not room.orders_sent()


async def test_after_a_no_there_is_no_yes(room: Room) -> None:
    link = await room.link()
    wire = wire_to(link)
    page = await wire.enter(link)
    await wire.post(a_yes(page, answer="decline"))
    await wire.post(a_yes(page))
    assert "You declined" in (await wire.get()).body
    assert not room.orders_sent()


async def test_two_visitors_of_one_question_pay_once(room: Room) -> None:
    asked = await room.asked()
    wires = []
    for _ in range(2):
        link = await room.pages.approval_link(asked)
        wire = wire_to(link)
        wires.append((wire, await wire.enter(link)))
    async with anyio.create_task_group() as tasks:
        for wire, page in wires:
            tasks.start_soon(wire.post, a_yes(page))
    await ended(room)
    assert room.orders_sent() == 1
    assert len(room.charges) == 1


async def test_a_cart_that_was_made_to_show_its_price_is_emptied_when_nobody_answers(room: Room) -> None:
    link = await room.link()
    await wire_to(link).enter(link)
    cleared = [request for request in room.simulator.requests if request.method == "DELETE"]
    await room.pages.close()
    after = [request for request in room.simulator.requests if request.method == "DELETE"]
    assert len(after) == len(cleared) + 1


def test_a_form_shows_nothing_of_what_was_typed() -> None:
    from firmly_mcp.pages.forms import Form

    assert "739" not in repr(Form({"security_code": SecretStr("739")}))


async def ended(room: Room) -> None:
    """Wait until the last attempt has an outcome."""
    with anyio.fail_after(30):
        while True:
            attempts = await room.placement.attempts(limit=1)
            if attempts and attempts[0].ended_at is not None:
                return
            await anyio.lowlevel.checkpoint()
