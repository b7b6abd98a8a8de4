"""A person is reached by their host's link or by their browser; the model gets the link only where neither works."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import pytest
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitRequestURLParams, ElicitResult, ErrorData

from firmly_mcp.app import JOURNAL
from firmly_mcp.checkout.models import Approval
from firmly_mcp.server.app import build_server
from firmly_mcp.settings import PAGES_AN_HOUR
from tests.checkout.gate import CODE, Gate, open_gate
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE, call, refused

pytestmark = pytest.mark.anyio

DEADLINE = 30.0
PAY = {"store": STORE}


@pytest.fixture
async def gate(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path, open_pages="browser" in request.fixturenames) as opened:
        await opened.fill_cart()
        yield opened


@dataclass
class Host:
    """A host that shows links, and what its person does with one."""

    gate: Gate
    action: Literal["accept", "decline", "cancel"]
    then: Callable[[Gate], Awaitable[object]] | None = None
    links: tuple[str, ...] = ()

    async def elicited(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.links += (params.url,)
        assert " USD at staging.luma.gift" in params.message
        if self.then is not None:
            await self.then(self.gate)
        return ElicitResult(action=self.action)

    @asynccontextmanager
    async def client(self, era: Any) -> AsyncIterator[Client]:
        server = build_server(self.gate.services)
        async with Client(server, mode=era, elicitation_callback=self.elicited) as connected:
            yield connected


async def yes(gate: Gate) -> None:
    async with gate.another() as other:
        for approval in await other.open_approvals():
            await gate.ended(await other.approve(await other.review(approval.id), CODE, BY_PERSON), other)


async def no(gate: Gate) -> None:
    async with gate.another() as other:
        for approval in await other.open_approvals():
            await other.decline(await other.review(approval.id), "test")


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop whose browser writes down what it was asked to open; the file."""
    opened, program = tmp_path / "opened", tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    os.mkfifo(tmp_path / "told")
    program.write_text(f'#!/bin/sh\necho "$1" >> {opened}; : > {tmp_path / "told"}\n', "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    return opened


async def test_a_host_that_shows_the_link_waits_for_the_persons_yes(gate: Gate, era: Any) -> None:
    host = Host(gate, "accept", yes)
    async with host.client(era) as client:
        order = await call(client, "complete_order", **PAY)
    assert (order["status"], order["money_moved"]) == ("placed", "yes")
    assert "warnings" not in order
    assert "link" not in order
    assert len(host.links) == 1
    assert gate.charges == [5340]


async def test_a_persons_no_is_told_in_the_same_call_and_in_the_next(gate: Gate, era: Any) -> None:
    host = Host(gate, "accept", no)
    async with host.client(era) as client:
        for _ in range(2):
            declined = await call(client, "complete_order", **PAY)
            assert (declined["status"], declined["money_moved"]) == ("declined", "no")
    assert len(host.links) == 1
    assert not gate.orders_sent()


async def test_a_journal_that_fails_while_the_person_is_asked_is_an_error_that_states_it(gate: Gate, era: Any) -> None:
    async def damage(gate: Gate) -> None:
        with closing(sqlite3.connect(gate.settings.data_dir / JOURNAL, isolation_level=None)) as journal:
            journal.execute("ALTER TABLE approvals RENAME TO lost")

    host = Host(gate, "accept", damage)
    async with host.client(era) as client:
        error = await refused(client, "complete_order", **PAY)
    assert (error["code"], error["money_moved"]) == ("not_allowed", "no")
    assert "journal" in error["message"]
    assert not gate.orders_sent()


async def test_a_person_who_declines_the_link_has_declined_the_order_and_the_model_gets_no_link(
    gate: Gate, era: Any, browser: Path
) -> None:
    host = Host(gate, "decline")
    view: dict[str, Any] | None = None
    async with host.client(era) as client:
        for _ in range(3):
            declined = await client.call_tool("complete_order", PAY)
            view = declined.structured_content
            assert view is not None
            assert (view["status"], view["money_moved"]) == ("declined", "no")
            assert "Do not ask for it again" in view["next"]
            assert "command" not in view
            assert not _links_in(declined, host)
        assert view is not None
        asked_of = await client.call_tool("get_order_status", {"attempt": view["approval"]})
        assert not _links_in(asked_of, host)
        assert not _links_in(await client.call_tool("preview_order", PAY), host)
    assert len(host.links) == 1
    assert not browser.exists()
    assert not gate.orders_sent()


async def test_a_declined_link_is_a_no_in_every_process_and_is_not_put_again(
    gate: Gate, era: Any, browser: Path
) -> None:
    host = Host(gate, "decline")
    async with host.client(era) as client:
        first = await call(client, "complete_order", **PAY)
    async with gate.rooms() as services:
        other = build_server(services)
        async with Client(other, mode=era, elicitation_callback=host.elicited) as client:
            view = await call(client, "complete_order", **PAY)
            assert (view["status"], view["approval"]) == ("declined", first["approval"])
            assert "link" not in view
    assert len(host.links) == 1


async def test_a_question_that_was_answered_while_its_link_was_declined_keeps_its_answer(gate: Gate, era: Any) -> None:
    async with Host(gate, "decline", yes).client(era) as client:
        order = await call(client, "complete_order", **PAY)
    assert (order["status"], order["money_moved"]) == ("placed", "yes")
    assert gate.charges == [5340]


async def test_a_no_is_a_no_to_the_newer_question_of_the_same_call(gate: Gate, era: Any, browser: Path) -> None:
    async def another(gate: Gate) -> None:
        await gate.placement.place(_items(1))

    host = Host(gate, "decline", another)
    async with host.client(era) as client:
        answer = await client.call_tool("complete_order", PAY)
    view = answer.structured_content
    assert view is not None
    assert view["money_moved"] == "no"
    assert view["status"] == ("not_placed" if era == "legacy" else "declined")
    assert not _links_in(answer, host)
    assert not browser.exists()


async def test_a_host_that_fails_to_show_the_link_has_asked_nobody(gate: Gate, era: Any) -> None:
    async def failing(context: Any, params: ElicitRequestParams) -> ErrorData:
        return ErrorData(code=-32603, message="no dialog")

    if era != "legacy":
        pytest.skip("there a host answers by making the call again, or not at all")
    async with Client(build_server(gate.services), mode=era, elicitation_callback=failing) as client:
        asked = await call(client, "complete_order", **PAY)
    assert asked["status"] == "approval_required"
    assert "/open/" in asked["link"]


async def test_a_host_that_cancels_by_itself_does_not_keep_the_page_from_opening(
    gate: Gate, era: Any, browser: Path
) -> None:
    host = Host(gate, "cancel")
    async with host.client(era) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(_when_opened, browser, gate)
        order = await call(client, "complete_order", **PAY)
    assert order["status"] == "placed"
    assert browser.read_text("utf-8").split() == list(host.links)


async def test_without_a_host_that_shows_links_the_browser_opens_once(gate: Gate, era: Any, browser: Path) -> None:
    async with Client(build_server(gate.services), mode=era) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(_when_opened, browser, gate)
        order = await call(client, "complete_order", **PAY)
        assert order["status"] == "placed"
        joined = await call(client, "complete_order", **PAY)
    assert joined["order_number"] == order["order_number"]
    assert len(browser.read_text("utf-8").split()) == 1


async def test_nobody_is_worn_down_by_pages(gate: Gate, browser: Path) -> None:
    for quantity in range(1, PAGES_AN_HOUR + 3):
        asked = await gate.placement.place(_items(quantity))
        assert isinstance(asked, Approval)
        assert await gate.placement.may_open_page() is (quantity <= PAGES_AN_HOUR)
    assert len(await gate.placement.open_approvals()) == 1


async def test_no_tool_brings_more_than_six_pages_before_a_person_in_an_hour(
    gate: Gate, era: Any, browser: Path
) -> None:
    host = Host(gate, "decline")
    async with host.client(era) as client:
        for quantity in range(1, PAGES_AN_HOUR + 3):
            asked = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": quantity}])
            assert asked["status"] == ("declined" if quantity <= PAGES_AN_HOUR else "approval_required")
    assert len(host.links) == PAGES_AN_HOUR
    assert not browser.exists()


async def test_without_any_way_to_reach_the_person_the_call_returns_at_once(gate: Gate, era: Any) -> None:
    async with Client(build_server(gate.services), mode=era) as client:
        asked = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 2}])
    assert asked["status"] == "approval_required"
    assert "link" not in asked
    assert gate.services.pages.made is None


