"""A shop with pages: the simulator, a wallet in a real keyring, an assistant that asks, a browser to answer in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from firmly_mcp.app import Services, open_services, simulator_dir
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Approval, Item, OrderIntent
from firmly_mcp.pages.server import Pages
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.stream import Gate
from firmly_mcp.wallet.memory import fill
from tests.shop import STORE, TEE, announce

CODE = "739"


class Clock:
    """The machine's clock, which a test can set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def pass_minutes(self, minutes: int) -> None:
        """Let so much time pass."""
        self.ahead += timedelta(minutes=minutes)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Room:
    """What a person and their assistant have, and the simulator that judges."""

    services: Services
    simulator: Simulator
    placement: Checkout
    pages: Pages
    clock: Clock
    gates: list[Gate] = field(default_factory=list)

    def hold_events(self) -> Gate:
        """Hold back the events of order streams, until they are let out or the test is over."""
        self.gates.append(self.simulator.hold_events())
        return self.gates[-1]

    @property
    def charges(self) -> list[tuple[str, int]]:
        """What the simulator's books say: order number and amount in cents, each."""
        return [(charge.order_number, charge.amount) for charge in self.simulator.books.charges]

    def orders_sent(self) -> int:
        """How many order requests reached the simulator."""
        return sum(request.path.endswith("-order") for request in self.simulator.requests)

    async def fill_cart(self, quantity: int = 2, ref: str = TEE, store: str = STORE) -> None:
        """The shopper's own cart, with an address."""
        firmly = await self.services.firmly()
        await firmly.add_line_item(store, {"variant_id": ref}, quantity)
        address = await (await self.services.vault()).address(None)
        await firmly.set_shipping_info(store, address.as_firmly())

    async def asked(self, wish: OrderIntent | None = None) -> str:
        """The approval that an order of some tees needs."""
        answer = await self.placement.place(wish or OrderIntent(STORE, (Item(TEE, 2),)))
        assert isinstance(answer, Approval)
        return answer.id

    async def link(self, wish: OrderIntent | None = None) -> str:
        """The link that the person gets."""
        return await self.pages.approval_link(await self.asked(wish))


@asynccontextmanager
async def open_room(settings: Settings, **pages: Any) -> AsyncIterator[Room]:
    """A room whose shopper has a test card and an address; no rules, so that everything is asked."""
    folder, clock = simulator_dir(settings), Clock()
    async with Simulator(folder) as simulator:
        announce(folder, simulator)
        async with open_services(settings, now=clock) as services:
            await fill(await services.vault())
            placement = await services.placement()
            made = Pages(
                placement=services.placement, vault=services.vault, environment="simulator", now=clock, **pages
            )
            room = Room(services, simulator, placement, made, clock)
            try:
                yield room
            finally:
                for gate in room.gates:
                    gate.open()
                await made.close()
