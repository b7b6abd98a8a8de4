"""A host as rooms in this process, over a wallet in memory that outlives them as a keyring would."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from firmly_mcp.api.transport import Http
from firmly_mcp.app import DRAIN_SECONDS, Services, open_services
from firmly_mcp.checkout.models import Approval, ApprovalStatus, Item, OrderIntent
from firmly_mcp.errors import FirmlyError
from firmly_mcp.server.views.orders import OrderView
from firmly_mcp.server.views.view import ErrorView
from firmly_mcp.settings import Owner, Settings
from firmly_mcp.wallet.keychain import Secrets
from firmly_mcp.wallet.wallet import Wallet
from tests.proofs import until_recorded

from .scene import Answer, Filled, Gone, Tool
from .wishes import Wished

ENVIRONMENT: Final = "simulator"
SHOPPER: Final = "soak"
RULES: Final = """\
[USD]
ask_above = "100000000"
ask_above_a_day = "100000000000"
"""
OUTCOME_SECONDS: Final = 30.0
PAUSE: Final = 0.001
# Loopback speaks no TLS; reading the system's certificates anew for every host takes longer than a purchase.
NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Clock:
    """The machine's time, and what was added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC) + self.ahead


class Rooms:
    """One host's rooms over a wallet in memory, which outlives them as a keyring would."""

    def __init__(
        self,
        settings: Settings,
        keychain: Secrets,
        now: Callable[[], datetime],
        client: Callable[[], Http] = lambda: Http(verify=NO_CERTIFICATES),
    ) -> None:
        self._settings = settings
        self._keychain = keychain
        self._now = now
        self._client = client
        self._opened: AbstractAsyncContextManager[Services] | None = None
        self._calls: set[asyncio.Task[Answer]] = set()
        self._services: Services | None = None

    @property
    def services(self) -> Services:
        """The rooms, while they are open."""
        assert self._services is not None, "the rooms are closed"
        return self._services

    async def open(self) -> None:
        """Open them as a starting server does."""
        self._opened = open_services(self._settings, now=self._now)
        self._services = await self._opened.__aenter__()
        rooms: Any = self._services.firmly._make
        rooms.__self__._http._made = self._client()
        self._services.vault._made = vault_over(self._keychain, self._settings, self._now)
        placement = await self._services.placement()
        placement._deps = replace(placement._deps, security_code=_security_code)

    async def close(self) -> None:
        """Close them as a server does that ends in peace."""
        opened, services, self._opened, self._services = self._opened, self._services, None, None
        if opened is not None and services is not None:
            await opened.__aexit__(None, None, None)
            await self._http(services).aclose()

    async def kill(self) -> None:
        """Drop calls and sends where they are: locks go, rows stay as they were. Then let go of sockets and files."""
        placement = await self.services.placement()
        doomed = [*self._calls, *placement._executor._tasks]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        await self.close()

    @staticmethod
    def _http(services: Services) -> Http:
        rooms: Any = services.firmly._make
        http = rooms.__self__._http.made
        assert isinstance(http, Http)
        return http

    async def fill(self, wish: Wished) -> Filled:
        """Put the wish alone into the cart; an agent repeats a change only where its answer allows that."""
        firmly, vault = await self.services.firmly(), await self.services.vault()
        store, ref = wish.aisle.store, {"variant_id": wish.aisle.sku}
        try:
            address = (await vault.address(None)).as_firmly()
            with suppress(FirmlyError):
                await firmly.clear_cart(store)
            try:
                await firmly.add_line_item(store, ref, wish.quantity)
            except FirmlyError as error:
                if error.retry_safe:
                    await firmly.add_line_item(store, ref, wish.quantity)
            cart = await firmly.set_shipping_info(store, address)
        except FirmlyError:
            return Filled(None)
        quantity = sum(line.quantity or 0 for line in cart.line_items)
        return Filled(cart.total.amount if quantity == wish.quantity and cart.total else None, quantity)

    async def empty(self, wish: Wished) -> bool:
        """Empty the cart."""
        try:
            await (await self.services.firmly()).clear_cart(wish.aisle.store)
        except FirmlyError:
            return False
        return True

    async def order_and_leave(self, wish: Wished, tool: Tool, max_total: Decimal) -> Answer | None:
        """Order, and close the rooms while the order is on its way."""
        call = asyncio.create_task(self.order(wish, tool, max_total))
        services = self.services
        placement = await services.placement()
        while not call.done() and not placement._executor._live:
            await asyncio.wait([call], timeout=PAUSE)
        await placement.drain(DRAIN_SECONDS)
        answer = await call
        await self.close()
        return answer

    async def order(self, wish: Wished, tool: Tool, max_total: Decimal, *, repeat: bool = False) -> Answer:
        """Order, and follow the attempt to its end."""
        call = asyncio.create_task(self._ordered(wish_of(wish, tool, repeat=repeat), max_total))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if call.cancelled():
                raise Gone from None
            raise

    async def status(self, attempt: str) -> Answer:
        """The attempt as it now stands."""
        found = await (await self.services.placement()).attempt(attempt)
        assert found is not None, attempt
        return Answer(OrderView.of(found, environment=ENVIRONMENT, joined=False).structured())

    async def _ordered(self, wish: OrderIntent, max_total: Decimal) -> Answer:
        placement = await self.services.placement()
        try:
            answer = await placement.place(wish, max_total=max_total)
        except FirmlyError as error:
            return Answer(ErrorView.of(error).structured())
        if isinstance(answer, Approval):
            question = answer
            if question.status is not ApprovalStatus.OPEN:
                return Answer(OrderView.unanswered(question, environment=ENVIRONMENT).structured())
            return Answer(OrderView.asking(question, environment=ENVIRONMENT, command="").structured())
        async with asyncio.timeout(OUTCOME_SECONDS):
            await until_recorded(placement, answer)
        return await self.status(answer.id)


def wish_of(wish: Wished, tool: Tool, *, repeat: bool = False) -> OrderIntent:
    """The wish as an order call has it."""
    items = None if tool == "complete_order" else (Item(wish.aisle.sku, wish.quantity),)
    return OrderIntent(wish.aisle.store, items, repeat=repeat)


def settings_in(folder: Path, rules: str, shopper: str = SHOPPER) -> Settings:
    """Settings whose every path is in the folder. Where a command is named, no process is ever started for it."""
    (folder / "rules.toml").write_text(rules, "utf-8")
    return Settings(
        environment=ENVIRONMENT,
        shopper=shopper,
        data_dir=folder / "data",
        rules_file=folder / "rules.toml",
        cvv_command=("printf", "123"),
    )


def vault_over(keychain: Secrets, settings: Settings, now: Callable[[], datetime]) -> Wallet:
    """The wallet of these settings in a keyring."""
    return Wallet(keychain, Owner(ENVIRONMENT, settings.shopper), settings.data_dir / "locks", now)


async def _security_code() -> SecretStr:
    return SecretStr("123")
