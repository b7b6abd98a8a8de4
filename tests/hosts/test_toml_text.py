import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmly_mcp.hosts.jsonc import Malformed
from firmly_mcp.hosts.toml_text import plain, with_table, with_values, without_table

# On a machine that is busy with other tests nothing is wrong with an example that takes long.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATH = ("mcp_servers", "firmly")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ENTRIES = st.fixed_dictionaries(
    {"command": TEXT, "args": st.lists(TEXT, max_size=3)},
    optional={"env": st.dictionaries(TEXT, TEXT, max_size=3), "env_vars": st.lists(TEXT, max_size=3)},
)
BEFORE = st.sampled_from(
    ["", "a = 1", "a = 1\r\n", "[b]\nc = [\n  [1],\n]\n", "[mcp_servers.other]\ncommand = 'x'\n\n\n# e\n"]
)
LATER = st.sampled_from(["", "# later\n", "\n# later\n[d]\ne = 1\n", "[mcp_servers.more]\ncommand = 'y' # z\n"])


@UNHURRIED
@given(BEFORE, ENTRIES, LATER)
def test_a_table_is_added_and_removed_and_nothing_else_changes(before: str, entry: dict[str, Any], later: str) -> None:
    after = with_table(before, PATH, entry) + later
    said = plain(after)
    assert said["mcp_servers"].pop("firmly") == entry
    rest = {name: value for name, value in said.items() if value}
    left = without_table(after, PATH)
    assert {name: value for name, value in plain(left).items() if value} == rest
    assert left.count("#") == before.count("#") + later.count("#")


@UNHURRIED
@given(BEFORE, ENTRIES, ENTRIES, LATER)
def test_values_are_set_in_their_place(before: str, old: dict[str, Any], new: dict[str, Any], later: str) -> None:
    text = with_table(before, PATH, old) + later
    after = with_values(text, PATH, new)
    assert plain(after)["mcp_servers"]["firmly"] == old | new
    assert {**plain(after), "mcp_servers": 0} == {**plain(text), "mcp_servers": 0}


def test_tables_of_our_table_go_with_it_and_comments_of_the_next_stay() -> None:
    text = '[mcp_servers . "firmly"]  # ours\ncommand = "x"\n[mcp_servers.firmly.env]\nA = "b"\n\n# of c\n[c]\nd = 1\n'
    assert without_table(text, PATH) == "\n# of c\n[c]\nd = 1\n"


def test_a_table_in_braces_is_removed_from_them() -> None:
    text = 'mcp_servers = { other = { command = "x" }, firmly = { command = "y" } } # all\n'
    assert plain(without_table(text, PATH)) == {"mcp_servers": {"other": {"command": "x"}}}
    assert "# all" in without_table(text, PATH)


def test_what_is_no_toml_says_the_line() -> None:
    with pytest.raises(Malformed) as caught:
        plain("a = 1\r\nb = [\r\n")
    assert caught.value.line == 3
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads("a = 1\nb = [\n")


def test_a_value_that_is_new_has_the_line_end_of_the_others() -> None:
    after = with_values('[mcp_servers.firmly]\r\ncommand = "x"\r\n', PATH, {"env": {"A": "b"}})
    assert after == '[mcp_servers.firmly]\r\ncommand = "x"\r\nenv = {A = "b"}\r\n'
