"""When the pages' server runs, and what it leaves alone."""

import asyncio
import logging
import signal
import socket
from contextlib import ExitStack, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from firmly_mcp.errors import NotAllowed, SettingsError
from firmly_mcp.settings import Settings
from firmly_mcp.system.loopback import MOST

from .room import Room, open_room
from .wire import wire_to

pytestmark = pytest.mark.anyio

DEADLINE = 30


async def test_it_starts_with_the_first_link_and_on_loopback_alone(room: Room) -> None:
    assert room.pages._listener is None
    link = urlsplit(await room.link())
    assert link.hostname == "127.0.0.1"
    assert room.pages._listener is not None
    (bound,) = room.pages._listener._server.sockets if room.pages._listener._server else ()
    assert bound.getsockname()[0] == "127.0.0.1"


async def test_it_stops_when_nobody_asks_and_starts_again_for_the_next_link(settings: Settings) -> None:
    async with open_room(settings, idle=timedelta(seconds=0)) as room:
        link = await room.link()
        room.clock.pass_minutes(11)
        # Any look at the clock will do; the next one by itself is up to half a minute away.
        room.pages._watch = _looking_now(room)
        async with asyncio.timeout(DEADLINE):
            await room.pages.stopped.wait()
        with pytest.raises(ConnectionRefusedError):
            await wire_to(link).get(urlsplit(link).path)
        again = await room.link()
        assert (await wire_to(again).get(urlsplit(again).path)).status == 303


def _looking_now(room: Room) -> asyncio.Task[None]:
    if room.pages._watch is not None:
        room.pages._watch.cancel()
    return asyncio.create_task(room.pages._stop_when_idle())


async def test_it_stays_while_a_question_is_open(settings: Settings) -> None:
    async with open_room(settings, idle=timedelta(seconds=0)) as room:
        link = await room.link()
        assert room.pages._stays_for() > timedelta(minutes=9)
        assert (await wire_to(link).get(urlsplit(link).path)).status == 303


async def test_a_port_that_another_program_has_is_said(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with open_room(settings, port=port) as room:
            with pytest.raises(SettingsError, match=f"port {port}"):
                await room.link()


async def test_behind_another_address_only_that_one_and_loopback_are_answered(settings: Settings) -> None:
    async with open_room(settings, public_url="https://pay.example") as room:
        link = await room.link()
        assert link.startswith("https://pay.example/open/")
        port = room.pages._listener.port if room.pages._listener else 0
        wire = wire_to(f"http://127.0.0.1:{port}")
        assert (await wire.get("/", Host="shop.example")).status == 421
        swapped = await wire.get(urlsplit(link).path, Host="pay.example")
        assert swapped.status == 303
        assert "secure" in swapped.headers["set-cookie"].lower()
        wire.cookie, wire.path = swapped.headers["set-cookie"].partition(";")[0], swapped.headers["location"]
        page = await wire.get(Host="pay.example")
        fields = {"csrf": page.hidden("csrf"), "shown": page.hidden("shown"), "answer": "decline"}
        assert (await wire.post(fields, Host="pay.example", Origin="http://pay.example")).status == 403
        assert (await wire.post(fields, Host="pay.example", Origin="https://pay.example")).status == 303


async def test_no_signal_and_no_stream_is_touched(
    room: Room, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caplog.set_level(logging.DEBUG)
    link = await room.link()
    # As a program does that logs every request it serves.
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "handlers", [caplog.handler])
    await wire_to(link).enter(link)
    await room.pages.close()
    assert {number: signal.getsignal(number) for number in before} == before
    written = capfd.readouterr()
    assert written.out == ""
    assert written.err == ""
    assert urlsplit(link).path not in caplog.text
    assert "/approval/" not in caplog.text


async def test_there_is_no_link_to_a_question_that_cannot_be_answered(room: Room) -> None:
    with pytest.raises(NotAllowed, match="no open approval"):
        await room.pages.approval_link("ap_0123456789abcdef")


async def test_links_without_end_do_not_fill_the_memory(room: Room) -> None:
    asked = await room.asked()
    for _ in range(150):
        link = await room.pages.approval_link(asked)
        assert (await wire_to(link).get(urlsplit(link).path)).status == 303
    assert len(room.pages._visits._visits) <= 101


async def test_a_crowd_that_opens_no_page_keeps_the_person_out_of_none(room: Room) -> None:
    link = urlsplit(await room.link())
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection((link.hostname, link.port))) for _ in range(3 * MOST)]
        assert (await wire_to(link.geturl()).enter(link.geturl())).status == 200
        crowd[0].setblocking(False)
        async with asyncio.timeout(DEADLINE):
            with suppress(ConnectionError):
                assert not await asyncio.get_running_loop().sock_recv(crowd[0], 1)
