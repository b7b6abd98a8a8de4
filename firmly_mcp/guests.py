"""Connections to a port that every program of this machine can reach: those that showed no secret are few and brief.

A guest is a connection that has shown neither a token nor the link or cookie of a page. It has some seconds to show
one; of too many guests, the one that came first has to go. A connection that has shown a secret is no guest any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST: Final = 64
SECONDS: Final = 10.0
# Where a request's scope names the connection that it came over.
_CONNECTION: Final = "firmly_mcp.connection"


class Guests:
    """The guests of one port, in the order in which they came."""

    def __init__(self, *, most: int = MOST, seconds: float = SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._guests: dict[Connection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def come(self, guest: Connection) -> None:
        """Take a guest in; the first one goes if there are too many."""
        while len(self._guests) >= self._most:
            self._turn_out(next(iter(self._guests)))
        timer = asyncio.get_running_loop().call_later(self._seconds, self._turn_out, guest)
        self._guests[guest] = timer

    def leave(self, guest: Connection) -> None:
        """It is gone, or has shown a secret."""
        timer = self._guests.pop(guest, None)
        if timer is not None:
            timer.cancel()

    def _turn_out(self, guest: Connection) -> None:
        self.leave(guest)
        guest.transport.abort()


class Connection(H11Protocol):
    """uvicorn's connection, which is a guest until a request over it has shown a secret."""

    guests: ClassVar[Guests]

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], **more: Any) -> None:
        super().__init__(config, server_state, {**app_state, _CONNECTION: self}, **more)

    @classmethod
    def to(cls, guests: Guests) -> type[Self]:
        """The kind of connection that one port has."""
        return type(cls.__name__, (cls,), {"guests": guests})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.guests.come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guests.leave(self)
        super().connection_lost(exc)


def secret_shown(scope: Mapping[str, Any]) -> None:
    """Note that the request of this scope has shown a secret: its connection is no guest any more."""
    connection = scope.get("state", {}).get(_CONNECTION)
    if isinstance(connection, Connection):
        connection.guests.leave(connection)
