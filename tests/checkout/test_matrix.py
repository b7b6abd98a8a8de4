"""Whatever goes wrong on the way of a payment, the simulator's books judge it, and nothing else (see `matrix`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import cast

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.api.transport import Http
from firmly_mcp.simulator.faults import ACTIONS
from tests.soak.scene import Answer, Tool
from tests.soak.trouble import ORDER
from tests.soak.wishes import PRICE

from .matrix import AISLE, TOOLS, Buying, Case, Stage, cases, staged

CASES = list(cases())
BOTH = pytest.mark.parametrize("tool", TOOLS)
WAYS = pytest.mark.parametrize(("first", "then"), [(one, other) for one in TOOLS for other in TOOLS])
THOUSANDS = Decimal(100_000)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("matrix")) as opened:
        yield opened


def test_every_fault_there_is_stands_in_the_matrix() -> None:
    assert {trouble.action for case in CASES for trouble in case.troubles} == set(ACTIONS)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.anyio
async def test_no_fault_charges_twice_or_above_what_was_approved_or_loses_an_order(stage: Stage, case: Case) -> None:
    async with stage.shopper() as buying:
        faults = [stage.simulator.faults.add(t.action, t.match, n=t.n, **t.options) for t in case.troubles]
        await ordered(buying, case.tool)
        for tool in TOOLS:
            await ordered(buying, tool)
        assert [fault.hits for fault in faults] == [1] * len(faults), "the fault did not strike"
        verdict = buying.verdict(could_rise=any(trouble.raises_inside for trouble in case.troubles))
        assert not verdict.broken
        assert verdict.charges <= 1
        assert not await buying.untold()


async def ordered(buying: Buying, tool: Tool) -> Answer:
    """Order the wish by a tool, up to the total that the cart had."""
    return await buying.host_one.order(buying.wish, tool, Decimal(buying.approved[buying.wish.key]) / 100)


@WAYS
@pytest.mark.anyio
async def test_after_a_timeout_the_same_wish_by_any_tool_is_the_same_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, first: Tool, then: Tool
) -> None:
    for send in (Http.send_alone, vars(Http)["stream_alone"].__wrapped__):
        monkeypatch.setitem(cast("dict[str, float]", send.__kwdefaults__), "seconds", 0.5)
    async with stage.shopper() as buying:
        stage.simulator.faults.add("delay-answer", "complete_order_v2", seconds=1.0)
        with stage.simulator.hold_events() as gate:
            lost = await ordered(buying, first)
            again = await ordered(buying, then)
            assert again.attempt == lost.attempt is not None
            # The store goes on with the order that nobody waits for any more.
            with anyio.fail_after(30):
                events = [await gate.release() for _ in range(4)] if first == "place_order" else []
        assert events in ([], ["creating-cart", "item-added", "shipping-updated", "order-placed"])
        assert (await ordered(buying, then)).status == "placed"
        assert buying.verdict().charges == 1
        assert not buying.verdict().broken


@WAYS
@pytest.mark.anyio
async def test_a_rerun_after_thirty_minutes_under_allow_is_the_same_order(
    stage: Stage, first: Tool, then: Tool
) -> None:
    async with stage.shopper() as buying:
        placed = await ordered(buying, first)
        stage.clock.ahead += timedelta(minutes=30)
        again = await ordered(buying, then)
        assert (placed.status, again.status) == ("placed", "placed")
        assert again.attempt == placed.attempt
        assert buying.verdict().charges == 1


@WAYS
@pytest.mark.parametrize("fault", [None, "lose-answer"])
@pytest.mark.anyio
async def test_the_same_cart_one_cent_cheaper_is_the_same_order(
    stage: Stage, first: Tool, then: Tool, fault: str | None
) -> None:
    async with stage.shopper() as buying:
        if fault is not None:
            stage.simulator.faults.add("hide-order", ORDER)
            stage.simulator.faults.add(fault, ORDER)
        one = await ordered(buying, first)
        stage.simulator.set_price(AISLE.store, AISLE.sku, PRICE - 1)
        await buying.host_one.fill(buying.wish)
        other = await ordered(buying, then)
        assert other.attempt == one.attempt is not None
        assert buying.verdict().charges == 1
        assert not buying.verdict().broken


@WAYS
@pytest.mark.anyio
async def test_a_second_host_that_starts_during_the_firsts_send_sends_nothing(
    stage: Stage, first: Tool, then: Tool
) -> None:
    async with stage.shopper() as buying, buying.host() as second:
        stage.simulator.faults.add("delay", ORDER, seconds=0.3)
        sending = asyncio.create_task(ordered(buying, first))
        await until_sent(stage, sending)
        answer = await second.order(buying.wish, then, THOUSANDS)
        assert answer.status in {"in_progress", "being_paid"}
        assert (await sending).status == "placed"
        assert (await second.order(buying.wish, then, THOUSANDS)).attempt == (await sending).attempt
        assert buying.verdict().charges == 1
        assert not buying.verdict().broken


@pytest.mark.anyio
async def test_a_second_host_cannot_change_the_cart_between_the_check_and_the_send(stage: Stage) -> None:
    async with stage.shopper() as buying, buying.host() as second:
        stage.simulator.faults.add("delay", "get_key", seconds=0.3)
        paying = asyncio.create_task(ordered(buying, "complete_order"))
        await until_asked(stage, "/api/v1/payment/key", paying)
        assert (await second.fill(buying.wish)).total is None
        assert (await paying).status == "placed"
        assert not buying.verdict().broken


@pytest.mark.anyio
async def test_a_cart_that_a_second_host_changed_between_the_quote_and_the_check_is_not_paid(stage: Stage) -> None:
    async with stage.shopper() as buying, buying.host() as second:

        async def code_while_the_cart_changes() -> SecretStr:
            await (await second.services.firmly()).add_line_item(AISLE.store, {"variant_id": AISLE.sku}, 1)
            return SecretStr("123")

        placement = await buying.host_one.services.placement()
        placement._deps = replace(placement._deps, security_code=code_while_the_cart_changes)
        assert (await ordered(buying, "complete_order")).status == "quote_changed"
        assert not buying.rows()
        assert buying.verdict().charges == 0


async def until_sent(stage: Stage, sending: asyncio.Task[Answer]) -> None:
    """Wait until an order request is with the store."""
    await until_asked(stage, "-order", sending)


async def until_asked(stage: Stage, path: str, sending: asyncio.Task[Answer]) -> None:
    """Wait until a request to this path is with the store."""
    async with asyncio.timeout(10):
        while not any(request.path.endswith(path) for request in stage.simulator.requests):
            await asyncio.wait([sending], timeout=0.001)
