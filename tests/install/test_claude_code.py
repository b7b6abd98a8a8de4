"""Claude Code: changed by its own command where that is at hand, else in its file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.person import at_a_terminal
from tests.install.installing import SESSION, change, environment, file_of, put, run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with `claude` on the PATH."""
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    code = (Path(__file__).parent / "claude.py").read_text("utf-8").partition("\n")[2]
    claude.write_text(f"#!{sys.executable}\n{code}", "utf-8")
    claude.chmod(0o755)
    return tmp_path


def servers(home: Path) -> dict[str, Any]:
    told = json.loads(file_of("claude-code", home).read_text("utf-8"))["mcpServers"]
    assert isinstance(told, dict)
    return told


def calls(home: Path) -> list[str]:
    return [" ".join(json.loads(line)[:5]) for line in (home / ".claude.calls").read_text("utf-8").splitlines()]


ADD = "mcp add-json --scope user firmly"
REMOVE = "mcp remove --scope user firmly"


def test_its_own_command_adds_updates_and_removes_the_entry(home: Path) -> None:
    added = change(home, "install", "claude-code", **SESSION)
    assert servers(home) == {"firmly": added["after"]}
    assert [" ".join(command[1:6]) for command in added["commands"]] == [ADD]
    assert change(home, "install", "claude-code", **SESSION)["commands"] == []
    updated = change(home, "install", "claude-code", FIRMLY_MCP_SHOPPER="ana")
    assert servers(home)["firmly"]["env"] == SESSION | updated["before"]["env"] | {"FIRMLY_MCP_SHOPPER": "ana"}
    change(home, "uninstall", "claude-code")
    assert servers(home) == {}
    assert calls(home) == [ADD, REMOVE, ADD, REMOVE]


def test_the_exact_command_is_shown_and_print_runs_none(home: Path) -> None:
    shown = run(home, "install", "claude-code", "--print").stdout
    assert f"{home}/bin/claude {ADD} '{{" in shown
    assert not (home / ".claude.json").exists()


@pytest.mark.parametrize(("fails", "why"), [("add-json", "Something is wrong"), ("silently", "lacks what was shown")])
def test_a_command_that_fails_or_does_nothing_is_told(home: Path, fails: str, why: str) -> None:
    done = run(home, "install", "claude-code", "--yes", CLAUDE_FAILS=fails)
    assert done.returncode == 1
    assert why in done.stderr
    assert "Written" not in done.stdout


def test_an_entry_that_changes_while_a_person_thinks_is_not_written_over(home: Path) -> None:
    variables = environment(home, TERM="xterm")
    with at_a_terminal("install", "claude-code", environment=variables) as terminal:
        terminal.until("Write this?")
        file = put("claude-code", home, b'{"mcpServers": {"firmly": {"command": "npx"}}}')
        terminal.type("y\n")
        assert terminal.end() == 1
    assert "changed since it was shown" in terminal.lines
    assert b"npx" in file.read_bytes()
    assert not (home / ".claude.calls").exists()


def test_without_its_command_the_file_is_changed_and_the_danger_told(tmp_path: Path) -> None:
    raw = b'{\n  "numStartups": 12,\n  "projects": {}\n}'
    file = put("claude-code", tmp_path, raw)
    shown = run(tmp_path, "install", "claude-code", "--yes").stdout
    assert "Quit Claude Code first" in shown
    assert servers(tmp_path)["firmly"]["type"] == "stdio"
    change(tmp_path, "uninstall", "claude-code")
    assert file.read_bytes() == raw