async def test_a_question_that_another_took_the_place_of_is_told_as_unanswered(gate: Gate, era: Any) -> None:
    async def another(gate: Gate) -> None:
        await gate.placement.place(_items(1))

    async with Host(gate, "accept", another).client(era) as client:
        replaced = await call(client, "complete_order", **PAY)
    assert replaced["money_moved"] == "no"
    if era == "legacy":
        assert replaced["status"] == "not_placed"
        assert "another order" in replaced["reason"]
    else:
        # The host makes the call again, which asks anew; once is enough for one call.
        assert replaced["status"] == "approval_required"
    assert not gate.orders_sent()


async def test_the_status_of_a_question_is_told_by_its_id(gate: Gate, era: Any) -> None:
    async with Client(build_server(gate.services), mode=era) as client:
        asked = await call(client, "complete_order", **PAY)
        waiting = await call(client, "get_order_status", attempt=asked["approval"])
        assert waiting["attempt"]["status"] == "approval_required"
        assert waiting["attempt"]["command"] == asked["command"]
        await yes(gate)
        placed = await call(client, "get_order_status", attempt=asked["approval"])
        assert placed["attempt"]["status"] == "placed"
        assert placed["order_number"] == gate.simulator.books.charges[0].order_number
        asked = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 1}])
        gate.clock.time += timedelta(minutes=11)
        late = await call(client, "get_order_status", attempt=asked["approval"])
        assert (late["attempt"]["status"], late["attempt"]["money_moved"]) == ("not_placed", "no")


