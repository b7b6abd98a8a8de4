"""Standard input as bounded lines, and output by the SDK: every byte in order, and nothing stands still meanwhile."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from firmly_mcp.server.app import TOOLS
from firmly_mcp.server.pipes import KEPT, LONGEST_FRAME, LinesIn
from tests.raw_server import INITIALIZE, environment

ROOT = Path(__file__).parents[2]
LONG = "x" * 3_000_000
DEADLINE = 30
SERVE = (sys.executable, "-m", "firmly_mcp", "serve", "--demo")
ASKED = "".join(
    json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    for message in (
        {"id": 1, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list", "params": {}},
    )
).encode()

Ends = tuple[int, int]


def pipe() -> Ends:
    return os.pipe()


def sockets() -> Ends:
    """As Node connects what it starts."""
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


@pytest.fixture(params=[pipe, sockets], ids=["a pipe", "a socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Where to read, and where to write."""
    made: Callable[[], Ends] = request.param
    both = made()
    yield both
    for end in both:
        with suppress(OSError):
            os.close(end)


def lines_of(fd: int, longest: int = LONGEST_FRAME) -> LinesIn:
    return LinesIn(os.fdopen(fd, "rb", closefd=False), longest)


@pytest.mark.anyio
async def test_lines_come_whole_however_they_were_written(ends: Ends) -> None:
    reading, writing = ends
    lines = lines_of(reading)
    os.write(writing, b"one\ntwo\nth")
    assert [await anext(lines), await anext(lines)] == ["one\n", "two\n"]
    os.write(writing, b"ree\r\n\n")
    assert [await anext(lines), await anext(lines)] == ["three\r\n", "\n"]
    os.write(writing, "\u20ac".encode()[:2])
    os.write(writing, "\u20ac".encode()[2:] + b"\xff\x00\nno end")
    os.close(writing)
    assert [line async for line in lines] == ["\u20ac\ufffd\x00\n", "no end"]
    assert [line async for line in lines] == []


@pytest.mark.anyio
async def test_nothing_at_all_is_no_line(ends: Ends) -> None:
    os.close(ends[1])
    assert [line async for line in lines_of(ends[0])] == []


@pytest.mark.anyio
async def test_a_host_that_is_gone_with_answers_unread_has_ended_its_input() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.send(b"an answer")
        theirs.close()
        assert [line async for line in lines_of(ours.fileno())] == []


@pytest.mark.anyio
async def test_a_long_line_is_read_whole_while_it_is_written(ends: Ends) -> None:
    reading, writing = ends

    def write() -> None:
        with os.fdopen(writing, "wb") as out:
            out.write((LONG + "\n" + LONG).encode())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, write)
            assert [line async for line in lines_of(reading)] == [LONG + "\n", LONG]


@pytest.mark.anyio
async def test_lines_that_are_closed_end_while_more_is_waited_for_and_after_that(ends: Ends) -> None:
    lines = lines_of(ends[0])
    found: list[str] = []

    async def read() -> None:
        found.extend([line async for line in lines])

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            lines.close()
        os.write(ends[1], b"more\n")
        assert [line async for line in lines] == found == []


@pytest.mark.parametrize("size", [100, 101, 10_000])
@pytest.mark.parametrize("end", [b"\n", b""], ids=["ended", "cut"])
@pytest.mark.anyio
async def test_a_line_over_the_limit_is_passed_over_and_only_its_ends_are_kept(
    ends: Ends, size: int, end: bytes
) -> None:
    reading, writing = ends
    passed: list[tuple[bytes, bytes]] = []
    lines = lines_of(reading, longest=100)

    async def passed_over(head: bytes, tail: bytes) -> None:
        passed.append((head, tail))

    lines.passed_over = passed_over
    middle = b"x" * (size - 2 - len(end))
    os.write(writing, b"before\n" + b"<" + middle + b">" + end)
    with anyio.fail_after(DEADLINE):
        first = await anext(lines)
        if end:
            os.write(writing, b"after\n")
        os.close(writing)
        rest = [line async for line in lines]
    fits = size <= 100
    assert first == "before\n"
    assert rest == ([f"<{middle.decode()}>{end.decode()}"] if fits else []) + (["after\n"] if end else [])
    assert len(passed) == (not fits)
    for head, tail in passed:
        assert (head[:1], tail.strip()[-1:]) == (b"<", b">")
        assert len(head) <= KEPT
        assert len(tail) <= KEPT


# What a process finds on its descriptors while they are taken, and after.
_TAKING = """
import os, subprocess, sys
import anyio
from mcp.server.stdio import stdio_server
from firmly_mcp.server.pipes import standard_input
async def main():
    with standard_input() as lines:
        lines.close()
        async with stdio_server(lines) as (received, sent), received, sent:
            print("stray", flush=True)
            child = "import sys; print('child read', repr(sys.stdin.read()))"
            subprocess.run([sys.executable, "-c", child], check=True)
    os.write(1, b"after: " + os.read(0, 100))
anyio.run(main)
"""


def test_meanwhile_nothing_else_reads_the_input_or_writes_to_the_output() -> None:
    taking = [sys.executable, "-c", _TAKING]
    told = subprocess.run(
        taking, input="for the server", capture_output=True, check=True, text=True, cwd=ROOT, timeout=DEADLINE
    )
    assert told.stdout == "after: for the server"
    assert told.stderr.splitlines() == ["stray", "child read ''"]


@contextmanager
def serving(home: Path, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The server, which ends well when its input does."""
    with subprocess.Popen(SERVE, env=environment(home), cwd=ROOT, **streams) as server:
        yield server
        assert server.wait(DEADLINE) == 0


@contextmanager
def over_pipes(home: Path) -> Iterator[tuple[Any, Any]]:
    with serving(home, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        yield server.stdin, server.stdout
        server.stdin.close()


@contextmanager
def over_one_socket(home: Path) -> Iterator[tuple[Any, Any]]:
    ours, theirs = socket.socketpair()
    with ours, theirs, serving(home, stdin=theirs, stdout=theirs), ours.makefile("rwb", buffering=0) as both:
        theirs.close()
        yield both, both
        ours.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("over", [over_pipes, over_one_socket])
def test_the_server_speaks_over_pipes_and_over_a_socket(
    tmp_path: Path, over: Callable[[Path], AbstractContextManager[tuple[Any, Any]]]
) -> None:
    with over(tmp_path) as (questions, answers):
        questions.write(ASKED)
        questions.flush()
        told = [json.loads(answers.readline()) for _ in range(2)]
    assert [answer["id"] for answer in told] == [1, 2]
    assert len(told[1]["result"]["tools"]) == len(TOOLS)


def test_the_server_speaks_over_files_too(tmp_path: Path) -> None:
    (tmp_path / "asked").write_bytes(ASKED)
    with (
        (tmp_path / "asked").open("rb") as lines,
        (tmp_path / "told").open("wb") as out,
        serving(tmp_path, stdin=lines, stdout=out),
    ):
        pass
    told = [json.loads(line) for line in (tmp_path / "told").read_bytes().splitlines()]
    assert [answer["id"] for answer in told] == [1, 2]
    assert len(told[1]["result"]["tools"]) == len(TOOLS)
