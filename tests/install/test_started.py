"""The server, started as a host starts it: by the entry that was written, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firmly_mcp.install.clients import CLIENTS
from tests.cli.person import an_environment, in_a_script
from tests.cli.test_cards import HOME
from tests.install.installing import SESSION, change, environment, file_of, said
from tests.raw_server import DEADLINE, INITIALIZE
from tests.secret_service import SecretService

MESSAGES = (
    {"id": 1, "method": "initialize", "params": INITIALIZE},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list", "params": {}},
)


def tools_of(entry: dict[str, Any], home: Path) -> list[str]:
    """The tools of the server that an entry starts, with no more variables than the SDK's clients pass on."""
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", **entry.get("env", {})}
    command = [entry["command"], *entry["args"]]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, cwd="/", text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in MESSAGES:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for message in MESSAGES if "id" in message]
        server.stdin.close()
        assert server.wait(DEADLINE) == 0
    return [tool["name"] for tool in answers[1]["result"]["tools"]]


@pytest.mark.parametrize("host", ["claude-desktop", "codex"])
def test_the_written_entry_starts_a_server_with_tools(tmp_path: Path, host: str) -> None:
    change(tmp_path, "install", host, **SESSION, FIRMLY_MCP_SHOPPER="ana")
    entry = said(host, file_of(host, tmp_path))[CLIENTS[host].key]["firmly"]
    assert Path(entry["command"]).is_absolute()
    assert "complete_order" in tools_of(entry, tmp_path)


def test_the_command_as_a_process_writes_and_restores(tmp_path: Path) -> None:
    shown = in_a_script("install", "cursor", "--yes", environment=environment(tmp_path))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert file_of("cursor", tmp_path).exists()
    refused = in_a_script("uninstall", "cursor", environment=environment(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("firmly-mcp: Nothing was written")
    assert in_a_script("uninstall", "cursor", "--yes", environment=environment(tmp_path)).returncode == 0
    assert not file_of("cursor", tmp_path).parent.exists()


def test_what_the_keyring_has_already_is_not_asked_for(keyring_daemon: SecretService, tmp_path: Path) -> None:
    shopper = an_environment(keyring_daemon.bus, tmp_path)
    given = json.dumps(HOME)
    assert in_a_script("addresses", "add", "--stdin", environment=shopper, given=given).returncode == 0
    told = in_a_script("install", "cursor", "--yes", "--json", environment=shopper)
    assert [step["command"].split()[-2:] for step in json.loads(told.stdout)["next"]] == [["cards", "add"]]
