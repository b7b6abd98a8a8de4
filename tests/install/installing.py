"""The real command, in a home of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmly_mcp.cli.main import command
from firmly_mcp.errors import FirmlyError
from firmly_mcp.install.clients import CLIENTS, Machine

# The variables of a desktop session, as a Linux login sets them.
SESSION = {
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "DISPLAY": ":0",
    "WAYLAND_DISPLAY": "wayland-0",
    "XAUTHORITY": "/run/user/1000/.xauth",
}
FILE_CLIENTS = [name for name in CLIENTS if name != "claude-code"]


def environment(home: Path, **more: str) -> dict[str, str]:
    """A person's shell: no keyring answers, and no client's own command is on its PATH."""
    root = Path(__file__).parents[2]
    return {
        "PATH": str(home / "bin"),
        "PYTHONPATH": str(root),
        "HOME": str(home),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/firmly-mcp-tests",
        **more,
    }


def run(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `firmly-mcp ARGUMENTS` in this home, without a terminal: the whole command, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            patch.delenv(name)
        for name, value in environment(home, **more).items():
            patch.setenv(name, value)
        result = CliRunner().invoke(command, arguments, prog_name="firmly-mcp")
    code, errors = result.exit_code, result.stderr
    if isinstance(result.exception, FirmlyError):
        code, errors = 1, errors + result.exception.message
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, code, result.stdout, errors)


def change(home: Path, *arguments: str, **more: str) -> Any:
    """Run a command that has to end well, with `--yes --json`; return what it printed."""
    done = run(home, *arguments, "--yes", "--json", **more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def file_of(client: str, home: Path) -> Path:
    """Where this client keeps its list of servers on Linux."""
    return CLIENTS[client].file(Machine("linux", home, {}))


def put(client: str, home: Path, raw: bytes) -> Path:
    """Have this in the client's file."""
    file = file_of(client, home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    return file


def said(client: str, file: Path) -> dict[str, Any]:
    """What a client's file holds; trailing commas do not count."""
    text = file.read_bytes().decode("utf-8-sig")
    if CLIENTS[client].is_toml:
        return tomllib.loads(text)
    held = json.loads(re.sub(r",(?=\s*[}\]])", "", text)) if text.strip() else {}
    assert isinstance(held, dict)
    return held


def besides(client: str, says: Mapping[str, Any]) -> dict[str, Any]:
    """What it holds besides our entry; an empty list of servers does not count."""
    servers = {name: entry for name, entry in says.get(CLIENTS[client].key, {}).items() if name != "firmly"}
    rest = {name: value for name, value in says.items() if name != CLIENTS[client].key}
    return rest | ({CLIENTS[client].key: servers} if servers else {})
