"""What a device has over all stores. Its calls wait for those at every store, and none begins meanwhile."""

from __future__ import annotations

from .calls import Calls
from .fields import read
from .models import Cart, carts
from .orders import ActiveDomains, PostalCode
from .session import DeviceSession


class Device:
    """Its stores, carts and postal code; `FirmlyClient` has its methods."""

    def __init__(self, session: DeviceSession, calls: Calls) -> None:
        self._locks = session.locks
        self._calls = calls
        self._carts = f"{session.hosts.api}/api/v2/carts"

    async def get_active_domains(self) -> tuple[str, ...]:
        """GET carts/active-domains: stores where this device has a cart with something in it."""
        async with self._locks.device():
            answer = await self._calls.read("GET", f"{self._carts}/active-domains")
        return read(ActiveDomains, answer.body).domains

    async def get_active_carts(self) -> tuple[Cart, ...]:
        """GET carts/active: every cart with something in it; a store that fails is missing."""
        async with self._locks.device():
            answer = await self._calls.read("GET", f"{self._carts}/active")
        return carts(answer.body)

    async def set_postal_code(self, postal_code: str) -> str | None:
        """POST carts/postal-code (Firmly: set-postal-code): shipping is computed anew in every active cart."""
        async with self._locks.device():
            url, body = f"{self._carts}/postal-code", {"postal_code": postal_code}
            changed = await self._calls.change(PostalCode, "POST", url, body, repeatable=True)
        return changed.postal_code or None
