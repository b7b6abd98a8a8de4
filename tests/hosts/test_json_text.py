"""Editing JSON by position: whatever its layout, one member changes and every other byte that means something stays."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmly_mcp.hosts.json_text import plain, with_member, without_member
from firmly_mcp.hosts.jsonc import Malformed, read
from firmly_mcp.hosts.undo import Written

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
OBJECTS = st.dictionaries(st.text() | st.sampled_from(["servers", "firmly"]), VALUES, max_size=4)
# What may stand between any two tokens.
BLANKS = st.sampled_from(
    ["", "", " ", "\n", "\n    ", "\r\n\t", " // one\n", "/* two */", "\n/* three\n */ ", " // four, }\r\n  "]
)
ENTRY = {"command": "/a b/firmly-mcp", "args": ["serve"], "env": {"X": 'ü "quoted" \\'}}
# On a machine that is busy with other tests nothing is wrong with an example that takes long.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATH = ("servers", "firmly")


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A text with comments and odd blanks, and what it says; its list of servers, where it has one, is an object."""
    said = draw(OBJECTS)
    if "servers" in said or draw(st.booleans()):
        said["servers"] = draw(OBJECTS.map(lambda servers: {k: v for k, v in servers.items() if k != "firmly"}))
    return draw(BLANKS) + _laid_out(draw, said) + draw(BLANKS), said


def _laid_out(draw: st.DrawFn, value: Any) -> str:
    if isinstance(value, dict):
        parts = [
            f"{draw(BLANKS)}{json.dumps(name)}{draw(BLANKS)}:{draw(BLANKS)}{_laid_out(draw, each)}{draw(BLANKS)}"
            for name, each in value.items()
        ]
        return f"{{{_joined(draw, parts)}}}"
    if isinstance(value, list):
        return f"[{_joined(draw, [draw(BLANKS) + _laid_out(draw, each) + draw(BLANKS) for each in value])}]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def _joined(draw: st.DrawFn, parts: list[str]) -> str:
    trailing = draw(st.sampled_from(["", ","])) if parts else ""
    return ",".join(parts) + trailing + draw(BLANKS)


def comments(text: str) -> list[str]:
    """The comments, in order; what looks like one in a string is none."""
    found = re.findall(r'"(?:[^"\\]|\\.)*"|(//[^\r\n]*|/\*.*?\*/)', text, re.DOTALL)
    return [each for each in found if each]


@UNHURRIED
@given(value=VALUES, ascii_only=st.booleans())
def test_plain_json_reads_as_the_standard_library_reads_it(value: Any, *, ascii_only: bool) -> None:
    node = read(json.dumps(value, ensure_ascii=ascii_only, indent=1))
    assert node is not None
    assert node.value == value


@UNHURRIED
@given(documents())
def test_a_text_says_the_same_whatever_its_layout(document: tuple[str, dict[str, Any]]) -> None:
    text, said = document
    assert plain(text) == said


@UNHURRIED
@given(documents())
def test_a_member_is_added_and_nothing_else_changes(document: tuple[str, dict[str, Any]]) -> None:
    text, said = document
    after = with_member(text, PATH, ENTRY)
    assert plain(after) == said | {"servers": said.get("servers", {}) | {"firmly": ENTRY}}
    assert comments(after) == comments(text)


@UNHURRIED
@given(documents())
def test_a_member_that_was_added_is_taken_out_to_the_byte(document: tuple[str, dict[str, Any]]) -> None:
    text, _ = document
    after = with_member(text, PATH, ENTRY)
    written = Written.between(text, after)
    assert not written.inserted or written.taken_out(after) == text


@UNHURRIED
@given(documents())
def test_most_members_are_added_by_one_insertion(document: tuple[str, dict[str, Any]]) -> None:
    text, _ = document
    written = Written.between(text, with_member(text, PATH, ENTRY))
    assert written.inserted
    assert not written.replaced.strip()


@UNHURRIED
@given(documents())
def test_a_member_is_set_anew_in_its_place(document: tuple[str, dict[str, Any]]) -> None:
    text, said = document
    twice = with_member(with_member(text, PATH, ENTRY), (*PATH, "args"), ["a", "b"])
    assert plain(twice)["servers"]["firmly"] == ENTRY | {"args": ["a", "b"]}
    assert {**plain(twice), "servers": 0} == {**said, "servers": 0}
    assert comments(twice) == comments(text)


@UNHURRIED
@given(documents(), st.data())
def test_any_member_can_be_removed_and_the_others_stay(
    document: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    text, said = document
    if not said:
        assert without_member(text, PATH) == text
        return
    name = data.draw(st.sampled_from(sorted(said)))
    try:
        left = plain(without_member(text, (name,)))
    except Malformed:
        # A comment to the end of a line, and what follows it there: whoever edits reads back, and refuses.
        assert "//" in text
        return
    assert left == {each: value for each, value in said.items() if each != name} or "//" in text


def test_a_comment_behind_the_brace_swallows_no_member() -> None:
    text = '{"servers":{ // one\n"a":1, "b":2 // two\n}}'
    assert plain(with_member(text, PATH, {})) == {"servers": {"a": 1, "b": 2, "firmly": {}}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1}}', 1),
        ("{\n'a': 1}", 2),
        ('{\n"a" 1}', 2),
        ('{"a": 1\n"b": 2}', 2),
        ('{"a": "x\n"}', 1),
        ('{"a": "\\x"}', 1),
        ('{"a": 01}', 1),
        ('{"a": NaN}', 1),
        ('{"a": tru}', 1),
        ('{"a": 1,, }', 1),
        ("{,}", 1),
        ("[1 2]", 1),
        ('{"a": 1} /* never ends', 1),
        ("{\n\n", 3),
        ("{" * 3 + '"a":' + "[" * 200, 1),
        ('{"a": ' + "9" * 5000 + "}", 1),
    ],
)
def test_what_is_no_json_says_the_line(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        plain(text)
    assert caught.value.line == line


@UNHURRIED
@given(st.text(alphabet='{}[]",:/*\\\n\r\t 01-eE.truefalsn\ufeffé'))
def test_any_text_is_read_or_refused(text: str) -> None:
    node, line = None, None
    try:
        node = read(text)
    except Malformed as error:
        line = error.line
    if line is not None:
        assert 1 <= line <= text.count("\n") + 1
    elif node is None:
        assert not re.sub(r"//[^\r\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip(" \t\r\n")
