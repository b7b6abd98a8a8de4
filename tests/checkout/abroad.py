"""A shop outside the simulator environment: a `custom` one whose hosts are a simulator's. Its keyring is a real one.

What counts here, counts as it would where money moves: nothing is ordered before a person accepted it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from firmly_mcp.app import Services, open_services
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent, State
from firmly_mcp.checkout.policy.acceptance import AcceptedSettings
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.cards import new_card
from firmly_mcp.wallet.memory import TEST_NUMBER
from firmly_mcp.wallet.pin import Cost
from tests.proofs import BY_PERSON, until_recorded, with_pin
from tests.shop import CVV_COMMAND, STORE, TEE
from tests.wallet.samples import an_address

PIN = SecretStr("tulip 47")
CODE = SecretStr("123")
CART = OrderIntent(STORE)
ITEMS = OrderIntent(STORE, (Item(TEE, 2),))


@dataclass
class Abroad:
    """A person's settings and files, and the simulator that judges what was sent."""

    settings: Settings
    simulator: Simulator

    def rules(self, text: str) -> None:
        """Write the rules file."""
        self.settings.rules_file.write_text(text, "utf-8")

    @asynccontextmanager
    async def rooms(self, **changes: Any) -> AsyncIterator[Services]:
        """The rooms of one program, with some settings changed since they were accepted."""
        async with open_services(self.settings.model_copy(update=changes)) as services:
            # What makes guessing slow is not what these tests are about.
            (await services.vault()).pin._cost = Cost(n=2, r=1, p=1)
            yield services

    async def accept(self, services: Services, pin: SecretStr = PIN) -> AcceptedSettings:
        """A person looks at what counts, and accepts all of it."""
        vault, accepted = await services.vault(), await services.accepted()
        if not await vault.pin.is_set():
            await vault.pin.set(PIN, BY_PERSON)
        await accepted.accept(await accepted.standing(), with_pin(pin))
        return accepted

    async def fill_cart(self, services: Services, quantity: int = 2) -> None:
        """The shopper's own cart with the radiant tee and an address."""
        firmly = await services.firmly()
        await firmly.add_line_item(STORE, {"variant_id": TEE}, quantity)
        await firmly.set_shipping_info(STORE, (await (await services.vault()).address(None)).as_firmly())

    def nothing_was_paid(self) -> bool:
        """Whether not one sealed card, and not even a question for the payment key, reached the payment host."""
        asked = [request.path for request in self.simulator.requests if "/payment/" in request.path]
        return not asked and not self.simulator.books.charges

    def orders_sent(self) -> int:
        """How many order requests reached the simulator."""
        return sum(request.path.endswith("-order") for request in self.simulator.requests)


@asynccontextmanager
async def open_abroad(directory: Path, **settings: Any) -> AsyncIterator[Abroad]:
    """A shopper with a test card and an address, who has accepted nothing and set no PIN. A real keyring is needed."""
    (directory / "rules.toml").touch()
    async with Simulator() as simulator:
        abroad = Abroad(
            Settings(
                environment="custom",
                api_url=simulator.api_url,
                payment_url=simulator.payment_url,
                app_id=simulator.app_id,
                shopper=f"t{abs(hash(directory))}",
                data_dir=directory / "data",
                rules_file=directory / "rules.toml",
                cvv_command=CVV_COMMAND,
                **settings,
            ),
            simulator,
        )
        async with abroad.rooms() as services:
            vault = await services.vault()
            await vault.add_own_address(an_address(label="home"), BY_PERSON)
            await vault.add_card(
                new_card(
                    label="test-visa", number=SecretStr(TEST_NUMBER), name="Ana Lima", month="12",
                    year=str(vault.now().year + 3), billing_address="home", environment="custom", now=vault.now(),
                )
            )  # fmt: skip
        yield abroad


async def placed(services: Services, answer: Attempt | Approval) -> bool:
    """Whether this became an order; waits for its end."""
    assert isinstance(answer, Attempt), answer
    with anyio.fail_after(30):
        await until_recorded(await services.placement(), answer)
    attempt = await (await services.placement()).attempt(answer.id)
    assert attempt is not None
    return attempt.state is State.PLACED