def _links_in(result: CallToolResult, host: Host) -> bool:
    return "http" in result.model_dump_json() or any(link in result.model_dump_json() for link in host.links)


def _items(quantity: int) -> Any:
    from firmly_mcp.checkout.models import Item, OrderIntent

    return OrderIntent(STORE, (Item(TEE, quantity),))


async def _when_opened(opened: Path, gate: Gate) -> None:
    with anyio.fail_after(DEADLINE):
        await anyio.to_thread.run_sync((opened.parent / "told").read_bytes, abandon_on_cancel=True)
    await yes(gate)


async def test_a_link_never_leads_where_nobody_accepted_that_a_person_types(tmp_path: Path, era: Any) -> None:
    elsewhere: dict[str, Any] = {"pages_url": "https://elsewhere.example", "pages_port": 8123}
    async with open_gate(tmp_path, **elsewhere) as gate:
        await gate.fill_cart()
        host = Host(gate, "cancel")
        async with host.client(era) as client:
            asked = await call(client, "complete_order", **PAY)
        assert asked["link"] == host.links[0]
        assert host.links[0].startswith("http://127.0.0.1:")
        assert asked["warnings"][0].startswith("Not accepted: pages_url, pages_port.")
        async with Client(build_server(gate.services), mode=era) as client:
            told = await call(client, "complete_order", **PAY)
        assert "link" not in told, "no browser knows the port, which is any that is free"
        assert told["warnings"] == asked["warnings"]
        accepted = await gate.services.accepted()
        await accepted.accept(await accepted.standing(), BY_PERSON)
        await (await gate.services.pages()).close()
        async with Client(build_server(gate.services), mode=era) as client:
            told = await call(client, "complete_order", **PAY)
        assert told["link"].startswith("https://elsewhere.example/open/")
        assert "warnings" not in told
