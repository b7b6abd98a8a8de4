"""Replacing a file of somebody else's: whole or not at all, and only if it is what was seen."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmly_mcp.errors import SettingsError
from firmly_mcp.install import files
from firmly_mcp.install.files import Found
from tests.install.installing import change, put, run


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
    assert file.read_bytes() == b"{}\n"


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


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = st.text() | st.sampled_from(["servers", "firmly"])
# On a machine that is busy with other tests nothing is wrong with an example that takes long.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1, "\t", 4]))
def test_plain_json_says_what_it_said_and_one_entry_more(
    held: dict[str, Any],
    ascii_only: bool,
    indent: int | str | None,
) -> None:
    try:
        raw = json.dumps(held, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return  # no file holds it
    found = Found(Path("mcp.json"), raw)
    data, has_comments = files.parse(found, is_toml=False)
    assert (data, has_comments) == (held, False)
    more = {**held, "servers": {"firmly": {"command": "x"}}}
    text = files.render(found, more, "servers", "firmly", is_toml=False)
    assert files.parse(Found(found.path, text.encode()), is_toml=False) == (more, False)


BLANKS = st.sampled_from(["", " ", "\n", "\r\n\t", " // one\n", "/* two */", "\n/* three\n */ ", " // four, }\r\n  "])
TOKENS = st.sampled_from(['"// none"', '"/* none */"', '"\\" // none"', '"\\\\"', "1", "[]", "{}", '[{"a": 1,},]'])


@UNHURRIED
@given(st.lists(st.tuples(BLANKS, TOKENS, BLANKS), min_size=1, max_size=5), st.booleans())
def test_comments_and_trailing_commas_change_nothing_that_is_read(
    parts: list[tuple[str, str, str]],
    trailing: bool,
) -> None:
    text = ",".join("".join(part) for part in parts) + ("," if trailing else "")
    data, has_comments = files.parse(Found(Path("x"), f'{{"a": [{text}]}}'.encode()), is_toml=False)
    plain = [json.loads(token.replace(",}", "}").replace(",]", "]")) for _, token, _ in parts]
    assert data == {"a": plain}
    assert has_comments == any("/" in blank for before, _, after in parts for blank in (before, after))


@UNHURRIED
@given(st.text(alphabet='{}[]",:/*\\\n\r\t 01-eE.truefalsn\ufeffé'))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = Found(Path("x"), text.encode())
    try:
        data, has_comments = files.parse(found, is_toml=False)
    except SettingsError:
        return
    assert has_comments or not data or text.strip().startswith(("{", "\ufeff"))


OTHER = '# top\n[mcp_servers.other]\ncommand = "x"  # keep\n'
LATER = ["", "# later\n", "\n# later\n[d]\ne = 1\n", '[mcp_servers.more]\ncommand = "y" # z\n', "\n\n# end"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ENTRIES = st.fixed_dictionaries(
    {"command": TEXT, "args": st.lists(TEXT, max_size=3)},
    optional={"env": st.dictionaries(TEXT, TEXT, max_size=3), "env_vars": st.lists(TEXT, max_size=3)},
)


@UNHURRIED
@given(
    st.sampled_from(["", "a = 1", "a = 1\r\n", OTHER, OTHER.replace("\n", "\r\n")]),
    ENTRIES,
    ENTRIES,
    st.sampled_from(LATER),
)
def test_a_toml_table_is_added_updated_and_removed_and_every_comment_stays(
    before: str, entry: dict[str, Any], update: dict[str, Any], later: str
) -> None:
    def written(found: Found, value: dict[str, Any] | None) -> Found:
        data, _ = files.parse(found, is_toml=True)
        servers = {**data.get("mcp_servers", {}), "firmly": value}
        after = {**data, "mcp_servers": {name: each for name, each in servers.items() if each is not None}}
        text = files.render(found, after, "mcp_servers", "firmly", is_toml=True)
        return Found(found.path, found.encoded(text))

    def comments(raw: bytes | None) -> list[bytes]:
        return re.findall(rb"(?m)# (?:top|keep|later|z|end)\b", raw or b"")

    if "env" in entry:
        update["env"] = entry["env"] | update.get("env", {})
    start = Found(Path("config.toml"), before.encode())
    added = written(start, entry)
    assert files.parse(added, is_toml=True)[0]["mcp_servers"]["firmly"] == entry
    extended = Found(start.path, (added.raw or b"") + later.encode())
    updated = written(extended, entry | update)
    removed = written(updated, None)
    assert files.parse(updated, is_toml=True)[0]["mcp_servers"]["firmly"] == entry | update
    assert comments(removed.raw) == comments((before + later).encode())
    left = files.parse(removed, is_toml=True)[0]
    assert left == files.parse(Found(start.path, f"{before}\n{later}".encode()), is_toml=True)[0]
