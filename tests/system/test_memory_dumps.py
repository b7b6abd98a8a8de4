"""A process that opens the wallet leaves no core file and is read by no other process of the same account."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.person import an_environment, at_a_terminal
from tests.raw_server import INITIALIZE, environment
from tests.secret_service import SecretService

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

DEADLINE = 30.0
# A root without this capability looks into a process as any other account looks into its own.
WITHOUT_TRACING = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace") if os.geteuid() == 0 else ()
WITH_CORES = ("/bin/sh", "-c", 'ulimit -c "$(ulimit -Hc)"; exec "$@"', "sh")
FIRMLY = (sys.executable, "-m", "firmly_mcp")
OPEN_MEMORY = ("/bin/sh", "-c", 'exec 3<"/proc/$1/mem"', "sh")

needs_setpriv = pytest.mark.skipif(
    bool(WITHOUT_TRACING) and shutil.which("setpriv") is None, reason="root needs setpriv to look as others do"
)
# A worker that opened a wallet in an earlier test has no cores for its children either.
needs_cores = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no process here may write a core file"
)


@contextmanager
def running(
    *command: str, variables: Mapping[str, str], cwd: Path, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with cores turned on, over pipes."""
    process = subprocess.Popen(
        [*prefix, *WITH_CORES, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(variables),
        cwd=cwd,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def answer(server: subprocess.Popen[bytes], number: int, method: str, params: object) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    server.stdin.write(json.dumps(message).encode() + b"\n")
    server.stdin.flush()
    for line in server.stdout:
        if json.loads(line).get("id") == number:
            return
    pytest.fail("the server ended")


@contextmanager
def serving(home: Path, bus: str, prefix: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """`firmly-mcp serve` with its wallet open."""
    variables = environment(home, bus=bus, FIRMLY_MCP_SHOPPER="cores")
    with running(*FIRMLY, "serve", variables=variables, cwd=home, prefix=prefix) as server:
        answer(server, 1, "initialize", INITIALIZE)
        answer(server, 2, "tools/call", {"name": "list_payment_cards", "arguments": {}})
        yield server


def core_limits(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


def can_be_read(pid: int) -> bool:
    return (
        subprocess.run(
            [*WITHOUT_TRACING, *OPEN_MEMORY, str(pid)], stderr=subprocess.DEVNULL, timeout=DEADLINE, check=False
        ).returncode
        == 0
    )


@needs_cores
def test_a_crash_with_the_wallet_open_leaves_no_core_file(tmp_path: Path, keyring_daemon: SecretService) -> None:
    with serving(tmp_path, keyring_daemon.bus.address) as server:
        assert core_limits(server.pid) == ["0", "0"]
        server.send_signal(signal.SIGABRT)
        assert server.wait(DEADLINE) == -signal.SIGABRT
    assert not list(tmp_path.glob("*core*"))


@needs_setpriv
def test_another_process_of_the_same_account_reads_nothing_of_one_with_the_wallet_open(
    tmp_path: Path, keyring_daemon: SecretService
) -> None:
    with running("/bin/cat", variables=os.environ, cwd=tmp_path, prefix=WITHOUT_TRACING) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"ready\n")
        other.stdin.flush()
        # It is `cat` by now, and no longer the program that gives up the right to trace.
        assert other.stdout.readline() == b"ready\n"
        assert can_be_read(other.pid), "else this test proves nothing"
    with serving(tmp_path, keyring_daemon.bus.address, WITHOUT_TRACING) as server:
        assert not can_be_read(server.pid)


PEEK = """
import ctypes, resource, sys
from pathlib import Path
{opened}
prctl = ctypes.CDLL(None).prctl
print(prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""
OPENINGS = {
    "services": """
import anyio
from firmly_mcp.app import open_services
from firmly_mcp.settings import read_settings
async def opened():
    async with open_services(read_settings()):
        pass
anyio.run(opened)
""",
    "a wallet of its own": """
from datetime import datetime
from firmly_mcp.settings import Owner
from firmly_mcp.wallet.memory import MemoryKeychain
from firmly_mcp.wallet.wallet import Wallet
Wallet(MemoryKeychain(), Owner("simulator", "local"), Path(sys.argv[1]), datetime.now)
""",
    "doctor": """
from datetime import datetime
from firmly_mcp.doctor.findings import Examined
from firmly_mcp.settings import read_settings
Examined.of(read_settings(), {}, datetime.now)
""",
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_whatever_opens_the_wallet_is_not_dumpable(opening: str, tmp_path: Path) -> None:
    script = PEEK.format(opened=OPENINGS[opening])
    with running(sys.executable, "-c", script, str(tmp_path), variables=environment(tmp_path), cwd=tmp_path) as process:
        printed, _ = process.communicate(timeout=DEADLINE)
    assert printed.split() == [b"0", b"0", b"0"]


def test_a_person_who_types_a_card_types_it_into_a_process_without_cores(
    tmp_path: Path, keyring_daemon: SecretService
) -> None:
    shopper = an_environment(keyring_daemon.bus, tmp_path)
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.until("Label, such as Visa: ")
        assert core_limits(terminal.process_id) == ["0", "0"]


def test_a_program_that_it_starts_can_be_dumped_but_writes_no_core(tmp_path: Path) -> None:
    script = """
import subprocess, sys
from firmly_mcp.system.process import forbid_memory_dumps
forbid_memory_dumps()
forbid_memory_dumps()
child = "import ctypes, resource; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(4))"
subprocess.run([sys.executable, "-c", child], check=True)
"""
    with running(sys.executable, "-c", script, variables=environment(tmp_path), cwd=tmp_path) as process:
        printed, _ = process.communicate(timeout=DEADLINE)
    assert printed.split() == [b"1", b"0", b"0"]
