"""The HTTP server's token: made once, kept, and refused where others could know it."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firmly_mcp.errors import SettingsError
from firmly_mcp.server.http import read_or_make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "http-token"


def test_the_first_start_makes_it_for_this_user_alone_and_the_next_reads_it(path: Path) -> None:
    token = read_or_make(path)
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == token
    assert [file.name for file in path.parent.iterdir()] == ["http-token"]


def test_a_generous_umask_does_not_open_it(path: Path) -> None:
    before = os.umask(0)
    try:
        read_or_make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_starts_at_one_time_have_one_token(path: Path) -> None:
    with ThreadPoolExecutor(8) as starts:
        assert len(set(starts.map(read_or_make, [path] * 64))) == 1
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(path: Path, mode: int) -> None:
    read_or_make(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="Delete it"):
        read_or_make(path)


@pytest.mark.parametrize("text", ["", "short", "a b" * 20, "ä" * 50])
def test_a_file_without_a_token_is_refused(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="holds no token"):
        read_or_make(path)


def test_a_link_to_another_file_is_not_followed(path: Path, tmp_path: Path) -> None:
    read_or_make(tmp_path / "other")
    path.parent.mkdir()
    path.symlink_to(tmp_path / "other")
    with pytest.raises(SettingsError, match=r"OSError.*http-token"):
        read_or_make(path)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="FIRMLY_MCP_DATA_DIR"):
        read_or_make(tmp_path / "file" / "data" / "http-token")
