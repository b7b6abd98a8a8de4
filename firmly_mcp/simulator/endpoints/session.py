"""Sessions (contract 3.1)."""

import json

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call


def browser_session(call: Call) -> Answer:
    """A new device, or the old one's next token."""
    if call.headers.get("x-firmly-app-id") != call.world.app_id:
        raise Refusal("InvalidAppId", "Application ID is invalid or not found")
    token = _old_token(call.body)
    return Answer(call.world.tokens.create() if token is None else call.world.tokens.renew(token))


def _old_token(raw: bytes) -> str | None:
    try:
        body = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise Refusal("BadRequest", "The body is not JSON") from None
    token = body.get("access_token") if isinstance(body, dict) else None
    return token if isinstance(token, str) and token else None
