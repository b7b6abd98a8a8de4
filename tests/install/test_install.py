"""`firmly-mcp install` and `uninstall`, as a person runs them, on every host that has a file."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from firmly_mcp import __version__
from firmly_mcp.install.clients import CLIENTS
from tests.cli.person import at_a_terminal
from tests.install.installing import FILE_CLIENTS, SESSION, besides, change, environment, file_of, put, run, said
from tests.install.layouts import commented, layouts

EVERY_LAYOUT = [(host, layout) for host in ("claude-desktop", "vscode", "codex") for layout in layouts(host)]


@pytest.mark.parametrize("host", FILE_CLIENTS)
def test_without_a_file_one_is_made_and_uninstalling_leaves_nothing(tmp_path: Path, host: str) -> None:
    told = change(tmp_path, "install", host, **SESSION)
    file = file_of(host, tmp_path)
    assert (told["change"], told["written"], told["file"]) == ("add", True, str(file))
    assert said(host, file)[CLIENTS[host].key] == {"firmly": told["after"]}
    assert file.stat().st_mode & 0o777 == 0o600
    change(tmp_path, "uninstall", host)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "firmly-mcp/locks" not in str(path)]
    assert not left
    assert not file.parent.exists()


@pytest.mark.parametrize(("host", "layout"), EVERY_LAYOUT)
def test_what_was_there_stays_and_uninstalling_takes_out_our_entry_alone(
    tmp_path: Path, host: str, layout: str
) -> None:
    before = layouts(host)[layout]
    file = put(host, tmp_path, before)
    was = said(host, file)
    told = change(tmp_path, "install", host, **SESSION)
    now = file.read_bytes()
    assert said(host, file)[CLIENTS[host].key]["firmly"] == told["after"]
    assert besides(host, said(host, file)) == besides(host, was)
    assert (b"\r\n" in before) == (b"\r\n" in now)
    assert b"\r\n" not in before or not re.search(rb"(?<!\r)\n", now)
    assert now.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    change(tmp_path, "uninstall", host)
    assert said(host, file) == was
    comments = re.findall(rb"(?m)#\s[^\r\n]*", before) if host == "codex" else []
    for comment in comments:
        assert comment in now
        assert comment in file.read_bytes()


@pytest.mark.parametrize("host", ["claude-desktop", "vscode", "cursor", "gemini-cli"])
@pytest.mark.parametrize("layout", commented("vscode"))
def test_a_file_with_comments_is_left_alone_and_the_entry_is_printed_to_paste(
    tmp_path: Path, host: str, layout: str
) -> None:
    before = commented(host)[layout]
    file = put(host, tmp_path, before)
    done = run(tmp_path, "install", host, "--yes", **SESSION)
    assert done.returncode == 1
    assert f"Nothing was written: {file} has comments" in done.stderr
    assert f"Paste this into `{CLIENTS[host].key}`:" in done.stdout
    pasted = json.loads("{" + re.search(r'(?ms)^"firmly": \{.*?^\}', done.stdout)[0] + "}")  # type: ignore[index]
    assert (
        pasted["firmly"] == json.loads(run(tmp_path, "install", host, "--print", "--json", **SESSION).stdout)["after"]
    )
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    assert "Still to do" not in done.stdout


def test_a_program_learns_that_a_file_with_comments_was_left_alone(tmp_path: Path) -> None:
    put("vscode", tmp_path, commented("vscode")["comments alone"])
    done = run(tmp_path, "install", "vscode", "--yes", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["change"], told["written"], told["next"]) == ("add", False, [])
    assert told["after"]["command"]
    assert done.stderr.startswith("Nothing was written")


def test_print_shows_the_entry_to_paste_into_a_file_with_comments_and_is_no_error(tmp_path: Path) -> None:
    put("cursor", tmp_path, commented("cursor")["odd indentation and comments"])
    done = run(tmp_path, "install", "cursor", "--print")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Paste this into `mcpServers`:" in done.stdout


def test_our_entry_among_comments_is_found_and_not_removed(tmp_path: Path) -> None:
    entry = json.dumps(change(tmp_path, "install", "vscode")["after"])
    raw = f'{{\n  "servers": {{\n    "firmly": {entry} // pasted\n  }}\n}}\n'.encode()
    file = put("vscode", tmp_path, raw)
    assert change(tmp_path, "install", "vscode")["change"] == "none"
    done = run(tmp_path, "uninstall", "vscode", "--yes")
    assert done.returncode == 1
    assert "Remove `servers.firmly` yourself" in done.stdout
    assert '- "firmly": {' in done.stdout
    assert file.read_bytes() == raw


def test_json_is_written_plain_in_the_order_and_with_the_indentation_that_it_had(tmp_path: Path) -> None:
    before = b'{\n\t"b": "\xc3\xa9",\n\t"mcpServers": {\n\t\t"other": {}\n\t},\n\t"a": [1.5, {"c": null}]\n}\n'
    file = put("cursor", tmp_path, before)
    entry = change(tmp_path, "install", "cursor")["after"]
    held = {"b": "é", "mcpServers": {"other": {}, "firmly": entry}, "a": [1.5, {"c": None}]}
    assert file.read_text("utf-8") == json.dumps(held, indent="\t", ensure_ascii=False) + "\n"


@pytest.mark.parametrize("host", ["cursor", "codex"])
def test_what_the_file_held_before_is_kept_next_to_it(tmp_path: Path, host: str) -> None:
    before = layouts(host)["others"]
    file = put(host, tmp_path, before)
    file.chmod(0o640)
    theirs = file.with_name(f"{file.name}.bak")
    theirs.write_bytes(b"mine")
    shown = run(tmp_path, "install", host, "--yes").stdout
    kept = file.with_name(f"{file.name}.firmly-mcp.bak")
    assert str(kept) in shown
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o640
    now = file.read_bytes()
    change(tmp_path, "uninstall", host)
    assert kept.read_bytes() == now
    assert theirs.read_bytes() == b"mine"


def test_a_file_that_version_0_1_0_made_goes_with_our_entry(tmp_path: Path) -> None:
    change(tmp_path, "install", "cursor")
    file = file_of("cursor", tmp_path)
    (record,) = (tmp_path / ".local/share/firmly-mcp/hosts").iterdir()
    old = {"inserted": file.read_text("utf-8"), "replaced": "", "made_file": True, "made_list": True}
    record.write_text(json.dumps({**old, "made_directories": [str(file.parent)]}), "utf-8")
    change(tmp_path, "uninstall", "cursor")
    assert not file.parent.exists()
    assert not record.exists()


@pytest.mark.parametrize("host", ["vscode", "codex"])
def test_installing_twice_changes_nothing_the_second_time(tmp_path: Path, host: str) -> None:
    change(tmp_path, "install", host)
    file = file_of(host, tmp_path)
    before = file.stat()
    told = change(tmp_path, "install", host)
    assert (told["change"], told["written"]) == ("none", False)
    assert file.stat().st_ino == before.st_ino


@pytest.mark.parametrize(("host", "layout"), [("vscode", "trailing commas"), ("codex", "CRLF")])
def test_an_update_changes_what_differs_and_the_entry_can_still_be_removed(
    tmp_path: Path, host: str, layout: str
) -> None:
    file = put(host, tmp_path, layouts(host)[layout])
    was = said(host, file)
    change(tmp_path, "install", host, FIRMLY_MCP_SHOPPER="ana")
    program = str(said(host, file)[CLIENTS[host].key]["firmly"]["command"]).encode()
    file.write_bytes(file.read_bytes().replace(program, b"/old/bin/firmly-mcp"))
    shown = run(tmp_path, "install", host, "--yes", FIRMLY_MCP_PAGES_PORT="8440")
    assert re.search(r'(?m)^- .*"/old/bin/firmly-mcp"', shown.stdout)
    entry = said(host, file)[CLIENTS[host].key]["firmly"]
    assert entry["command"] == program.decode()
    assert entry["env"] == {"FIRMLY_MCP_SHOPPER": "ana", "FIRMLY_MCP_PAGES_PORT": "8440"}
    assert host != "codex" or b"# About the projects" in file.read_bytes()
    change(tmp_path, "uninstall", host)
    assert said(host, file) == was
    assert host != "codex" or b"# About the projects" in file.read_bytes()


@pytest.mark.parametrize("host", ["cursor", "codex"])
def test_an_update_of_what_nobody_touched_is_undone_to_the_byte(tmp_path: Path, host: str) -> None:
    before = layouts(host)["others"]
    file = put(host, tmp_path, before)
    change(tmp_path, "install", host)
    assert change(tmp_path, "install", host, FIRMLY_MCP_SHOPPER="ana")["change"] == "update"
    change(tmp_path, "uninstall", host)
    assert file.read_bytes() == before


def test_what_a_person_added_to_our_entry_stays_through_an_update(tmp_path: Path) -> None:
    change(tmp_path, "install", "cursor")
    file = file_of("cursor", tmp_path)
    file.write_text(file.read_text("utf-8").replace('"type"', '"disabled": true, "type"'), "utf-8")
    change(tmp_path, "install", "cursor", FIRMLY_MCP_SHOPPER="ana")
    entry = said("cursor", file)["mcpServers"]["firmly"]
    assert entry["disabled"] is True
    assert entry["env"]["FIRMLY_MCP_SHOPPER"] == "ana"


@pytest.mark.parametrize("host", ["gemini-cli", "codex"])
def test_others_that_came_later_stay_when_ours_goes(tmp_path: Path, host: str) -> None:
    change(tmp_path, "install", host)
    file = file_of(host, tmp_path)
    if host == "codex":
        file.write_text(file.read_text("utf-8") + '\n# later\n[mcp_servers.late]\ncommand = "x"\n', "utf-8")
    else:
        later = json.loads(file.read_text("utf-8")) | {"theme": "dark"}
        later["mcpServers"]["late"] = {"command": "x"}
        file.write_text(json.dumps(later), "utf-8")
    change(tmp_path, "uninstall", host)
    left = said(host, file)
    assert left.pop(CLIENTS[host].key) == {"late": {"command": "x"}}
    assert left == ({} if host == "codex" else {"theme": "dark"})
    assert host != "codex" or "# later" in file.read_text("utf-8")


def test_a_file_that_its_host_wrote_anew_loses_all_that_was_ours(tmp_path: Path) -> None:
    change(tmp_path, "install", "claude-desktop")
    file = file_of("claude-desktop", tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")), indent=7), "utf-8")
    change(tmp_path, "uninstall", "claude-desktop")
    assert not file.exists()


@pytest.mark.parametrize("host", ["vscode", "codex"])
def test_uninstalling_what_is_not_there_changes_nothing(tmp_path: Path, host: str) -> None:
    assert change(tmp_path, "uninstall", host)["change"] == "none"
    assert not file_of(host, tmp_path).exists()
    file = put(host, tmp_path, layouts(host)["others"])
    assert change(tmp_path, "uninstall", host)["written"] is False
    assert file.read_bytes() == layouts(host)["others"]


BROKEN = [
    ("vscode", b'{\n  "servers": {\n    "other": }\n}\n', "line 3"),
    ("vscode", b'{\n  "servers": {}\n', "line 3"),
    ("vscode", b'{"servers": []}', "not a list of servers"),
    ("vscode", b"[1]", "line 1"),
    ("vscode", b'{"servers": {"firmly": 1}}', "not a server"),
    ("vscode", b'{"a": "\xff"}', "utf-8"),
    ("vscode", b"[" * 5000, "recursion"),
    ("codex", b'a = 1\n[mcp_servers.other\ncommand = "x"\n', "line 2"),
    ("codex", b"a = 1\nb = \n", "line 2"),
    ("codex", b"mcp_servers = 3\n", "not a list of servers"),
]


@pytest.mark.parametrize(("host", "raw", "why"), BROKEN)
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_file_that_cannot_be_read_is_left_alone_and_says_the_line(
    tmp_path: Path, command: str, host: str, raw: bytes, why: str
) -> None:
    file = put(host, tmp_path, raw)
    done = run(tmp_path, command, host, "--yes")
    assert done.returncode == 1
    assert why in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == raw


def left_alone(home: Path, command: str, host: str, raw: bytes, why: str) -> bool:
    """Whether the command refuses this file, says why, and does not touch it."""
    file = put(host, home, raw)
    done = run(home, command, host, "--yes")
    assert done.returncode == 1
    assert why in done.stderr
    return file.read_bytes() == raw


def test_a_list_that_is_said_twice_is_left_alone(tmp_path: Path) -> None:
    raw = b'{\n"servers": {},\n"servers": {}}'
    assert left_alone(tmp_path, "install", "vscode", raw, "has 'servers' twice")


def test_another_server_of_our_name_is_left_alone(tmp_path: Path) -> None:
    raw = b'{"mcpServers": {"firmly": {"command": "npx", "args": ["firmly"]}}}'
    for command in ("install", "uninstall"):
        assert left_alone(tmp_path, command, "cursor", raw, "--name")
    file = put("cursor", tmp_path, raw)
    change(tmp_path, "install", "cursor", "--name", "shop")
    change(tmp_path, "uninstall", "cursor", "--name", "shop")
    assert json.loads(file.read_bytes()) == json.loads(raw)


def test_a_change_that_would_touch_anything_else_is_refused(tmp_path: Path) -> None:
    # No number of plain JSON is as large.
    raw = b'{"mcpServers": {"firmly": {"command": "/x/firmly-mcp"}}, "b": 1e999}'
    assert left_alone(tmp_path, "uninstall", "cursor", raw, "cannot be changed in this entry alone")
    # The lines of a text are no table.
    raw = b"[mcp_servers.firmly]\ncommand = '/x/firmly-mcp'\n[a]\nb = '''\n[mcp_servers.firmly]\nc\n[d]\n'''\n"
    assert left_alone(tmp_path, "uninstall", "codex", raw, "its layout does not allow it")


def test_other_servers_secrets_are_never_shown(tmp_path: Path) -> None:
    put("codex", tmp_path, layouts("codex")["comments, nested lists and long strings"])
    put("vscode", tmp_path, commented("vscode")["odd indentation and comments"])
    for host, options in product(("codex", "vscode"), (["--print"], ["--yes"], ["--print", "--json"], [])):
        done = run(tmp_path, "install", host, *options)
        assert "s3cret" not in done.stdout + done.stderr
    assert not [path for path in (tmp_path / ".local").rglob("*.json") if "s3cret" in path.read_text("utf-8")]


def test_a_program_that_asked_for_json_gets_nothing_else(tmp_path: Path) -> None:
    done = run(tmp_path, "install", "cursor", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Nothing was written")


def test_without_a_terminal_and_without_yes_nothing_is_written_and_both_ways_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "install", "cursor")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert "--print" in done.stderr
    assert not file_of("cursor", tmp_path).exists()


def test_print_shows_what_would_be_written_and_which_version_and_writes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "install", "cursor", "--print")
    assert done.returncode == 0
    assert '+   "command": ' in done.stdout
    assert __version__ in done.stdout
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_a_person_is_shown_the_change_and_asked(tmp_path: Path, answer: str, *, written: bool) -> None:
    with at_a_terminal("install", "cursor", environment=environment(tmp_path, TERM="xterm")) as terminal:
        terminal.until('+ "firmly": {')
        terminal.answer("Write this?", answer)
        assert terminal.end() == (0 if written else 1)
    assert file_of("cursor", tmp_path).exists() is written


def test_a_file_that_changes_while_a_person_thinks_is_not_written_over(tmp_path: Path) -> None:
    file = put("cursor", tmp_path, b"{}")
    with at_a_terminal("install", "cursor", environment=environment(tmp_path, TERM="xterm")) as terminal:
        terminal.until("Write this?")
        file.write_bytes(b'{"by": "somebody else"}')
        terminal.type("y\n")
        assert terminal.end() == 1
    assert "changed since it was shown" in terminal.lines
    assert file.read_bytes() == b'{"by": "somebody else"}'


def test_a_person_is_told_what_is_left_to_do_and_how_to_undo_it(tmp_path: Path) -> None:
    shown = run(tmp_path, "install", "codex", "--yes").stdout
    for command in ("addresses add", "cards add", "uninstall codex"):
        assert re.search(rf"/\S+ (-m firmly_mcp )?{command}", shown)
    assert "rules accept" not in shown
    steps = change(tmp_path, "install", "codex", FIRMLY_MCP_ENVIRONMENT="sandbox", FIRMLY_APP_ID="app-1")["next"]
    assert [step["command"].rsplit(" ", 2)[1:] for step in steps][-1] == ["rules", "accept"]
    assert all("FIRMLY_APP_ID=app-1" in step["command"] for step in steps)


def test_a_wrong_setting_is_told_before_anything_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "install", "cursor", "--yes", FIRMLY_MCP_ENVIRONMENT="sandbox")
    assert done.returncode == 1
    assert "FIRMLY_APP_ID" in done.stderr
    assert not file_of("cursor", tmp_path).exists()


@pytest.mark.parametrize("wrong", [[], ["cursor", "--list"], ["--name", "a b", "cursor"], ["emacs"]])
def test_wrong_usage_is_exit_2(tmp_path: Path, wrong: list[str]) -> None:
    assert run(tmp_path, "install", *wrong).returncode == 2


def test_the_list_says_which_hosts_are_here_and_what_they_start(tmp_path: Path) -> None:
    put("vscode", tmp_path, b"{")
    put("cursor", tmp_path, b'{"mcpServers": {"firmly": {"command": "npx"}}}')
    change(tmp_path, "install", "codex")
    rows: list[dict[str, Any]] = json.loads(run(tmp_path, "install", "--list", "--json").stdout)
    by_name = {row["host"]: row for row in rows}
    assert list(by_name) == list(CLIENTS)
    assert by_name["codex"]["installed"].endswith("serve")
    assert by_name["cursor"]["installed"] == "another server"
    assert by_name["vscode"]["installed"] == "its file cannot be read"
    assert [by_name[name]["found"] for name in ("codex", "gemini-cli", "claude-code")] == ["yes", "no", "no"]
