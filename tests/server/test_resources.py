"""What a host may read beside the tools, and the notices that it changed, in both eras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference, ResourceUpdatedNotification

from firmly_mcp.server.app import build_server
from firmly_mcp.wallet.memory import ADDRESS_LABEL, CARD_LABEL
from tests.checkout.gate import CODE, open_gate
from tests.proofs import BY_PERSON
from tests.shop import STORE, Shop, call, fill_cart

CART = f"firmly://{STORE}/cart"


async def resource(client: Client, uri: str) -> dict[str, Any]:
    content = (await client.read_resource(uri)).contents[0]
    assert content.mime_type == "application/json"
    return dict(json.loads(getattr(content, "text", "")))


@pytest.mark.anyio
async def test_resources_are_listed_with_a_title_and_a_description(client: Client) -> None:
    listed = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    assert {str(one.uri) for one in listed} == {"firmly://stores", "firmly://orders", "firmly://rules"}
    assert {one.uri_template for one in templates} == {"firmly://{store}/cart", "firmly://orders/{attempt}"}
    assert all(one.title and one.description for one in listed)
    assert all(one.title and one.description for one in templates)


@pytest.mark.anyio
async def test_a_resource_shows_what_the_tool_of_the_same_matter_shows(client: Client, shop: Shop) -> None:
    await fill_cart(client)
    assert await resource(client, CART) == (await call(client, "get_cart", store=STORE))["carts"][0]
    placed = await call(client, "complete_order", store=STORE)
    by_id = await resource(client, f"firmly://orders/{placed['attempt']}")
    assert by_id == placed
    orders = await resource(client, "firmly://orders")
    assert orders["orders"][0]["order_number"] == shop.charges[0][0]
    stores = await resource(client, "firmly://stores")
    assert {"store": STORE, "cart": False, "orders": 1} in stores["stores"]


@pytest.mark.anyio
async def test_what_is_not_there_is_said_in_our_words(client: Client) -> None:
    for uri, words in (
        ("firmly://orders/att_none", "no attempt of this id"),
        ("firmly://nowhere.example/cart", "does not exist or is not enabled"),
    ):
        with pytest.raises(MCPError, match=words):
            await client.read_resource(uri)


@pytest.mark.anyio
async def test_the_rules_are_told_without_amounts(tmp_path: Path, era: Any) -> None:
    async with open_gate(tmp_path) as gate, Client(build_server(gate.services), mode=era) as client:
        assert (await resource(client, "firmly://rules"))["asked"] == ["every order"]
        gate.rules(
            '[USD]\nask_above = "37.50"\nrefuse_above = "431.25"\n[USD.stores."luma.gift"]\nask_above = "19.90"\n'
            '[stores]\nrefused = ["bad.example"]\nwithout_asking = ["good.example"]\n[orders]\nlargest_quantity = 17\n'
        )
        told = await resource(client, "firmly://rules")
        assert "orders at bad.example" in told["refused"]
        assert "orders in USD above the person's limits" in told["refused"]
        assert "orders at stores that the person did not name for it" in told["asked"]
        for unsaid in ("37", "431", "19", "17", "good.example"):
            assert unsaid not in json.dumps(told)


@pytest.mark.anyio
async def test_a_host_is_told_that_a_cart_or_an_order_changed(shop: Shop, era: Any) -> None:
    tell, hear = anyio.create_memory_object_stream[str](100)

    async def of_the_session(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            tell.send_nowait(str(message.params.uri))

    async def of_a_listener(client: Client, *, task_status: TaskStatus[None]) -> None:
        async with client.listen(resource_subscriptions=[CART, "firmly://orders"]) as changes:
            task_status.started()
            async for change in changes:
                tell.send_nowait(str(getattr(change, "uri", "")))

    server = build_server(shop.services)
    async with (
        tell,
        hear,
        Client(server, mode=era, message_handler=of_the_session) as client,
        anyio.create_task_group() as tasks,
    ):
        if era == "auto":
            await tasks.start(of_a_listener, client)
        await fill_cart(client)
        await call(client, "complete_order", store=STORE)
        told: set[str] = set()
        with anyio.fail_after(20):
            while not {CART, "firmly://orders"} <= told:
                told.add(await hear.receive())
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_host_is_told_of_an_order_that_ends_when_no_call_waits_for_it(tmp_path: Path, era: Any) -> None:
    tell, hear = anyio.create_memory_object_stream[str](100)

    async def of_the_session(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            tell.send_nowait(str(message.params.uri))

    async def of_a_listener(client: Client, *, task_status: TaskStatus[None]) -> None:
        async with client.listen(resource_subscriptions=["firmly://orders"]) as changes:
            task_status.started()
            async for change in changes:
                tell.send_nowait(str(getattr(change, "uri", "")))

    async with (
        open_gate(tmp_path) as gate,
        Client(build_server(gate.services), mode=era, message_handler=of_the_session) as client,
        anyio.create_task_group() as tasks,
    ):
        if era == "auto":
            await tasks.start(of_a_listener, client)
        await fill_cart(client)
        asked = await call(client, "complete_order", store=STORE)
        review = await gate.placement.review(asked["approval"])
        await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
        with anyio.fail_after(20):
            while await hear.receive() != "firmly://orders":
                pass
        tasks.cancel_scope.cancel()
    tell.close()
    hear.close()


@pytest.mark.anyio
async def test_arguments_are_completed_from_what_the_shopper_has(client: Client, shop: Shop) -> None:
    await fill_cart(client)
    placed = await call(client, "complete_order", store=STORE)
    shopping = PromptReference(name="checkout")
    for name, typed, expected in (
        ("card", CARD_LABEL[:3].upper(), [CARD_LABEL]),
        ("card", "zzz", []),
        ("address", "", [ADDRESS_LABEL]),
        ("store", "stag", [STORE]),
        ("stores", "a.example, sta", [f"a.example, {STORE}"]),
        ("order", "SIM", [shop.charges[0][0]]),
        ("budget", "5", []),
    ):
        found = await client.complete(shopping, {"name": name, "value": typed})
        assert found.completion.values == expected, name
    template = ResourceTemplateReference(uri="firmly://orders/{attempt}")
    found = await client.complete(template, {"name": "attempt", "value": "att_"})
    assert found.completion.values == [placed["attempt"]]
