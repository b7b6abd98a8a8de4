"""What a request may hold at most. It is measured before anything else reads it, and measuring ends at the limit.

A call's arguments are some hundred characters; the largest, fifty items, some ten thousand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mcp import MCPError
from mcp.types import INVALID_PARAMS

from firmly_mcp.redaction import holds_card_number

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

CHARACTERS: Final = 65_536
VALUES: Final = 2_000
DEPTH: Final = 12
_BITS: Final = 64
# What the SDK names in its error when there is nothing of that name.
_NAMED: Final = ("name", "uri")
_LONGEST_NAME: Final = 2_000
_PLAIN_NAME: Final = re.compile(r"[\x21-\x7e]+")
_TOOL_CALL: Final = "tools/call"


def excess(value: object) -> str | None:
    """What of a JSON value is over a limit, in words that hold nothing of it; None where nothing is."""
    characters = values = 0
    level: list[object] = [value]
    for _ in range(DEPTH + 1):
        below: list[object] = []
        for part in level:
            values += 1
            characters += len(part) if isinstance(part, str) else 0
            if values > VALUES or characters > CHARACTERS:
                return _over(values)
            if _is_no_number(part):
                return "a number that is too large or none"
            size = len(part) if isinstance(part, Mapping | list) else 0
            if values + len(below) + size > VALUES:
                return _over(VALUES + 1)
            if isinstance(part, Mapping):
                characters += sum(map(len, part))
                below += part.values()
            elif isinstance(part, list):
                below += part
        if not below:
            return None if characters <= CHARACTERS else _over(values)
        level = below
    return f"values that are nested more than {DEPTH} deep"


def _over(values: int) -> str:
    return f"more than {VALUES} values" if values > VALUES else f"more than {CHARACTERS} characters"


def _is_no_number(part: object) -> bool:
    if isinstance(part, float):
        return not math.isfinite(part)
    return isinstance(part, int) and part.bit_length() > _BITS


async def bound_request(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: refuse a message that is over a limit. A call's arguments are the tool's to refuse, for the model."""
    params: Mapping[str, Any] = ctx.params or {}
    if ctx.method == _TOOL_CALL:
        params = {name: value for name, value in params.items() if name != "arguments"}
    problem = _problem(params)
    if problem is None:
        return await call_next(ctx)
    if ctx.request_id is None:
        return None  # a notification has no answer
    raise MCPError(INVALID_PARAMS, f"{problem} It was not read, and nothing was done.")


def _problem(params: Mapping[str, Any]) -> str | None:
    over = excess(params)
    if over is not None:
        return f"The request holds {over}."
    for field in _NAMED:
        name = params.get(field)
        if isinstance(name, str) and not (len(name) <= _LONGEST_NAME and _PLAIN_NAME.fullmatch(name)):
            return f"`{field}` is empty, too long, or holds what no name here holds."
    said = [params.get(field) for field in (*_NAMED, "arguments", "argument")]
    return "The request holds a card number. Never send one." if holds_card_number(said) else None
