"""What a tool says of money comes from the journal, not from its own call: an earlier order is never hidden."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from firmly_mcp.app import JOURNAL
from firmly_mcp.checkout.models import Item, OrderIntent, State
from firmly_mcp.errors import NotAllowed, WalletError
from firmly_mcp.server.app import build_server
from tests.checkout.gate import ALLOW, CART, CODE, ITEMS, Gate
from tests.cli.assistant import an_assistant, serving
from tests.dialects import Dialect
from tests.proofs import BY_PERSON, until_recorded
from tests.secret_service import DEADLINE, SecretService
from tests.shop import CVV_COMMAND, RULES, STORE, TEE, call, refused, text_of

TWO = [{"ref": TEE, "quantity": 2}]
HOODIE = "MH07-XS-Gray"
BOTH = pytest.mark.parametrize(("tool", "arguments"), [("complete_order", {}), ("place_order", {"items": TWO})])

# Each tool that changes the shopper's cart; what it would change is there.
CHANGES: dict[str, dict[str, Any]] = {
    "add_line_item": {"store": STORE, "ref": TEE},
    "update_line_item": {"store": STORE, "line_item_id": "any", "quantity": 1},
    "clear_cart": {"store": STORE},
    "set_promo_codes": {"store": STORE, "promo_codes": ["SAVE10"]},
    "set_addon": {"store": STORE, "addon_id": "any"},
    "set_shipping_info": {"store": STORE},
    "set_fulfillment": {"store": STORE, "method": "STANDARD"},
    "set_postal_code": {"postal_code": "98101"},
}
# Calls at a store that can fail, and one that fails before it is made.
CALLS: list[tuple[str, dict[str, Any]]] = [
    *CHANGES.items(),
    ("get_cart", {"store": STORE}),
    ("get_cart", {}),
    ("get_product", {"store": STORE, "handle": "radiant-tee"}),
    ("get_order_status", {"store": STORE, "order_number": "none"}),
    ("complete_order", {"store": STORE, "max_total": "9000"}),
    ("complete_order", {"store": STORE, "colour": "red"}),
    ("complete_order", {"store": STORE, "card": "4111 1111 1111 1111"}),
    ("place_order", {"store": STORE, "items": [{"ref": HOODIE}], "max_total": "9000"}),
]


@pytest.fixture
async def client(gate: Gate) -> AsyncIterator[Client]:
    async with Client(build_server(gate.services)) as connected:
        yield connected


async def doubted(gate: Gate, wish: OrderIntent = CART, *actions: str) -> str:
    """An order that may be placed and may not; the attempt's id."""
    for action in actions or ("reset-after-body",):
        gate.simulator.faults.add(action, "*_order_v2")
    placing = await gate.placement.approve(await gate.reviewed(wish), CODE, BY_PERSON)
    with anyio.fail_after(30):
        await until_recorded(gate.placement, placing)
    return placing.id


def unreachable_store(gate: Gate) -> None:
    """Let every call but those of the session be answered 503, from now on."""
    for match in ("GET /api/v2*", "* /api/v2*", "* /api/v1/domains-products*", "* /api/v1/orders*"):
        gate.simulator.faults.add("unavailable", match, times=None)


def sold_out(gate: Gate) -> None:
    gate.simulator.set_stock(STORE, TEE, 0)


async def without_a_card(gate: Gate) -> None:
    await (await gate.services.vault()).remove_card("test-visa")


def a_locked_keyring(gate: Gate) -> None:
    class Locked(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise WalletError("The keyring is locked.")

    gate.keychain._secrets = Locked()


HINDRANCES: dict[str, Callable[[Gate], Any]] = {
    "out of stock": sold_out,
    "the store answers 503": unreachable_store,
    "the card is gone": without_a_card,
    "the keyring is locked": a_locked_keyring,
    "the rules cannot be read": lambda gate: gate.rules("[USD\n"),
}


async def hinder(gate: Gate, name: str) -> None:
    hindered = HINDRANCES[name](gate)
    if hindered is not None:
        await hindered


@pytest.mark.parametrize("hindrance", HINDRANCES)
@pytest.mark.anyio
async def test_items_that_were_ordered_are_answered_with_their_order_whatever_fails_now(
    client: Client, gate: Gate, hindrance: str
) -> None:
    order = await gate.bought(ITEMS)
    await hinder(gate, hindrance)
    again = await call(client, "place_order", store=STORE, items=TWO)
    assert (again["status"], again["money_moved"]) == ("placed", "yes")
    assert again["order_number"] == order.outcome.order_number
    assert "No new order was sent" in again["warnings"][0]
    assert gate.orders_sent() == 1


@pytest.mark.parametrize("hindrance", HINDRANCES)
@pytest.mark.anyio
async def test_items_whose_order_is_in_doubt_are_answered_with_the_doubt_whatever_fails_now(
    client: Client, gate: Gate, hindrance: str
) -> None:
    doubt = await doubted(gate, ITEMS)
    await hinder(gate, hindrance)
    for arguments in ({}, {"repeat": True}, {"max_total": "1"}, {"card": "another"}):
        again = await call(client, "place_order", store=STORE, items=TWO, **arguments)
        assert (again["status"], again["money_moved"], again["attempt"]) == ("unknown", "unknown", doubt)
    assert gate.orders_sent() == 1


@pytest.mark.anyio
async def test_the_same_items_are_found_in_any_order_and_split_over_lines(client: Client, gate: Gate) -> None:
    wish = OrderIntent(STORE, (Item(TEE, 1), Item(HOODIE, 1), Item(TEE, 1)))
    order = await gate.bought(wish)
    sold_out(gate)
    items = [{"ref": HOODIE}, {"ref": TEE, "quantity": 2}]
    assert (await call(client, "place_order", store=STORE, items=items))["attempt"] == order.id
    more = await refused(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 1}], max_total="9000")
    assert more["code"] == "out_of_stock"


