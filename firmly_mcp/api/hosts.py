"""The card goes only where it was meant to: the two real host pairs are fixed here, any other pair is `custom`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from firmly_mcp.errors import SettingsError

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an http(s) address; None for anything else, and where a user name is given."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def _refuse_unless_origin(url: str) -> None:
    origin = origin_of(url)
    if origin is None or urlsplit(url).path not in {"", "/"} or "?" in url or "#" in url:
        raise SettingsError("Firmly's address must be a host alone, such as https://api.firmly.work.")
    if origin[0] == "http" and origin[1] not in _LOOPBACK:
        raise SettingsError("Firmly's address must be https; plain http is for this machine only.")


@dataclass(frozen=True)
class Hosts:
    """Firmly's two origins: `api` for everything but the payment group, which is on `payment` (Firmly: overview).

    Raises:
        SettingsError: not an origin, or plain http to another machine.
    """

    api: str
    payment: str

    def __post_init__(self) -> None:
        for url in (self.api, self.payment):
            _refuse_unless_origin(url)
        object.__setattr__(self, "api", self.api.rstrip("/"))
        object.__setattr__(self, "payment", self.payment.rstrip("/"))


SANDBOX: Final = Hosts(api="https://api.firmly.work", payment="https://cc.firmly.work")
PRODUCTION: Final = Hosts(api="https://api.firmly.online", payment="https://cc.firmly.online")
