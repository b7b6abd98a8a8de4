"""A member set or removed in a text of JSON with comments: by one insertion or by cuts, in the text's own layout."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from .jsonc import Malformed, Member, Node, line_of, member, read

_INDENT: Final = "  "
# What a line may still hold after an opening brace: blanks and a comment.
_REST_OF_LINE: Final = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/[ \t]*)?(?=\r?\n)")


def plain(text: str) -> dict[str, Any]:
    """What the text says, without places and comments; an empty text says nothing.

    Raises:
        Malformed: it is no JSON object, with the line.
    """
    node = read(text)
    if node is None:
        return {}
    if node.members is None:
        raise Malformed(line_of(text, node.start), "an object belongs here")
    return dict(node.value)


def with_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with this value at the path. Objects that the path needs are added.

    Raises:
        Malformed: it is no JSON, or something on the path is no object.
    """
    node = read(text)
    if node is None:
        return _as_whole(text, _nested(path, value))
    root = node
    for depth, name in enumerate(path):
        found = member(text, node, name)
        if found is None:
            return _inserted(text, root, node, name, _nested(path[depth + 1 :], value))
        node = found.node
    indent = _indent_at(text, node.start)
    rendered = _render(text, value, indent, _unit(text, root), flat=_is_flat(text, root))
    return text[: node.start] + rendered + text[node.end :]


def without_member(text: str, path: Sequence[str]) -> str:
    """The text without the member at this path, and with all comments that are not inside of it.

    Raises:
        Malformed: it is no JSON, or something on the path is no object.
    """
    node = read(text)
    for depth, name in enumerate(path):
        found = member(text, node, name) if node is not None else None
        if node is None or found is None:
            return text
        if depth == len(path) - 1:
            return _cut(text, node, found)
        node = found.node
    return text


def _as_whole(text: str, value: Any) -> str:
    """A document where there was none, below the comments that there may be."""
    newline = _newline(text)
    before = text.rstrip()
    rendered = json.dumps(value, ensure_ascii=False, indent=_INDENT).replace("\n", newline)
    return f"{before}{newline if before else ''}{rendered}{newline}"


def _nested(path: Sequence[str], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _inserted(text: str, root: Node, node: Node, name: str, value: Any) -> str:
    members = node.members or ()
    if not members:
        return _into_empty(text, root, node, name, value)
    last = members[-1]
    indent = _indent_if_first(text, last.start)
    own_line = f"{_newline(text)}{indent}" if indent is not None else " "
    written = _member(text, name, value, indent or "", _unit(text, root), flat=indent is None)
    after = last.node.end if last.comma is None else last.comma + 1
    if text[after : node.end - 1].strip():
        # A comment ends the object: it stays where it is, and the new member comes first.
        place = node.start + 1 if indent is None else _after_brace(text, node)
        return f"{text[:place]}{own_line}{written},{text[place:]}"
    comma, trailing = (",", "") if last.comma is None else ("", ",")
    return f"{text[:after]}{comma}{own_line}{written}{trailing}{text[after:]}"


def _into_empty(text: str, root: Node, node: Node, name: str, value: Any) -> str:
    newline, unit = _newline(text), _unit(text, root)
    outer = _indent_at(text, node.start)
    body = text[node.start + 1 : node.end - 1].rstrip()
    place = node.start + 1 + len(body)
    tail = text[place : node.end - 1]
    flat = node is not root and _is_flat(text, root)
    written = _member(text, name, value, outer + unit, unit, flat=flat)
    if flat:
        return f"{text[:place]}{written}{text[node.end - 1 :]}"
    end = tail if "\n" in tail else f"{newline}{outer}"
    return f"{text[:place]}{newline}{outer}{unit}{written}{end}{text[node.end - 1 :]}"


def _cut(text: str, node: Node, gone: Member) -> str:
    members = node.members or ()
    end = gone.node.end if gone.comma is None else gone.comma + 1
    start = gone.start
    while text[start - 1] in " \t\r\n":
        start -= 1
    place = members.index(gone)
    if gone.comma is None and place > 0:
        # The one before it is the last now.
        comma = members[place - 1].comma
        assert comma is not None
        return text[:comma] + text[comma + 1 : start] + text[end:]
    if len(members) == 1 and not text[node.start + 1 : start].strip() and not text[end : node.end - 1].strip():
        return text[: node.start + 1] + text[node.end - 1 :]
    return text[:start] + text[end:]


def _member(text: str, name: str, value: Any, indent: str, unit: str, *, flat: bool) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: {_render(text, value, indent, unit, flat=flat)}"


def _render(text: str, value: Any, indent: str, unit: str, *, flat: bool) -> str:
    if flat:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", _newline(text) + indent)


def _after_brace(text: str, node: Node) -> int:
    rest = _REST_OF_LINE.match(text, node.start + 1)
    return rest.end() if rest else node.start + 1


def _is_flat(text: str, root: Node) -> bool:
    """Whether the whole document is one line."""
    return bool(root.members) and "\n" not in text[root.start : root.end]


def _unit(text: str, root: Node) -> str:
    """What one step of indentation is, as the document's first member shows it."""
    first = root.members[0] if root.members else None
    indent = _indent_if_first(text, first.start) if first else None
    outer = _indent_at(text, root.start)
    return (indent or "").removeprefix(outer) or _INDENT


def _indent_if_first(text: str, position: int) -> str | None:
    """The blanks before this position, if they begin its line."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line if "\n" in text[:position] and not line.strip() else None


def _indent_at(text: str, position: int) -> str:
    """The indentation of the line that this position is on."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