@pytest.mark.anyio
async def test_a_program_that_repeats_a_call_for_hours_is_answered_with_its_order_though_the_store_is_empty(
    client: Client, gate: Gate
) -> None:
    gate.rules(ALLOW)
    order = await call(client, "place_order", store=STORE, items=TWO)
    assert order["status"] == "placed"
    gate.clock.time += timedelta(hours=3)
    sold_out(gate)
    again = await call(client, "place_order", store=STORE, items=TWO)
    assert (again["status"], again["order_number"]) == ("placed", order["order_number"])
    gate.clock.time += timedelta(hours=22)
    late = await refused(client, "place_order", store=STORE, items=TWO, max_total="9000")
    assert late["code"] == "out_of_stock"
    assert "attempt" not in late


@BOTH
@pytest.mark.anyio
async def test_an_answer_that_is_an_earlier_order_names_repeat_and_what_it_does(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    await gate.bought(CART if tool == "complete_order" else ITEMS)
    again = await call(client, tool, store=STORE, **arguments)
    assert again["status"] == "placed"
    assert "with repeat: true. That sends nothing by itself: it asks the person" in again["next"]
    assert ("fill the cart again" in again["next"]) == (tool == "complete_order")


@pytest.mark.anyio
async def test_repeat_asks_the_person_who_sees_what_was_bought_and_sends_nothing_by_itself(
    client: Client, gate: Gate
) -> None:
    gate.rules(ALLOW)
    order = await call(client, "place_order", store=STORE, items=TWO)
    asked = await call(client, "place_order", store=STORE, items=TWO, repeat=True)
    assert (asked["status"], asked["money_moved"]) == ("approval_required", "no")
    assert f"was placed at 2026-11-21 12:00 UTC (number {order['order_number']}, 53.40 USD)" in asked["warnings"][0]
    assert gate.orders_sent() == 1
    review = await gate.placement.review(asked["approval"])
    assert review.previous is not None
    assert review.previous.outcome.order_number == order["order_number"]
    await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    assert len(gate.charges) == 2


@pytest.mark.parametrize(("tool", "arguments"), CALLS)
@pytest.mark.anyio
async def test_an_error_at_a_store_with_a_doubt_states_it(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    doubt = await doubted(gate)
    unreachable_store(gate)
    error = await refused(client, tool, **arguments)
    assert (error["money_moved"], error["retry_safe"], error["attempt"]) == ("unknown", False, doubt)
    assert error["next"] == "get_order_status"
    assert "in doubt" in error["message"]


@pytest.mark.anyio
async def test_a_preview_at_a_store_with_a_doubt_states_it_ready_or_not(client: Client, gate: Gate) -> None:
    await doubted(gate)
    for arguments in ({}, {"card": "none"}, {"items": TWO}):
        preview = await client.call_tool("preview_order", {"store": STORE, **arguments})
        assert preview.structured_content is not None
        assert preview.structured_content["money_moved"] == "unknown"
        assert "is in doubt: it may have been placed" in text_of(preview)


@pytest.mark.anyio
async def test_an_error_at_a_store_with_a_fresh_order_states_it(client: Client, gate: Gate) -> None:
    order = await gate.bought(OrderIntent(STORE, (Item(TEE, 3),)))
    gate.rules('[USD]\nrefuse_above = "1"')
    error = await refused(client, "complete_order", store=STORE, max_total="9000")
    assert error["attempt"] == order.id
    unreachable_store(gate)
    for tool, arguments in CALLS:
        if (tool, arguments.get("max_total")) != ("complete_order", "9000"):
            error = await refused(client, tool, **arguments)
            assert (error["attempt"], error["money_moved"]) == (order.id, "no"), tool
            assert f"was placed at 2026-11-21 12:00 UTC (number {order.outcome.order_number}" in error["message"]
    gate.clock.time += timedelta(days=2)
    assert "attempt" not in await refused(client, "get_cart", store=STORE)


@pytest.mark.anyio
async def test_another_stores_doubt_is_not_stated(client: Client, gate: Gate) -> None:
    await doubted(gate)
    error = await refused(client, "get_cart", store="nowhere.example")
    assert (error["money_moved"], "attempt" in error) == ("no", False)


@pytest.mark.anyio
async def test_a_journal_that_cannot_be_read_hides_no_error_and_no_doubt(client: Client, gate: Gate) -> None:
    await gate.services.close()
    (gate.settings.data_dir / JOURNAL).write_bytes(b"damaged beyond use " * 100)
    async with gate.rooms() as services, Client(build_server(services)) as later:
        error = await refused(later, "get_product", store=STORE, handle="none")
        assert (error["code"], error["money_moved"]) == ("product_not_found", "unknown")
        assert "not known here whether an earlier order was placed" in error["message"]
        order = await refused(later, "place_order", store=STORE, items=TWO)
        assert (order["code"], order["money_moved"]) == ("not_allowed", "unknown")


@pytest.mark.parametrize("tool", ["complete_order", "set_shipping_info", "get_cart", "clear_cart"])
@pytest.mark.anyio
async def test_a_call_at_a_cart_that_is_about_to_be_paid_does_not_state_that_no_money_moves(
    client: Client, gate: Gate, tool: str
) -> None:
    async with (await gate.services.firmly()).hold(STORE):
        # As it is before the attempt of the other call is on disk.
        error = await refused(client, tool, store=STORE)
    assert (error["code"], error["money_moved"], error["retry_safe"]) == ("being_paid", "unknown", False)


@pytest.mark.skipif(os.name != "posix", reason="other systems let no file go that is open")
@pytest.mark.anyio
async def test_a_journal_that_is_removed_under_the_server_hides_no_order_and_lets_no_evidence_go(
    client: Client, gate: Gate
) -> None:
    doubt = await doubted(gate, CART, "lose-answer")
    for suffix in ("", "-wal", "-shm"):
        (gate.settings.data_dir / f"{JOURNAL}{suffix}").unlink()
    error = await refused(client, "get_product", store=STORE, handle="none")
    assert (error["money_moved"], error["attempt"]) == ("unknown", doubt)
    gate.simulator.faults.add("unavailable", "get_cart_v2", times=None)
    refusal = await refused(client, "clear_cart", store=STORE)
    assert (refusal["money_moved"], refusal["attempt"]) == ("unknown", doubt)
    assert not any(request.method == "DELETE" for request in gate.simulator.requests)


@pytest.mark.anyio
async def test_a_cart_that_was_emptied_is_empty_and_not_another_purchases_order(client: Client, gate: Gate) -> None:
    order = await gate.bought(CART)
    await call(client, "add_line_item", store=STORE, ref=HOODIE)
    await call(client, "clear_cart", store=STORE)
    error = await refused(client, "complete_order", store=STORE)
    assert error["message"].startswith(f"The cart at {STORE} is empty.")
    assert error["next"] == "add_line_item"
    assert error["attempt"] == order.id
    assert "no other order was sent" in error["message"]


@pytest.mark.anyio
async def test_a_cart_that_was_never_filled_is_empty_though_items_were_just_bought(client: Client, gate: Gate) -> None:
    await gate.bought(ITEMS)
    await call(client, "clear_cart", store=STORE)
    error = await refused(client, "complete_order", store=STORE)
    assert error["message"].startswith(f"The cart at {STORE} is empty.")


@pytest.mark.anyio
async def test_a_newly_filled_cart_is_an_order_of_its_own(client: Client, gate: Gate) -> None:
    order = await gate.bought(CART)
    await call(client, "add_line_item", store=STORE, ref=HOODIE)
    await call(client, "set_shipping_info", store=STORE)
    asked = await call(client, "complete_order", store=STORE)
    assert (asked["status"], "order_number" in asked) == ("approval_required", False)
    assert order.outcome.order_number in asked["warnings"][0]


@pytest.mark.parametrize("hours", [23, 25])
@pytest.mark.anyio
async def test_the_very_cart_that_an_order_used_up_tells_of_it_for_a_day(
    client: Client, gate: Gate, hours: int
) -> None:
    order = await gate.bought(CART)
    gate.clock.time += timedelta(hours=hours)
    if hours < 24:
        again = await call(client, "complete_order", store=STORE)
        assert (again["status"], again["order_number"]) == ("placed", order.outcome.order_number)
    else:
        assert "was ordered before" in (await refused(client, "complete_order", store=STORE))["message"]


@pytest.mark.anyio
async def test_a_cart_that_is_gone_after_its_order_tells_of_it(client: Client, gate: Gate) -> None:
    order = await gate.bought(CART)
    gate.simulator.world.encode = Dialect(no_cart="not_found")
    await (await gate.services.vault()).device_tokens.forget()
    async with gate.rooms() as services, Client(build_server(services)) as later:
        again = await call(later, "complete_order", store=STORE)
    assert (again["status"], again["order_number"]) == ("placed", order.outcome.order_number)


@pytest.mark.anyio
async def test_a_question_whose_cart_was_ordered_meanwhile_tells_of_the_order(gate: Gate) -> None:
    question = await gate.asked(CART)
    with sqlite3.connect(gate.settings.data_dir / JOURNAL) as journal:
        # As two programs leave it that asked at the same moment: both questions are open.
        row = journal.execute("SELECT * FROM approvals").fetchone()
        journal.execute(f"INSERT INTO approvals VALUES ({', '.join('?' * len(row))})", ("ap_other", *row[1:]))
    review = await gate.placement.review("ap_other")
    order = await gate.ended(await gate.placement.approve(review, CODE, BY_PERSON))
    with pytest.raises(NotAllowed, match=f"was placed at .*number {order.outcome.order_number}"):
        await gate.placement.review(question.id)


@pytest.mark.parametrize(("tool", "arguments"), CHANGES.items())
@pytest.mark.anyio
async def test_a_cart_is_read_for_an_order_in_doubt_before_it_changes(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    doubt = await doubted(gate, CART, "lose-answer")
    await client.call_tool(tool, arguments)
    found = await gate.placement.attempts(limit=1)
    assert (found[0].id, found[0].state) == (doubt, State.PLACED)
    assert found[0].outcome.order_number == gate.simulator.books.charges[0].order_number


@pytest.mark.parametrize(("tool", "arguments"), CHANGES.items())
@pytest.mark.anyio
async def test_a_cart_that_cannot_be_read_for_an_order_in_doubt_is_not_changed(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    doubt = await doubted(gate, CART, "lose-answer")
    gate.simulator.faults.add("unavailable", "get_cart_v2", times=None)
    before = [request for request in gate.simulator.requests if request.method != "GET"]
    error = await refused(client, tool, **arguments)
    assert (error["money_moved"], error["attempt"], error["next"]) == ("unknown", doubt, "get_order_status")
    assert "could not be checked yet. The cart is not changed until it is" in error["message"]
    assert [request for request in gate.simulator.requests if request.method != "GET"] == before
    gate.simulator.faults.clear()
    status = await call(client, "get_order_status", attempt=doubt)
    assert status["attempt"]["status"] == "placed"


@pytest.mark.anyio
async def test_a_cart_that_was_read_and_proves_nothing_may_change_and_what_it_read_as_is_kept(
    client: Client, gate: Gate
) -> None:
    doubt = await doubted(gate)
    await call(client, "clear_cart", store=STORE)
    status = await call(client, "get_order_status", attempt=doubt)
    assert "still reads as not ordered" in status["attempt"]["reason"]


@pytest.mark.anyio
async def test_a_cart_of_another_device_or_store_is_changed_without_a_reading(client: Client, gate: Gate) -> None:
    await doubted(gate, ITEMS)
    gate.simulator.faults.add("unavailable", "get_cart_v2", times=None)
    await call(client, "clear_cart", store=STORE)
    await call(client, "set_postal_code", postal_code="98101")


def test_a_server_that_starts_after_a_kill_reads_the_cart_before_it_clears_it(
    keyring_bus: SecretService, tmp_path: Path
) -> None:
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(f"cvv_command = {json.dumps(CVV_COMMAND)}\n", "utf-8")
    with an_assistant(tmp_path, FIRMLY_MCP_CONFIG=str(config)) as assistant:
        server = assistant.server
        server.call("add_line_item", store=STORE, ref=TEE, quantity=1)
        server.call("set_shipping_info", store=STORE)
        assistant.fault("delay-answer", seconds=DEADLINE)
        server.begin("tools/call", server.calling("complete_order", store=STORE, max_total="9000"))
        deadline = time.monotonic() + DEADLINE
        while not assistant.charges:
            assert time.monotonic() < deadline, "no order was charged"
        number = assistant.charges[0][0]
        server.signal(signal.SIGKILL)
        with serving(assistant.environment) as later:
            later.server.call("clear_cart", store=STORE)
            order = later.server.call("list_orders")["structuredContent"]["orders"][0]
            assert (order["status"], order["order_number"]) == ("placed", number)
            assert len(later.charges) == 1
