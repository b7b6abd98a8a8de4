"""What a server loads before it has answered anything."""

import subprocess
import sys
from pathlib import Path

import pytest

HELLO = """\
{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},\
"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
"""
# Each of these is loaded by the first call that needs it.
LATER = {"sqlalchemy", "keyring", "jwcrypto", "secretstorage", "filelock", "jinja2"}
OURS = {"simulator", "api", "wallet", "pages", "checkout", "server.tools", "server.tool", "server.views"}
COMMANDS = {"cli.prompt", "cli.cards", "cli.orders", "cli.rules", "doctor", "install"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules of a server that has listed its tools."""
    program = "import sys, atexit, os; from firmly_mcp.cli.main import main; import firmly_mcp.server.app as end; \
end_now = os._exit; os._exit = lambda code: (print(*sys.modules, file=sys.stderr, flush=True), end_now(code)); main()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"FIRMLY_MCP_DATA_DIR": str(tmp_path_factory.mktemp("data"))},
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(HELLO)
        server.stdin.flush()
        assert any('"id":2' in line for line in server.stdout)
        _, modules = server.communicate(timeout=30)
    return set(modules.split())


def test_a_server_that_lists_its_tools_loads_no_room(loaded: set[str]) -> None:
    assert not LATER & loaded
    assert not {f"firmly_mcp.{room}" for room in OURS | COMMANDS} & loaded


def test_a_server_that_lists_its_tools_loads_little_of_its_own(loaded: set[str]) -> None:
    # Four of them bound and end a conversation, and close the memory to others: no server may do without.
    assert len([name for name in loaded if name.startswith("firmly_mcp")]) <= 26
