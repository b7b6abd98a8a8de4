"""Files of ours are written whole or not at all, for this user alone."""

from pathlib import Path

import pytest

from firmly_mcp.system.files import write_whole


def test_a_file_is_made_with_its_directory_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "kept.json"
    write_whole(path, "first")
    write_whole(path, "zweites ✓")
    assert path.read_text("utf-8") == "zweites ✓"
    assert [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "a text \ud800 that is none")
    assert path.read_text("utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "kept.json", "text")
    assert [found.name for found in tmp_path.iterdir()] == ["kept.json"]
