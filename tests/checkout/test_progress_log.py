import anyio
import pytest

from firmly_mcp.checkout.models import ProgressEvent, ProgressLog


@pytest.mark.anyio
async def test_a_reader_that_comes_late_sees_every_step() -> None:
    feed = ProgressLog(expected=2)
    feed.add(ProgressEvent("one", "One."))
    feed.add(ProgressEvent("two", "Two."))
    feed.end()
    await feed.more_than(0)
    assert [step.name for step in feed.steps] == ["one", "two"]
    await feed.more_than(2)
    assert feed.ended


@pytest.mark.anyio
async def test_a_waiting_reader_is_woken_by_a_step_and_by_the_end() -> None:
    feed = ProgressLog(expected=1)
    seen: list[str] = []

    async def read() -> None:
        while not feed.ended:
            await feed.more_than(len(seen))
            seen.extend(step.name for step in feed.steps[len(seen) :])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.lowlevel.checkpoint()
            feed.add(ProgressEvent("one", "One."))
            await anyio.lowlevel.checkpoint()
            feed.end()
    assert seen == ["one"]


@pytest.mark.anyio
async def test_a_stream_without_end_does_not_fill_the_memory() -> None:
    feed = ProgressLog(expected=1)
    for number in range(10_000):
        feed.add(ProgressEvent(str(number), ""))
    assert len(feed.steps) <= 200
