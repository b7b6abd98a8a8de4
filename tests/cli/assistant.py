"""An assistant that shops for a person: the real server over pipes, the person's wallet in the tests' keyring."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio

from firmly_mcp.app import open_services
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.settings import Settings, read_settings
from firmly_mcp.simulator import ask
from firmly_mcp.simulator.server import Joined
from firmly_mcp.wallet.jwe import PaymentKey, thumbprint
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import fill
from firmly_mcp.wallet.wallet import Wallet
from tests.raw_server import RawServer, raw_server
from tests.shop import STORE, TEE

from .person import an_environment

T = TypeVar("T")


@dataclass
class Assistant:
    """A server that runs, the environment of its person, and the simulator's books, which judge."""

    server: RawServer
    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        """The settings that the server and the person's commands have."""
        return read_settings(self.environment)

    def order(self, tool: str = "place_order", quantity: int = 2, **arguments: Any) -> dict[str, Any]:
        """Ask for an order of some tees; the tool's structured result."""
        if tool == "place_order":
            arguments["items"] = [{"ref": TEE, "quantity": quantity}]
        answer: dict[str, Any] = self.server.call(tool, store=STORE, **arguments)["structuredContent"]
        return answer

    def asked(self, **arguments: Any) -> str:
        """The approval that an order needs."""
        answer = self.order(**arguments)
        assert answer["status"] == "approval_required", answer
        return str(answer["approval"])

    def fault(self, action: str, match: str = "*_order_v2", **options: Any) -> None:
        """Let a fault strike the simulator's next order."""
        self._control("faults", {"action": action, "match": match, "options": options})

    def set_price(self, cents: int) -> None:
        """Let a tee cost so much from now on."""
        self._control("price", {"store": STORE, "sku": TEE, "cents": cents})

    def renew_payment_key(self) -> tuple[str, str]:
        """Let the payment host show another key under its old id; the thumbprints of both."""
        before = anyio.run(self._payment_key)
        self._control("rotate-key", {"same_kid": True})
        return before, anyio.run(self._payment_key)

    async def _payment_key(self) -> str:
        async with open_services(self.settings) as services:
            firmly = await services.firmly()
            key = await firmly.payment_key()
        plain = {"n": key.n or "", "e": key.e or "", "kty": key.kty or ""}
        return thumbprint(PaymentKey(firmly.session.hosts.payment, key.kid, **plain))

    def advance(self, seconds: float) -> None:
        """Let time pass for the simulator."""
        self._control("clock", {"advance_seconds": seconds})

    @property
    def charges(self) -> list[tuple[str, int]]:
        """The order numbers and amounts in the books."""
        return [(charge["order_number"], charge["amount"]) for charge in self._control("books")["charges"]]

    @property
    def orders_sent(self) -> int:
        """How many order requests reached the simulator."""
        return sum(request["path"].endswith("-order") for request in self._control("requests")["requests"])

    def with_placement(self, act: Callable[[Checkout], Awaitable[T]]) -> T:
        """Do something in rooms of this process, as another program of the same person."""

        async def run() -> T:
            async with open_services(self.settings) as services:
                return await act(await services.placement())

        return anyio.run(run)

    def open_approvals(self) -> list[str]:
        """The ids of the questions that can still be answered."""

        async def ids(placement: Checkout) -> list[str]:
            return [approval.id for approval in await placement.open_approvals()]

        return self.with_placement(ids)

    def _control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        told = json.loads((self.settings.data_dir / "simulator" / "simulator.json").read_text("utf-8"))
        return asyncio.run(ask(Joined(**told, running_here=False), path, body))


@contextmanager
def an_assistant(directory: Path, **variables: str) -> Iterator[Assistant]:
    """A server for a person with a test card and an address, whose keyring is on this process's session bus."""
    # Where the person keeps rules and settings: nowhere yet, so everything is asked.
    environment = an_environment(None, directory, FIRMLY_MCP_RULES=str(directory / "rules.toml"), **variables)
    environment["DBUS_SESSION_BUS_ADDRESS"] = os.environ["DBUS_SESSION_BUS_ADDRESS"]
    settings = read_settings(environment)
    vault = Wallet(Keychain(), settings.owner, settings.data_dir / "locks", lambda: datetime.now(UTC))
    anyio.run(fill, vault)
    with serving(environment) as assistant:
        yield assistant


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Assistant]:
    """A server for the person whose environment this is."""
    with raw_server(environment, forked=True) as server:
        server.initialize()
        yield Assistant(server, environment)
