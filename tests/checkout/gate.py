"""A shop at which nothing is bought unless somebody says yes, for tests of who may say it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.app import Services, open_services, simulator_dir
from firmly_mcp.checkout.flow import Checkout, Review
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.memory import MemoryKeychain, fill
from firmly_mcp.wallet.wallet import Wallet
from tests.checkout.journal.test_journal import Clock
from tests.proofs import BY_PERSON, until_recorded
from tests.shop import CVV_COMMAND, STORE, TEE, announce

CODE = SecretStr("123")
CART = OrderIntent(STORE)
ITEMS = OrderIntent(STORE, (Item(TEE, 2),))
BOTH = pytest.mark.parametrize("wish", [CART, ITEMS], ids=["complete", "place"])
ALLOW = '[USD]\nask_above = "1000"\nask_above_a_day = "5000"\n'
MUCH = Decimal(1000)


@dataclass
class Gate:
    """A shop whose rules a test writes, on a clock that it moves, with a wallet in memory.

    `placement` is one program's; `another` opens the rooms of a second one beside it.
    """

    settings: Settings
    simulator: Simulator
    clock: Clock
    keychain: MemoryKeychain = field(default_factory=MemoryKeychain)
    services: Services = field(init=False)
    placement: Checkout = field(init=False)

    def rules(self, text: str) -> None:
        """Write the rules file."""
        self.settings.rules_file.write_text(text, "utf-8")

    def orders_sent(self) -> int:
        """How many order requests reached the simulator, ever."""
        return sum(request.path.endswith("-order") for request in self.simulator.requests)

    @property
    def charges(self) -> list[int]:
        """What was charged, in cents."""
        return [charge.amount for charge in self.simulator.books.charges]

    def kept_devices(self) -> list[str]:
        """The keyring's entries that belong to one attempt."""
        return [name for name in self.keychain._secrets if "att_" in name]

    @asynccontextmanager
    async def rooms(self, settings: Settings | None = None) -> AsyncIterator[Services]:
        """The rooms of one program, over the wallet that all share."""
        used = settings or self.settings
        async with open_services(used, now=self.clock) as services:
            services.vault._made = Wallet(self.keychain, used.owner, used.data_dir / "locks", self.clock)
            yield services

    @asynccontextmanager
    async def another(self, **settings: Any) -> AsyncIterator[Checkout]:
        """The placement of another program."""
        async with self.rooms(self.settings.model_copy(update=settings)) as services:
            yield await services.placement()

    async def fill_cart(self, quantity: int = 2) -> None:
        """The shopper's own cart with the radiant tee and an address."""
        firmly = await self.services.firmly()
        await firmly.add_line_item(STORE, {"variant_id": TEE}, quantity)
        address = await (await self.services.vault()).address(None)
        await firmly.set_shipping_info(STORE, address.as_firmly())

    async def asked(self, wish: OrderIntent) -> Approval:
        """The question that an order becomes."""
        answer = await self.placement.place(wish)
        assert isinstance(answer, Approval)
        return answer

    async def reviewed(self, wish: OrderIntent) -> Review:
        """What a person is shown of an order."""
        return await self.placement.review((await self.asked(wish)).id)

    async def bought(self, wish: OrderIntent) -> Attempt:
        """An order that a person said yes to."""
        return await self.ended(await self.placement.approve(await self.reviewed(wish), CODE, BY_PERSON))

    async def ended(self, placing: Attempt, at: Checkout | None = None) -> Attempt:
        """Wait for the outcome, and read it as anyone later would, in the program that sends it."""
        with anyio.fail_after(30):
            await until_recorded(at or self.placement, placing)
        attempt = await (at or self.placement).attempt(placing.id)
        assert attempt is not None
        return attempt


@asynccontextmanager
async def open_gate(directory: Path, keychain: MemoryKeychain | None = None, **settings: Any) -> AsyncIterator[Gate]:
    """A gate without rules, whose shopper has a test card, an address and an empty cart."""
    chosen = {"open_pages": False, **settings}
    (directory / "rules.toml").touch()
    made = Settings(environment="simulator", data_dir=directory / "data", rules_file=directory / "rules.toml", **chosen)
    folder = simulator_dir(made)
    async with Simulator(folder) as simulator:
        announce(folder, simulator)
        gate = Gate(made, simulator, Clock(), keychain or MemoryKeychain())
        async with gate.rooms() as services:
            await fill(await services.vault())
            gate.services, gate.placement = services, await services.placement()
            yield gate


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """A gate with two tees in the cart, 53.40 USD in all."""
    async with open_gate(tmp_path, cvv_command=CVV_COMMAND) as opened:
        await opened.fill_cart()
        yield opened
