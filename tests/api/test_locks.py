"""One cart or payment call at a time per device and store, across processes; nothing waits in a circle or for ever."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from firmly_mcp.api.encoding import StoreName, store_name
from firmly_mcp.api.locks import CartLock, Locks
from firmly_mcp.errors import NotAllowed, OrderInProgress, SettingsError, Unreachable

pytestmark = pytest.mark.anyio

A, B = store_name("a.example"), store_name("b.example")

OTHER = """
import sys, anyio
from pathlib import Path
from firmly_mcp.api.locks import Locks

async def main(directory, device, kind, store):
    locks = Locks(Path(directory), device)
    async with {"cart": lambda: locks.shared(store), "hold": lambda: locks.exclusive(store), "device": locks.all_stores,
                "token": locks.token}[kind]():
        print("held", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)

anyio.run(main, *sys.argv[1:])
"""


@asynccontextmanager
async def another_process(
    directory: Path, kind: str, store: StoreName = A, device: str = "d"
) -> AsyncIterator[Process]:
    """A process that has the lock until its input ends."""
    arguments = [sys.executable, "-c", OTHER, str(directory), device, kind, store]
    async with await anyio.open_process(arguments) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100) == b"held"
        try:
            yield process
        finally:
            await process.stdin.aclose()
            await process.wait()


async def test_a_store_is_taken_by_one_at_a_time_and_two_stores_by_two(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    async with locks.shared(A):
        async with locks.shared(B):
            pass
        with pytest.raises(Unreachable, match="Nothing was sent"):
            async with locks.shared(A):
                pass
    async with locks.shared(A):
        pass


async def test_no_two_calls_are_inside_at_once(tmp_path: Path) -> None:
    inside = most = 0

    async def call(locks: Locks) -> None:
        nonlocal inside, most
        async with locks.shared(A):
            inside += 1
            most = max(most, inside)
            await anyio.lowlevel.checkpoint()
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(call, Locks(tmp_path, "d"))
    assert most == 1


async def test_another_process_is_kept_out_as_well(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    async with another_process(tmp_path, "cart"):
        with pytest.raises(Unreachable):
            async with locks.shared(A):
                pass
        async with locks.shared(B), Locks(tmp_path, "another device").shared(A):
            pass
    async with locks.shared(A):
        pass


async def test_a_process_that_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    async with another_process(tmp_path, "hold") as process:
        process.kill()
        await process.wait()
        async with Locks(tmp_path, "d", wait=0.05).shared(A):
            pass


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_while_an_order_is_placed_others_are_told_at_once(tmp_path: Path, elsewhere: bool) -> None:
    locks = Locks(tmp_path, "d", wait=60)
    holding = another_process(tmp_path, "hold") if elsewhere else Locks(tmp_path, "d").exclusive(A)
    async with holding:
        for attempt in (locks.shared(A), locks.exclusive(A), locks.all_stores()):
            with anyio.fail_after(5), pytest.raises(OrderInProgress, match="An order is being placed at this store"):
                async with attempt:
                    pass
        async with locks.shared(B):
            pass


async def test_a_hold_lets_its_own_calls_in_until_it_is_over(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    async with locks.exclusive(A) as hold:
        async with locks.shared(A, hold), locks.shared(A, hold):
            pass
        with pytest.raises(NotAllowed):
            async with locks.shared(B, hold):
                pass
    with pytest.raises(NotAllowed):
        async with locks.shared(A, hold):
            pass
    with pytest.raises(NotAllowed):
        async with locks.shared(A, CartLock(B)):
            pass


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_the_whole_device_waits_for_every_store_and_keeps_all_out(tmp_path: Path, elsewhere: bool) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    async with locks.shared(A), locks.shared(B):
        with pytest.raises(Unreachable):
            async with locks.all_stores():
                pass
    async with another_process(tmp_path, "device") if elsewhere else Locks(tmp_path, "d").all_stores():
        for attempt in (locks.shared(A), locks.shared(store_name("new.example")), locks.all_stores()):
            with pytest.raises(Unreachable):
                async with attempt:
                    pass
    async with locks.all_stores():
        pass


async def test_a_call_for_the_device_is_not_kept_waiting_by_new_calls(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=5)
    order: list[str] = []

    async def whole() -> None:
        async with locks.all_stores():
            order.append("device")

    async def later() -> None:
        async with locks.shared(B):
            order.append("later")

    async with anyio.create_task_group() as tasks, locks.shared(A):
        tasks.start_soon(whole)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(later)
        await anyio.wait_all_tasks_blocked()
        assert order == []
    assert order == ["device", "later"]


async def test_a_token_is_renewed_inside_any_lock(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    async with locks.exclusive(A), locks.token():
        pass
    async with locks.all_stores(), locks.token():
        pass
    async with another_process(tmp_path, "token"), locks.shared(A):
        with pytest.raises(Unreachable):
            async with locks.token():
                pass


@pytest.mark.parametrize("kind", ["cart", "hold", "device"])
async def test_a_cancelled_wait_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    locks = Locks(tmp_path, "d", wait=0.5)
    waits = {"cart": lambda: locks.shared(A), "hold": lambda: locks.exclusive(A), "device": locks.all_stores}[kind]

    async def wait() -> None:
        async with waits():
            pytest.fail("it was taken")

    async with locks.shared(A), anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    async with locks.all_stores():
        pass


async def test_an_error_inside_gives_the_locks_back(tmp_path: Path) -> None:
    locks = Locks(tmp_path, "d", wait=0.05)
    for attempt in (locks.shared(A), locks.exclusive(A), locks.all_stores(), locks.token()):
        with pytest.raises(KeyError):
            async with attempt:
                raise KeyError
    async with locks.exclusive(A), locks.token():
        pass


async def test_the_files_tell_nobody_where_one_shops(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "locks"
    locks = Locks(directory, "https://api.firmly.work app-1 ana")
    async with locks.exclusive(A), locks.token():
        names = [path.name for path in directory.iterdir()]
        assert names
        assert not any("example" in name or "app" in name or "ana" in name for name in names)
        assert all(path.stat().st_mode & 0o077 == 0 and path.stat().st_size == 0 for path in directory.iterdir())
        assert directory.stat().st_mode & 0o077 == 0


async def test_a_directory_that_cannot_be_used_is_a_setting_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError):
        async with Locks(tmp_path / "file", "d").shared(A):
            pass
