from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.abc
import pytest
from pydantic import SecretStr

from firmly_mcp.errors import WalletError
from firmly_mcp.wallet.commands import security_code
from tests.secret_service import DEADLINE


@pytest.fixture
def our_input() -> Iterator[None]:
    """Something to read on this process's own standard input."""
    before = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, b"a message of the protocol")
    os.dup2(reader, 0)
    for descriptor in (reader, writer):
        os.close(descriptor)
    yield
    os.dup2(before, 0)
    os.close(before)


def a_program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text", ["print('123')", "print('1234')", "import sys; sys.stdout.write('123')", "print('123\\r')"]
)
async def test_three_or_four_printed_digits_are_the_code(text: str) -> None:
    code = await security_code(a_program(text))
    assert code.get_secret_value() in {"123", "1234"}
    assert "123" not in repr(code)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("print('73921')", "printed no three or four digits"),
        ("print('73')", "printed no three or four digits"),
        ("print('7392 8463')", "printed no three or four digits"),
        ("print('')", "printed no three or four digits"),
        ("print('٧٣٩')", "printed no three or four digits"),
        ("print('739' * 100000)", "printed no three or four digits"),
        ("print('739'); raise SystemExit(3)", "failed with exit code 3"),
        ("raise RuntimeError('7392')", "failed with exit code 1"),
    ],
)
async def test_anything_else_is_refused_and_never_echoed(
    text: str, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WalletError, match=says) as caught:
        await security_code(a_program(text))
    assert "739" not in caught.value.message
    assert caught.value.message.endswith("Nothing was sent.")
    assert capfd.readouterr() == ("", ""), "its errors are not shown"


@pytest.mark.anyio
@pytest.mark.parametrize("command", [["/nonexistent/program"], [os.devnull], [str(Path.cwd())], ["nul\0byte"]])
async def test_a_command_that_cannot_be_run_is_named(command: list[str]) -> None:
    with pytest.raises(WalletError, match="cannot be run"):
        await security_code(command)


@pytest.mark.anyio
async def test_no_command_is_no_code() -> None:
    with pytest.raises(WalletError, match="No cvv_command is set"):
        await security_code([])


@pytest.mark.anyio
async def test_no_shell_reads_the_arguments() -> None:
    command = [*a_program("import sys; print('123' if sys.argv[1] == '$(echo 9); `id`' else '')"), "$(echo 9); `id`"]
    assert await security_code(command) == SecretStr("123")


@pytest.mark.anyio
async def test_it_cannot_read_our_input(our_input: None) -> None:
    command = a_program("import sys; print('123' if sys.stdin.read() == '' else '')")
    assert await security_code(command) == SecretStr("123")


@pytest.mark.anyio
async def test_a_command_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    alive = a_pipe(tmp_path)
    # The grandchild holds the pipe open for as long as it lives.
    command = ["sh", "-c", f"(exec 9>'{alive}'; echo ready >&9; exec sleep 600) & exec sleep 600"]
    async with anyio.create_task_group() as group:
        await group.start(_until_closed, alive)
        with pytest.raises(WalletError, match=r"took longer than 0\.5 seconds"):
            await security_code(command, limit=0.5)


@pytest.mark.anyio
async def test_a_cancelled_call_kills_the_command(tmp_path: Path) -> None:
    alive, ready = a_pipe(tmp_path), anyio.Event()
    command = ["sh", "-c", f"exec 9>'{alive}'; echo ready >&9; exec sleep 600"]
    async with anyio.create_task_group() as watching, anyio.create_task_group() as calling:
        await watching.start(_until_closed, alive, ready)
        calling.start_soon(security_code, command)
        await ready.wait()
        calling.cancel_scope.cancel()


@pytest.mark.anyio
async def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    alive = a_pipe(tmp_path)
    # The grandchild lets go of the output and goes on.
    command = [
        "sh",
        "-c",
        f"(exec 9>'{alive}' >/dev/null; echo ready >&9; exec sleep 600) & read _ <'{alive}.'; echo 123",
    ]
    os.mkfifo(f"{alive}.")
    ready = anyio.Event()
    async with anyio.create_task_group() as group:
        await group.start(_until_closed, alive, ready)
        group.start_soon(_let_go, f"{alive}.", ready)
        assert await security_code(command) == SecretStr("123")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text", ["print('123')", "raise SystemExit(3)", "print('1' * 100000)", "import time; time.sleep(600)"]
)
async def test_a_group_is_signalled_only_while_its_number_can_be_nobody_elses(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreaped: list[bool] = []
    kill = os.killpg

    def watched(group: int, which: int) -> None:
        unreaped.append(Path(f"/proc/{group}").exists())
        kill(group, which)

    monkeypatch.setattr(os, "killpg", watched)
    with suppress(WalletError):
        await security_code(a_program(text), limit=2)
    assert unreaped == [True]


@pytest.mark.anyio
async def test_it_may_be_asked_again() -> None:
    command = a_program("print('123')")
    assert [await security_code(command) for _ in range(3)] == [SecretStr("123")] * 3


def a_pipe(directory: Path) -> Path:
    pipe = directory / "alive"
    os.mkfifo(pipe)
    return pipe


async def _let_go(pipe: str, when: anyio.Event) -> None:
    """Let the one who reads the pipe go on."""
    await when.wait()
    Path(pipe).write_text("go\n")


async def _until_closed(
    pipe: Path, ready: anyio.Event | None = None, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Return when no process holds the other end of the pipe any more."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    task_status.started()
    try:
        with anyio.CancelScope(shield=True), anyio.fail_after(DEADLINE):
            await anyio.wait_readable(reader)
            assert os.read(reader, 64) == b"ready\n"
            if ready is not None:
                ready.set()
            await anyio.wait_readable(reader)
            assert os.read(reader, 64) == b""
    finally:
        os.close(reader)
