"""The answer to a frame that was not read: it is too long, or it is no message of the protocol.

Whoever sent it waits for an answer of the same id. The id is taken only from where it must be the frame's own: behind
nothing but plain words at its begin, or as the last word before its end.
"""

from __future__ import annotations

import json
import re
from typing import Final

from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCResponse, RequestId
from pydantic import ValidationError

from .pipes import KEPT, LONGEST_FRAME

_WORD: Final = r'"[^"\\]{0,200}"'
_ID: Final = rf'"id"\s{{0,9}}:\s{{0,9}}(?P<id>-?\d{{1,18}}|{_WORD})'
_PLAIN: Final = rf'(?:"(?:jsonrpc|method)"\s{{0,9}}:\s{{0,9}}{_WORD}\s{{0,9}},\s{{0,9}}){{0,2}}'
_AT_BEGIN: Final = re.compile(rf"\s{{0,9}}\{{\s{{0,9}}{_PLAIN}{_ID}")
_AT_END: Final = re.compile(rf"[,{{]\s{{0,9}}{_ID}\s{{0,9}}\}}\s{{0,9}}$")
_CALLS_TOOL: Final = re.compile(r'"method"\s{0,9}:\s{0,9}"tools/call"')


def refusal_of_long(head: bytes, tail: bytes) -> JSONRPCResponse | JSONRPCError:
    """The answer to a frame over the limit, by its first and its last bytes: for a call, what a model can act on."""
    begin, end = head.decode("utf-8", "replace"), tail.decode("utf-8", "replace")
    number = _id_in(begin, end)
    told = f"The message is longer than {LONGEST_FRAME} bytes, so it was not read and nothing was done."
    if number is None or not (_CALLS_TOOL.search(begin) or _CALLS_TOOL.search(end)):
        return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=INVALID_REQUEST, message=told))
    from .tool import refused

    result = refused(told).model_dump(by_alias=True, mode="json", exclude_none=True)
    return JSONRPCResponse(jsonrpc="2.0", id=number, result=result)


def refusal_of_unreadable(error: Exception) -> JSONRPCError | None:
    """The answer to a frame that is no message; None where it has no id that could be answered."""
    if not isinstance(error, ValidationError):
        return None
    for problem in error.errors(include_url=False, include_context=False)[:8]:
        found = _id_of(problem["input"])
        if found is not None:
            code = PARSE_ERROR if problem["type"] == "json_invalid" else INVALID_REQUEST
            told = ErrorData(code=code, message="The message is not one of the protocol; nothing was done.")
            return JSONRPCError(jsonrpc="2.0", id=found, error=told)
    return None


def _id_of(frame: object) -> RequestId | None:
    if isinstance(frame, str):
        return _id_in(frame[:KEPT], frame[-KEPT:])
    number = frame.get("id") if isinstance(frame, dict) and "method" in frame else None
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    return number if len(str(number)) <= 200 else None


def _id_in(begin: str, end: str) -> RequestId | None:
    found = _AT_BEGIN.match(begin) or _AT_END.search(end)
    if found is None:
        return None
    number: RequestId = json.loads(found["id"])
    return number
