"""The server as hosts start and leave it: whatever they do, only frames on stdout, exit code 0, and nothing left."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.raw_server import RawServer, environment, raw_server
from tests.server.test_stdio import (  # noqa: F401 - `home` is a fixture
    attempts,
    fill_cart,
    home,
    only_frames,
    serving,
    slow_down,
    wait_for_row,
)
from tests.shop import STORE, TEE

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


def ends_well(server: RawServer) -> None:
    """End its input: it ends by itself, and every byte on its outputs is a frame."""
    assert server.close_input() == 0
    assert only_frames(server)
    assert not server.errors


def address_file(home: Path) -> Path:  # noqa: F811 - the fixture's value
    return home / ".local" / "share" / "firmly-mcp" / "simulator" / "simulator.json"


def ports(home: Path) -> list[int]:  # noqa: F811
    """The ports of the simulator that a server runs."""
    told = json.loads(address_file(home).read_text("utf-8"))
    return [int(told[name].rpartition(":")[2]) for name in ("api_url", "payment_url")]


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def buy(server: RawServer) -> dict[str, Any]:
    fill_cart(server)
    order: dict[str, Any] = server.call("complete_order", store=STORE)["structuredContent"]
    assert order["status"] == "placed"
    return order


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended that is not a child of this one."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], DEADLINE)[0], "it still runs"
    finally:
        os.close(process)


@pytest.mark.parametrize("end", ["input", "SIGTERM", "SIGINT"])
def test_nothing_is_left_behind(home: Path, tmp_path: Path, end: str) -> None:  # noqa: F811
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(home, "--demo", TMPDIR=str(temporary)) as server:
        buy(server)
        used = ports(home)
        assert all(is_open(port) for port in used)
        assert (server.close_input() if end == "input" else server.signal(signal.Signals[end])) == 0
    assert not [port for port in used if is_open(port)]
    assert not address_file(home).exists()
    assert not list(temporary.iterdir())


# A host that orders and then waits for its own end.
_HOST = """
import json, signal, sys
from tests.raw_server import RawServer
from tests.server.test_stdio import fill_cart
server = RawServer(json.loads(sys.argv[1]), "--demo")
server.initialize()
fill_cart(server)
print(server.process.pid, flush=True)
sys.stdin.readline()
server.begin("tools/call", server.calling("complete_order", store=sys.argv[2]))
signal.pause()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not its child")
def test_the_order_of_a_host_that_is_killed_is_placed(home: Path) -> None:  # noqa: F811
    command = [sys.executable, "-c", _HOST, json.dumps(environment(home)), STORE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as host:
        assert host.stdout
        assert host.stdin
        server = int(host.stdout.readline())
        slow_down(home)
        host.stdin.write("\n")
        host.stdin.flush()
        wait_for_row(home)
        host.kill()
    wait_for_end(server)
    assert attempts(home) == ["placed"]
    assert not address_file(home).exists()


# A host that orders, reads nothing any more, and yet holds the server's input open until it has ended.
_DEAF = """
import json, subprocess, sys
from tests.raw_server import INITIALIZE, RawServer
from tests.shop import STORE, TEE
command = [sys.executable, "-m", "firmly_mcp", "serve", "--demo"]
server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=json.loads(sys.argv[1]))

def send(**message):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\\n")
    server.stdin.flush()

send(id=1, method="initialize", params=INITIALIZE)
server.stdout.readline()
send(method="notifications/initialized")
send(id=2, method="tools/call", params=RawServer.calling("search_products", query="tee"))
server.stdout.readline()
print("ready", flush=True)
sys.stdin.readline()
send(id=3, method="tools/call", params=RawServer.calling("place_order", store=STORE, items=[{"ref": TEE}]))
sys.stdin.readline()
server.stdout.close()
sys.exit(server.wait(60))
"""


def test_the_order_of_a_host_that_reads_no_more_is_placed(home: Path) -> None:  # noqa: F811
    command = [sys.executable, "-c", _DEAF, json.dumps(environment(home))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as host:
        assert host.stdin
        assert host.stdout
        host.stdout.readline()
        slow_down(home)
        host.stdin.write("\n")
        host.stdin.flush()
        wait_for_row(home)
        _, errors = host.communicate("\n", timeout=DEADLINE)
    assert not errors
    assert host.returncode == 0
    assert attempts(home) == ["placed"]


def test_two_hosts_that_start_it_at_once_share_one_shop(home: Path) -> None:  # noqa: F811
    with raw_server(environment(home), "--demo") as one, raw_server(environment(home), "--demo") as other:
        for server in (one, other):
            server.initialize()
        searches = [
            server.begin("tools/call", server.calling("search_products", query="tee")) for server in (one, other)
        ]
        for server, number in zip((one, other), searches, strict=True):
            assert server.answer(number)["result"]["structuredContent"]["products"]
        order = buy(one)
        again = other.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 1}])["structuredContent"]
        assert again["order_number"] == order["order_number"]
        ends_well(one)
        ends_well(other)
    assert attempts(home) == ["placed"]


def test_a_small_path_and_another_directory_are_enough(home: Path, tmp_path: Path) -> None:  # noqa: F811
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    # The package is found where it is installed; a checkout that is not is found by its path.
    with raw_server(environment(home, PATH="", PYTHONPATH=str(ROOT)), "--demo", cwd=elsewhere) as server:
        server.initialize()
        buy(server)
        ends_well(server)
    assert not list(elsewhere.iterdir())


def test_without_a_home_the_directories_that_are_named_are_used(home: Path) -> None:  # noqa: F811
    variables = environment(
        home, XDG_DATA_HOME=str(home / ".local" / "share"), XDG_CONFIG_HOME=str(home / ".config"), HOME=""
    )
    with raw_server(variables, "--demo") as server:
        server.initialize()
        buy(server)
        ends_well(server)
    assert attempts(home) == ["placed"]


def a_home_that_cannot_be_written(tmp_path: Path) -> Path:
    """For everybody but root a directory without the write bit; root may write anywhere but in the kernel's own."""
    if os.geteuid() == 0:
        return Path("/sys/kernel")
    (tmp_path / "closed").mkdir(mode=0o500)
    return tmp_path / "closed"


@pytest.mark.skipif(sys.platform != "linux", reason="names directories that Linux has")
@pytest.mark.parametrize("kind", ["read-only", "missing"])
def test_a_home_that_cannot_be_written_is_told_and_nothing_breaks(tmp_path: Path, kind: str) -> None:
    directory = a_home_that_cannot_be_written(tmp_path) if kind == "read-only" else Path("/dev/null/home")
    with raw_server(environment(directory), "--demo") as server:
        server.initialize()
        assert server.request("tools/list", {})["result"]["tools"]
        for tool, arguments in (
            ("search_products", {"query": "tee"}),
            ("add_line_item", {"store": STORE, "ref": TEE}),
            ("list_payment_cards", {}),
            ("list_orders", {}),
            ("complete_order", {"store": STORE}),
        ):
            error = server.call(tool, **arguments)["structuredContent"]
            assert (error["code"], error["money_moved"]) == ("settings", "no")
            assert str(directory) in error["message"]
            assert "FIRMLY_MCP_DATA_DIR" in error["message"]
        ends_well(server)
