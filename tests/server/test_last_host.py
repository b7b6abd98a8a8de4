"""What a host declared is kept for `doctor`, and nothing of a conversation waits for that or fails with it."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import ClientCapabilities, Implementation

from firmly_mcp.app import open_services
from firmly_mcp.server.app import build_server
from firmly_mcp.server.client_record import FILE, LastHost, _abilities, last_host, write_last_host
from firmly_mcp.settings import Settings
from tests.http_server import mcp_client
from tests.raw_server import RawServer, environment, raw_server
from tests.secret_service import DEADLINE

from .test_http import TOKEN, served

PROTOCOLS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
NUMBER = "4111 1111 1111 1111"


async def a_session(data_dir: Path, era: Any, *, name: str = "a-host", version: str = "1.2", **options: Any) -> None:
    """Connect, list the tools, leave."""
    async with open_services(Settings(data_dir=data_dir)) as services:
        info = Implementation(name=name, version=version)
        async with Client(build_server(services), mode=era, client_info=info, **options) as client:
            assert (await client.list_tools()).tools


async def no_answer(*_: Any) -> Any:
    raise AssertionError("nothing is asked")


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
async def test_a_host_is_written_down_with_what_it_can_do(tmp_path: Path, era: str) -> None:
    await a_session(tmp_path / "data", era, elicitation_callback=no_answer, list_roots_callback=no_answer)
    told = last_host(tmp_path / "data")
    assert told is not None
    assert (told.name, told.version, told.protocol) == ("a-host", "1.2", PROTOCOLS[era])
    assert told.transport == "stdio"
    assert told.can == ("elicitation.form", "elicitation.url", "roots")
    await a_session(tmp_path / "data", era, name="another")
    told = last_host(tmp_path / "data")
    assert told is not None
    assert (told.name, told.can) == ("another", ())


@pytest.mark.parametrize(
    ("declared", "can"),
    [
        ({}, []),
        ({"elicitation": {}}, ["elicitation.form"]),
        ({"elicitation": {"form": {}}}, ["elicitation.form"]),
        ({"elicitation": {"url": {}}}, ["elicitation.url"]),
        ({"sampling": {}, "roots": {}, "experimental": {"x": {}}}, ["sampling", "roots"]),
    ],
)
def test_what_is_declared_is_read_as_the_protocol_says(declared: dict[str, Any], can: list[str]) -> None:
    assert list(_abilities(ClientCapabilities.model_validate(declared))) == can


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
async def test_only_this_user_can_read_the_record_and_nothing_else_is_left(tmp_path: Path, era: str) -> None:
    await a_session(tmp_path / "data", era)
    (file,) = (tmp_path / "data").iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (FILE, 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
async def test_what_a_host_says_of_itself_is_cleaned_and_bounded(tmp_path: Path, era: str) -> None:
    await a_session(tmp_path, era, name=f"\x1b[31m\u202e<b>{NUMBER}" + "x" * 5000, version="\x00\n" * 500)
    told = last_host(tmp_path)
    assert told is not None
    assert len(told.name) <= 100
    assert told.name.isprintable()
    assert "1111" not in (tmp_path / FILE).read_text("utf-8")
    assert told.version == ""
    assert len((tmp_path / FILE).read_bytes()) < 1000


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_text("a file"), lambda path: (path / FILE).mkdir(parents=True)]
)
async def test_a_record_that_cannot_be_written_disturbs_nobody(
    tmp_path: Path, era: str, spoil: Callable[[Path], object], capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(tmp_path / "data")
    await a_session(tmp_path / "data", era)
    assert last_host(tmp_path / "data") is None
    assert capfd.readouterr().err == ""


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
async def test_one_host_is_written_once_and_no_flood_of_hosts_fills_the_disk_with_work(
    tmp_path: Path, era: Any
) -> None:
    async with open_services(Settings(data_dir=tmp_path)) as services:
        server = build_server(services)
        for number in range(60):
            info = Implementation(name=f"host {number}", version="1")
            async with Client(server, mode=era, client_info=info) as client:
                await client.list_tools()
            if number == 0:
                (tmp_path / FILE).unlink()
                async with Client(server, mode=era, client_info=info) as client:
                    await client.list_tools()
                assert last_host(tmp_path) is None
    told = last_host(tmp_path)
    assert told is not None
    assert told.name == "host 49"


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"name":1}', '{"name":"' + "x" * 9000 + '"}', "\xff"])
def test_a_record_that_is_none_is_no_record(tmp_path: Path, text: str) -> None:
    assert last_host(tmp_path) is None
    (tmp_path / FILE).write_text(text, "latin-1")
    assert last_host(tmp_path) is None


def test_a_record_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_last_host(tmp_path, (name, "1", "p"), "http", ("sampling",))
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    told = LastHost.model_validate_json((tmp_path / FILE).read_bytes())
    assert (told.name, told.transport, told.can) == ("b", "http", ("sampling",))


@pytest.mark.anyio
@pytest.mark.parametrize("era", PROTOCOLS)
async def test_a_host_that_comes_over_http_is_told_apart(tmp_path: Path, era: str) -> None:
    async with (
        open_services(Settings(data_dir=tmp_path)) as services,
        served(services) as url,
        mcp_client(url, TOKEN, era) as client,
    ):
        await client.list_tools()
    told = last_host(tmp_path)
    assert told is not None
    assert (told.transport, told.protocol) == ("http", PROTOCOLS[era])


def test_a_real_server_over_standard_input_writes_it_down(tmp_path: Path) -> None:
    with raw_server(environment(tmp_path, FIRMLY_MCP_DATA_DIR=str(tmp_path / "data"))) as server:
        server.initialize()
        told = _appeared(tmp_path / "data", server)
        assert server.close_input() == 0
    assert (told.name, told.transport, told.protocol, told.can) == ("raw", "stdio", "2025-11-25", ())


def _appeared(data_dir: Path, server: RawServer) -> LastHost:
    deadline = time.monotonic() + DEADLINE
    while (told := last_host(data_dir)) is None:
        assert time.monotonic() < deadline, "no host was written down"
        server.request("ping", {})
    return told
