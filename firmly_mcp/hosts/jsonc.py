"""JSON with comments, read with the position of everything in it.

Comments and trailing commas are read as VS Code reads them. Whoever changes a text cuts and inserts by these positions,
so whatever is not meant stays as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD: Final = re.compile(r"-?[0-9][0-9.eE+-]*|true\b|false\b|null\b")
# Deeper than any configuration, and no stack runs out.
_DEEPEST: Final = 100


class Malformed(Exception):
    """A text that is not what its name says; `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands. `members` is None for what is no object."""

    start: int
    end: int
    value: Any
    members: tuple[Member, ...] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A name with its value. `comma` is where the comma after it stands, if there is one."""

    name: str
    start: int
    node: Node
    comma: int | None


def read(text: str) -> Node | None:
    """What the text holds; None where it holds nothing but blanks and comments.

    Raises:
        Malformed: it is no JSON, with the line.
    """
    return _Reader(text).document()


def member(text: str, node: Node, name: str) -> Member | None:
    """The member of this name.

    Raises:
        Malformed: the value is no object, or says the name twice.
    """
    if node.members is None:
        raise Malformed(line_of(text, node.start), "an object belongs here")
    found = [each for each in node.members if each.name == name]
    if len(found) > 1:
        raise Malformed(line_of(text, found[1].start), f'"{name}" is said twice')
    return found[0] if found else None


def line_of(text: str, position: int) -> int:
    """The line that a position is on, counted from 1."""
    return text.count("\n", 0, position) + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def document(self) -> Node | None:
        self._skip()
        if self._at == len(self._text):
            return None
        node = self._value()
        self._skip()
        if self._at < len(self._text):
            raise self._malformed("nothing may follow here")
        return node

    def _value(self) -> Node:
        start = self._at
        head = self._text[start : start + 1]
        if head == "{":
            return self._nested(self._object)
        if head == "[":
            return self._nested(self._array)
        return Node(start, *self._scalar(_STRING if head == '"' else _WORD))

    def _nested(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._malformed(f"this is nested more than {_DEEPEST} times")
        node = read()
        self._depth -= 1
        return node

    def _scalar(self, pattern: re.Pattern[str]) -> tuple[int, Any]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._malformed("a value belongs here" if pattern is _WORD else "this string does not end")
        try:
            value = json.loads(found.group())
        except ValueError:
            raise self._malformed("this is no value") from None
        self._at = found.end()
        return self._at, value

    def _object(self) -> Node:
        start = self._at
        members: list[Member] = []
        self._step()
        while not self._ends("}"):
            members.append(self._member())
            self._between(members[-1].comma, "}")
        self._at += 1
        return Node(start, self._at, {each.name: each.node.value for each in members}, tuple(members))

    def _member(self) -> Member:
        start = self._at
        if not self._text.startswith('"', start):
            raise self._malformed('a name in "double quotes" belongs here')
        _, name = self._scalar(_STRING)
        self._skip()
        if not self._text.startswith(":", self._at):
            raise self._malformed("a colon belongs here")
        self._step()
        node = self._value()
        return Member(name, start, node, self._comma())

    def _array(self) -> Node:
        start = self._at
        values: list[Any] = []
        self._step()
        while not self._ends("]"):
            values.append(self._value().value)
            self._between(self._comma(), "]")
        self._at += 1
        return Node(start, self._at, values)

    def _comma(self) -> int | None:
        """Where the next comma stands, and go past it."""
        self._skip()
        if not self._text.startswith(",", self._at):
            return None
        at = self._at
        self._step()
        return at

    def _between(self, comma: int | None, end: str) -> None:
        if comma is None and not self._ends(end):
            raise self._malformed(f"a comma or {end} belongs here")

    def _ends(self, end: str) -> bool:
        return self._text.startswith(end, self._at)

    def _step(self) -> None:
        self._at += 1
        self._skip()

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _malformed(self, what: str) -> Malformed:
        return Malformed(line_of(self._text, self._at), what)
