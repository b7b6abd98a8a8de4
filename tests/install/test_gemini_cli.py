"""Gemini CLI: changed by its own command where that can write the entry, else in its file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.install.installing import change, file_of, put, run
from tests.install.layouts import commented

NO_BUS = {"DBUS_SESSION_BUS_ADDRESS": ""}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with `gemini` on the PATH."""
    gemini = tmp_path / "bin" / "gemini"
    gemini.parent.mkdir()
    code = (Path(__file__).parent / "gemini.py").read_text("utf-8").partition("\n")[2]
    gemini.write_text(f"#!{sys.executable}\n{code}", "utf-8")
    gemini.chmod(0o755)
    return tmp_path


def servers(home: Path) -> dict[str, Any]:
    held = json.loads(file_of("gemini-cli", home).read_text("utf-8"))["mcpServers"]
    assert isinstance(held, dict)
    return held


def calls(home: Path) -> list[str]:
    file = home / ".gemini" / "settings.calls"
    return [json.loads(line)[1] for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def test_its_own_command_adds_updates_and_removes_the_entry(home: Path) -> None:
    put("gemini-cli", home, b'{"mcpServers": {"other": {"command": "npx"}}}')
    added = change(home, "install", "gemini-cli", **NO_BUS)
    assert servers(home)["firmly"] == added["after"]
    updated = change(home, "install", "gemini-cli", FIRMLY_MCP_SHOPPER="ana", FIRMLY_MCP_PAGES_PORT="8440", **NO_BUS)
    assert servers(home)["firmly"]["env"] == {"FIRMLY_MCP_SHOPPER": "ana", "FIRMLY_MCP_PAGES_PORT": "8440"}
    assert updated["commands"][0][1:4] == ["mcp", "add", "--scope"]
    assert change(home, "install", "gemini-cli", **NO_BUS)["commands"] == []
    change(home, "uninstall", "gemini-cli")
    assert servers(home) == {"other": {"command": "npx"}}
    assert calls(home) == ["add", "add", "remove"]
    assert not list((home / ".gemini").glob("*.bak"))


def test_a_file_with_comments_is_left_to_its_own_command(home: Path) -> None:
    put("gemini-cli", home, commented("gemini-cli")["odd indentation and comments"])
    shown = run(home, "install", "gemini-cli", "--print", **NO_BUS).stdout
    assert "Gemini CLI's own command writes it" in shown
    assert "Paste" not in shown


@pytest.mark.parametrize("bus", ["unix:path=/run/user/1000/bus", "unix:abstract=x"])
def test_a_value_that_its_own_command_would_cut_goes_into_the_file(home: Path, bus: str) -> None:
    told = change(home, "install", "gemini-cli", DBUS_SESSION_BUS_ADDRESS=bus)
    assert told["commands"] == []
    assert servers(home)["firmly"]["env"]["DBUS_SESSION_BUS_ADDRESS"] == bus
    assert calls(home) == []


def test_what_a_person_added_to_our_entry_is_not_lost_to_its_own_command(home: Path) -> None:
    change(home, "install", "gemini-cli", **NO_BUS)
    file = file_of("gemini-cli", home)
    file.write_text(file.read_text("utf-8").replace('"command"', '"trust": true, "command"'), "utf-8")
    change(home, "install", "gemini-cli", FIRMLY_MCP_SHOPPER="ana", **NO_BUS)
    assert servers(home)["firmly"]["trust"] is True
    assert servers(home)["firmly"]["env"] == {"FIRMLY_MCP_SHOPPER": "ana"}


def test_a_file_that_install_made_goes_also_where_its_own_command_is_at_hand(home: Path) -> None:
    change(home, "install", "gemini-cli")
    change(home, "uninstall", "gemini-cli")
    assert not file_of("gemini-cli", home).parent.exists()
    assert calls(home) == []
