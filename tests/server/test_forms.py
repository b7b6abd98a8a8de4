"""A person fills in a page while the assistant waits; the model gets the label, and the link only where nothing else
reached them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from firmly_mcp.server.app import build_server
from tests.checkout.gate import Gate, open_gate
from tests.forms import filled
from tests.shop import call, refused
from tests.wallet.samples import an_address

pytestmark = pytest.mark.anyio

NUMBER = "4000056655665556"
CARD = {"label": "Work", "number": NUMBER, "expiry": "08/31", "name": "Ana Lima", "billing": "book:home"}
ADDRESS = {"address_label": "Gift", **an_address().as_firmly()}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path) as opened:
        yield opened


@dataclass
class Host:
    """A host that shows links, and whose person fills in `fields` before they answer."""

    action: Literal["accept", "decline", "cancel"] = "accept"
    fields: dict[str, str] | None = None
    links: tuple[str, ...] = ()

    async def elicited(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.links += (params.url,)
        if self.fields is not None:
            assert "is saved" in await anyio.to_thread.run_sync(partial(filled, params.url, self.fields))
        return ElicitResult(action=self.action)

    def client(self, gate: Gate, era: Any) -> Client:
        return Client(build_server(gate.services), mode=era, elicitation_callback=self.elicited)


async def test_a_card_that_the_person_types_is_there_when_the_call_returns(gate: Gate, era: Any) -> None:
    host = Host(fields=CARD)
    async with host.client(gate, era) as client:
        result = await client.call_tool("add_payment_card", {})
    view = result.structured_content
    assert view is not None
    assert view["status"] == "saved"
    assert [(card["label"], card["last_four"]) for card in view["cards"]] == [("test-visa", "1111"), ("Work", "5556")]
    assert "link" not in view
    assert "next" not in view
    assert len(host.links) == 1
    assert NUMBER not in result.model_dump_json()
    assert host.links[0] not in result.model_dump_json()


async def test_an_address_is_typed_by_the_person_where_the_model_gives_none(gate: Gate, era: Any) -> None:
    async with Host(fields=ADDRESS).client(gate, era) as client:
        view = await call(client, "add_address")
    assert view["status"] == "saved"
    assert [(entry["label"], entry["origin"]) for entry in view["addresses"]] == [
        ("home", "person"),
        ("Gift", "person"),
    ]


async def test_the_model_gets_the_link_where_nothing_else_reached_the_person(gate: Gate, era: Any) -> None:
    host = Host("cancel")
    async with host.client(gate, era) as client:
        view = await call(client, "add_payment_card")
        again = await call(client, "add_payment_card")
    assert view["status"] == "not_reached"
    assert view["link"] == again["link"] == host.links[0]
    assert len(host.links) == 1, "the same link is shown once"
    assert f"{view['link']}" not in view["next"]
    assert "cards add`" in view["next"]
    assert "is saved" in await anyio.to_thread.run_sync(partial(filled, view["link"], CARD))


@pytest.mark.parametrize("tool", ["add_payment_card", "add_address"])
async def test_a_person_who_declines_a_form_is_not_asked_again_and_the_model_gets_no_link(
    gate: Gate, era: Any, tool: str
) -> None:
    host = Host("decline")
    async with host.client(gate, era) as client:
        for _ in range(3):
            result = await client.call_tool(tool, {})
            view = result.structured_content
            assert view is not None
            assert view["status"] == "declined"
            assert "declined" in view["next"]
            assert "http" not in result.model_dump_json()
    assert len(host.links) == 1


async def test_without_any_way_to_reach_the_person_the_command_is_told_at_once(gate: Gate, era: Any) -> None:
    async with Client(build_server(gate.services), mode=era) as client:
        for tool, command in (("add_payment_card", "cards add"), ("add_address", "addresses add")):
            view = await call(client, tool)
            assert view["status"] == "not_reached"
            assert "link" not in view
            assert f" {command}`. Then end your turn" in view["next"]
    assert gate.services.pages.made is None, "nobody would see a page"


async def test_a_call_ends_in_time_while_the_person_still_types(
    gate: Gate, era: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmly_mcp.server.person.WAIT_SECONDS", 0.5)
    async with Host().client(gate, era) as client:
        view = await call(client, "add_payment_card")
    assert view["status"] == "asked"
    assert "link" not in view
    assert "list_payment_cards" in view["next"]


async def test_an_address_with_a_field_missing_names_it_and_opens_no_page(gate: Gate, era: Any) -> None:
    host = Host()
    fields = {"label": "Gift", **an_address().as_firmly()}
    async with host.client(gate, era) as client:
        for missing in ("label", "email", "country"):
            given = {name: typed for name, typed in fields.items() if name != missing}
            error = await refused(client, "add_address", **given)
            assert error["code"] == "address_refused"
            assert f"{missing} is missing" in error["message"]
        added = await call(client, "add_address", **fields)
    assert [entry["origin"] for entry in added["addresses"]] == ["person", "tool"]
    assert "status" not in added
    assert host.links == ()
