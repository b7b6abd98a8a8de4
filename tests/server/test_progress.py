from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp import Client

from firmly_mcp.checkout.models import ProgressEvent, ProgressLog
from firmly_mcp.server.person import PACE, QUIET, Progress
from tests.shop import STORE, TEE, Shop, fill_cart

ITEMS = [{"ref": TEE, "quantity": 1}, {"ref": "MH07-XS-Gray", "quantity": 1}]


class Told:
    """The notifications that a client received, and a way to wait for the next."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.totals: list[float | None] = []
        self.words: list[str] = []
        self._more = anyio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.values.append(progress)
        self.totals.append(total)
        self.words.append(message or "")
        self._more.set()
        self._more = anyio.Event()

    async def until(self, words: str) -> None:
        with anyio.fail_after(20):
            while not any(words in told for told in self.words):
                await self._more.wait()


@pytest.mark.anyio
async def test_each_event_of_the_store_is_told_before_the_next_one_is_sent(client: Client, shop: Shop) -> None:
    told, results = Told(), []

    async def order() -> None:
        arguments = {"store": STORE, "items": ITEMS, "max_total": "1000"}
        results.append(await client.call_tool("place_order", arguments, progress_callback=told))

    with shop.simulator.hold_events(STORE) as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(order)
            await told.until("Payment sent")
            for words in ("making the cart", "in the store's cart", "in the store's cart", "Shipping and tax"):
                before = len(told.words)
                await gate.release()
                await told.until(words)
                with anyio.fail_after(20):
                    while len(told.words) == before:
                        await told._more.wait()
                assert not results
            await gate.release()
    assert results[0].structured_content["status"] == "placed"


@pytest.mark.anyio
async def test_values_rise_strictly_and_never_reach_the_total(client: Client, shop: Shop) -> None:
    await fill_cart(client)
    for tool, arguments in (
        ("complete_order", {"store": STORE, "max_total": "1000"}),
        ("place_order", {"store": STORE, "items": [{"ref": "MH07-XS-Gray"}], "max_total": "1000"}),
    ):
        told = Told()
        result = await client.call_tool(tool, arguments, progress_callback=told)
        assert not result.is_error
        assert told.values == sorted(set(told.values))
        assert all(total is None or value < total for value, total in zip(told.values, told.totals, strict=True))
    assert len(shop.charges) == 2


@pytest.mark.anyio
async def test_a_client_that_asks_for_no_progress_gets_its_result(client: Client) -> None:
    await fill_cart(client)
    result = await client.call_tool("complete_order", {"store": STORE, "max_total": "1000"})
    assert result.structured_content
    assert result.structured_content["status"] == "placed"


class Recorder:
    """Stands where a call's context stands: takes notifications, with the time of each."""

    request_context = SimpleNamespace(meta={"progress_token": 1})

    def __init__(self) -> None:
        self.at: list[float] = []
        self.words: list[str] = []

    async def report_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.at.append(anyio.current_time())
        self.words.append(message or "")


def context() -> tuple[Any, Recorder]:
    recorder = Recorder()
    return recorder, recorder


@pytest.mark.anyio
async def test_a_burst_of_steps_is_told_by_its_last_one() -> None:
    ctx, recorder = context()
    feed = ProgressLog(expected=3)
    for number in range(50):
        feed.add(ProgressEvent(str(number), f"Step {number}."))
    async with Progress.of(ctx) as progress, anyio.create_task_group() as tasks:
        await progress.say("Begun.")
        tasks.start_soon(progress.follow, feed, anyio.current_time() + 20)
        with anyio.fail_after(10):
            while len(recorder.words) < 2:
                await anyio.lowlevel.checkpoint()
        feed.end()
    assert recorder.words == ["Begun.", "Step 49."]
    assert recorder.at[1] - recorder.at[0] >= PACE


@pytest.mark.anyio
async def test_there_is_quiet_before_a_result_also_when_the_call_fails() -> None:
    ctx, recorder = context()

    async def fail() -> None:
        async with Progress.of(ctx) as progress:
            await progress.say("Begun.")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await fail()
    assert anyio.current_time() - recorder.at[-1] >= QUIET


@pytest.mark.anyio
async def test_a_silent_store_is_waited_for_with_signs_of_life_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("firmly_mcp.server.person.HEARTBEAT", 0.2)
    ctx, recorder = context()
    feed = ProgressLog(expected=2)
    feed.add(ProgressEvent("sending", "Payment sent."))
    async with Progress.of(ctx) as progress:
        await progress.follow(feed, anyio.current_time() + 1.0)
    assert recorder.words[0] == "Payment sent."
    assert len(recorder.words) >= 3
    assert all(words == "Still waiting. Payment sent." for words in recorder.words[1:])
