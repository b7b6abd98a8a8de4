"""Device sessions (contract 3): RS256 tokens of an hour, renewed up to a week past expiry, on the same device."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from jwt.types import Options

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.ids import fresh_device
from firmly_mcp.simulator.keys import from_pem, process_key
from firmly_mcp.simulator.state import Row, State

LIFETIME = timedelta(hours=1)
RENEWABLE = timedelta(weeks=1)
REMEMBERED = 4096


@dataclass(slots=True)
class Device:
    """One device: whose carts these are."""

    device_id: str
    postal_code: str = ""


class Tokens:
    """Makes tokens and knows whose they are."""

    def __init__(self, state: State, app_id: str, now: Callable[[], datetime]) -> None:
        self._state = state
        self._app_id = app_id
        self._now = now
        self._key = from_pem(state.value("token_key", process_key))
        self._public = self._key.public_key()
        self._devices = {row.id: Device(**row.body) for row in state.loaded("device")}
        self._read: OrderedDict[str, tuple[Device, float]] = OrderedDict()

    def create(self) -> dict[str, Any]:
        """A session on a new device."""
        device = Device(fresh_device())
        self._devices[device.device_id] = device
        self.keep(device)
        return self._session(device, created=True)

    def renew(self, token: str) -> dict[str, Any]:
        """A session on the old token's device, up to a week after the token expired."""
        device, expires = self._device(token, envelope="message")
        if self._now().timestamp() > expires + RENEWABLE.total_seconds():
            raise Refusal("TokenExpired", "The access token is too old to renew", envelope="message")
        return self._session(device, created=False)

    def device(self, token: str, invalid: str = "InvalidToken") -> Device:
        """Whose token this is; `invalid` is the name this endpoint has for a bad one."""
        device, expires = self._device(token, invalid)
        if self._now().timestamp() >= expires:
            raise Refusal("TokenExpired", "The access token has expired")
        return device

    def known(self, device_id: str) -> Device:
        """The device of this id."""
        return self._devices[device_id]

    def keep(self, device: Device) -> None:
        """Note that a device changed."""
        self._state.keep(Row("device", device.device_id, device))

    def _device(self, token: str, invalid: str = "InvalidToken", envelope: str | None = None) -> tuple[Device, float]:
        known = self._read.get(token)
        if known is None:
            known = self._read[token] = self._decoded(token, invalid, envelope)
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        return known

    def _decoded(self, token: str, invalid: str, envelope: str | None) -> tuple[Device, float]:
        unchecked: Options = {"verify_exp": False, "verify_iat": False}  # by the injected clock, not the machine's
        try:
            claims = jwt.decode(token, self._public, algorithms=["RS256"], options=unchecked)
            device, expires = self._devices[claims["device_id"]], float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise Refusal(invalid, "The access token is invalid", envelope=envelope) from None
        return device, expires

    def _session(self, device: Device, *, created: bool) -> dict[str, Any]:
        issued = int(self._now().timestamp())
        lifetime = int(LIFETIME.total_seconds())
        claims = {"device_id": device.device_id, "app_id": self._app_id, "exp": issued + lifetime, "iat": issued}
        return {
            "device_created": created,
            "access_token": jwt.encode(claims, self._key, algorithm="RS256"),
            "expires_in": lifetime,
            "expires": issued + lifetime,
            "device_id": device.device_id,
        }
