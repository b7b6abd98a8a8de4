"""What changed since it was accepted, line by line, for a person. Nothing in a line can hide itself or others."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from firmly_mcp.checkout.policy.acceptance import RULES, Standing


def difference(standing: Standing) -> Iterator[str]:
    """Every setting and every line of the rules: `+` would count from now on, `-` counted before, the others stay."""
    settings = [name for name in standing.declared if name != RULES]
    width = max(map(len, settings))
    for name in settings:
        new = [f"{name:{width}}  {standing.declared[name] or '(not set)'}"]
        old = [f"{name:{width}}  {text or '(not set)'}" for text in _earlier(standing, name)]
        yield from changed_lines(old, new)
    yield ""
    old_rules = [line for text in _earlier(standing, RULES) for line in text.splitlines()]
    yield from changed_lines(
        old_rules, standing.declared[RULES].splitlines() or ["(no rules: every order asks a person)"]
    )


def is_partly_unknown(standing: Standing) -> bool:
    """Whether something was accepted before in words that are not known any more."""
    return not standing.is_first and any(name not in standing.before for name in standing.unaccepted)


def _earlier(standing: Standing, name: str) -> list[str]:
    """The text that counted until now; none where none did, or nobody knows which."""
    if name not in standing.unaccepted:
        return [standing.declared[name]]
    return [standing.before[name]] if name in standing.before else []


def changed_lines(old: list[str], new: list[str]) -> Iterator[str]:
    """The lines of both: `+` before those that are new, `-` before those that go, blanks before those that stay."""
    for same, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if same == "equal":
            yield from (f"  {visible(line)}" for line in new[new_from:new_to])
        else:
            yield from (f"- {visible(line)}" for line in old[old_from:old_to])
            yield from (f"+ {visible(line)}" for line in new[new_from:new_to])


def visible(line: str) -> str:
    """The line with whatever a terminal would not show, or would obey, written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
