"""Who is calling: a device by its token, a server by its secret, or anybody where the contract asks for nothing.

`x-firmly-authorization` carries either (contract 2.2, 3.2); the names of what is wrong with it differ by page (C-23).
"""

import hmac
import re
from dataclasses import replace
from typing import NamedTuple

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.calls import Call

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
BEARER = "Bearer "


class Auth(NamedTuple):
    """What an endpoint calls a missing and a bad token. Empty names: it asks for none."""

    missing: str
    invalid: str


AUTH = {
    "none": Auth("", ""),
    "token": Auth("MissingAuthHeader", "InvalidToken"),
    "session": Auth("MissingAuthHeader", "InvalidJWTToken"),
    "domains": Auth("Unauthorized", "Unauthorized"),
    "discovery": Auth("Unauthorized", "Unauthorized"),  # a server's secret will do too
    "page": Auth("MissingAuthHeader", "InvalidToken"),  # an App ID alone will do too (C-2)
}


def identified(call: Call) -> Call | Refusal:
    """The call with its device; or why there is none, which faults may hide."""
    try:
        return _identified(call)
    except Refusal as refusal:
        return refusal


def _identified(call: Call) -> Call:
    names = AUTH[call.route.auth]
    if not names.missing or (call.route.auth == "page" and _by_app_id(call)):
        return call
    header = call.headers.get("x-firmly-authorization", "")
    if call.route.auth == "discovery" and _is_server(call, header):
        return call
    if not header.removeprefix(BEARER.strip()).strip():
        raise Refusal(names.missing, "The x-firmly-authorization header is missing")
    token = _bare(header, call.world.dialect.bearer)
    if token is None:
        raise Refusal(names.invalid, "The x-firmly-authorization header has the wrong form")
    return replace(call, device=call.world.tokens.device(token, names.invalid))


def _bare(header: str, bearer: str) -> str | None:
    """The token without its prefix; None if the dialect wants the other form (C-1)."""
    prefixed = header.startswith(BEARER)
    if bearer == ("refused" if prefixed else "required"):
        return None
    return header.removeprefix(BEARER).strip()


def _by_app_id(call: Call) -> bool:
    bare = "x-firmly-authorization" not in call.headers
    return bare and call.world.dialect.pdp_by_app_id and call.headers.get("x-firmly-app-id") == call.world.app_id


def _is_server(call: Call, secret: str) -> bool:
    """Whether a server calls: it says which device it calls for, or shows the secret."""
    device = call.headers.get("x-firmly-device-id")
    knows = hmac.compare_digest(secret.encode(), call.world.server_secret.encode())
    if device is None:
        if knows:
            raise Refusal("BadRequest", "Missing x-firmly-device-id header")
        return False
    if not DEVICE_ID.fullmatch(device):
        raise Refusal("BadRequest", "Invalid format for x-firmly-device-id header")
    if not knows:
        raise Refusal("InvalidAPIToken", "The API token is missing, malformed or unknown")
    return True
