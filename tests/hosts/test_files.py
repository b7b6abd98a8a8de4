"""Replacing a file of somebody else's: whole or not at all, and only if it is what was seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmly_mcp.errors import SettingsError
from firmly_mcp.hosts import files
from tests.hosts.installing import change, put, run


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_bytes(b"{}")
    file = put("cursor", tmp_path, b"")
    file.unlink()
    file.symlink_to(Path("..") / "dotfiles" / "mcp.json")
    told = change(tmp_path, "install", "cursor")
    assert told["file"] == str(real)
    assert file.is_symlink()
    assert b"firmly" in real.read_bytes()
    change(tmp_path, "uninstall", "cursor")
    assert real.read_bytes() == b"{}"
    assert file.is_symlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_the_mode_stays(tmp_path: Path, mode: int) -> None:
    file = put("codex", tmp_path, b"a = 1\n")
    file.chmod(mode)
    change(tmp_path, "install", "codex")
    assert file.stat().st_mode & 0o777 == mode


def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    file = put("cursor", tmp_path, b"{}")
    file.chmod(0o444)
    done = run(tmp_path, "install", "cursor", "--yes")
    assert done.returncode == 1
    assert "read-only" in done.stderr
    assert file.read_bytes() == b"{}"
    assert [path.name for path in file.parent.iterdir()] == ["mcp.json"]


def test_a_refused_writing_leaves_no_memory_of_itself(tmp_path: Path) -> None:
    file = put("cursor", tmp_path, b"{\n}\n")
    change(tmp_path, "install", "cursor")
    file.chmod(0o444)
    assert run(tmp_path, "install", "cursor", "--yes", FIRMLY_MCP_SHOPPER="ana").returncode == 1
    file.chmod(0o644)
    change(tmp_path, "uninstall", "cursor")
    assert file.read_bytes() == b"{\n}\n"


@pytest.mark.parametrize("kind", ["a directory", "a loop of links", "a pipe", "a file for a directory"])
def test_what_is_no_plain_file_is_told_and_left_alone(tmp_path: Path, kind: str) -> None:
    file = put("cursor", tmp_path, b"")
    file.unlink()
    if kind == "a directory":
        file.mkdir()
    elif kind == "a loop of links":
        file.symlink_to(file.name)
    elif kind == "a pipe":
        os.mkfifo(file)
    else:
        file.parent.rmdir()
        file.parent.write_bytes(b"")
    done = run(tmp_path, "install", "cursor", "--yes")
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr


def test_a_file_that_changed_appeared_or_went_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    nothing = files.find(file)
    file.write_bytes(b"{}")
    something = files.find(file)
    with pytest.raises(SettingsError, match="changed since"):
        files.replace(nothing, b"x")
    file.write_bytes(b"{ }")
    with pytest.raises(SettingsError, match="changed since"):
        files.replace(something, b"x")
    with pytest.raises(SettingsError, match="changed since"):
        files.remove(something, [])
    assert file.read_bytes() == b"{ }"
    file.unlink()
    with pytest.raises(SettingsError, match="changed since"):
        files.replace(something, b"x")
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(b"{}")
    found = files.find(file)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        files.replace(found, b"x")
    assert file.read_bytes() == b"{}"
    assert list(tmp_path.iterdir()) == [file]
