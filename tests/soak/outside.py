"""Hosts as processes: the real server over stdio, with a real keyring on a private bus, ended by SIGKILL.

The simulator runs in this process, in the servers' data directory: it outlives them, and its books can be read.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from queue import Empty
from typing import Any, Final

from firmly_mcp.app import JOURNAL, Services, open_services, simulator_dir
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.wallet.keychain import Keychain
from firmly_mcp.wallet.memory import fill
from tests.raw_server import RawServer, environment
from tests.secret_service import private_bus, secret_service
from tests.shop import announce

from .rooms import settings_in, vault_over
from .scene import Answer, Filled, Gone, Tool
from .wishes import Aisle, Wished, amount_of, open_aisles, stores

BUS: Final = "DBUS_SESSION_BUS_ADDRESS"
NEEDED: Final = ("dbus-daemon", "gnome-keyring-daemon")


class Killable(RawServer):
    """A server whose output may end in the middle of a line."""

    def _read_output(self) -> None:
        try:
            super()._read_output()
        except json.JSONDecodeError:
            if self.process.poll() is None:
                raise

    def end(self) -> None:
        """Kill it where it is, and let go of its pipes."""
        self.process.kill()
        self.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


class Process:
    """One server process, and its successor after a kill."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._server: Killable | None = None

    async def start(self) -> None:
        """Start one and shake hands, unless one is running."""
        if self._server is None:
            server = await asyncio.to_thread(Killable, self._variables, forked=True)
            await asyncio.to_thread(server.initialize)
            self._server = server

    async def kill(self) -> None:
        """SIGKILL."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.end)

    async def fill(self, wish: Wished) -> Filled:
        """Put the wish alone into the cart; an agent repeats a change only where its answer allows that."""
        store, quantity = wish.aisle.store, wish.quantity
        await self._call("clear_cart", store=store)
        for _ in range(2):
            added = await self._call("add_line_item", store=store, ref=wish.aisle.sku, quantity=quantity)
            if "code" not in added or not added.get("retry_safe"):
                break
        cart = await self._call("set_shipping_info", store=store)
        there = sum(line["quantity"] for line in cart.get("lines", ()))
        return Filled(amount_of(cart.get("total")) if there == quantity else None, there)

    async def empty(self, wish: Wished) -> bool:
        """Call clear_cart."""
        return "code" not in await self._call("clear_cart", store=wish.aisle.store)

    async def order_and_leave(self, wish: Wished, tool: Tool, max_total: Decimal) -> Answer | None:
        """Call an order tool, and end the server's input at once."""
        server = self._server
        assert server is not None
        arguments = _arguments(wish, tool, max_total)
        number = await asyncio.to_thread(server.begin, "tools/call", server.calling(tool, **arguments))
        self._server = None
        await asyncio.to_thread(server.close_input)
        answers = [json.loads(line) for line in server.lines]
        answer = next((answer for answer in answers if answer.get("id") == number), None)
        server.end()
        if answer is None:
            return None
        return Answer(_content(answer["result"]) if "result" in answer else {"code": "protocol_error"})

    async def order(self, wish: Wished, tool: Tool, max_total: Decimal) -> Answer:
        """Call an order tool."""
        return Answer(await self._call(tool, **_arguments(wish, tool, max_total)))

    async def status(self, attempt: str) -> Answer:
        """Call get_order_status; what it says of the attempt."""
        found = await self._call("get_order_status", attempt=attempt)
        return Answer(found.get("attempt", found))

    async def _call(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        server = self._server
        if server is None:
            raise Gone
        try:
            result = await asyncio.to_thread(_answered, server, tool, arguments)
        except (Empty, OSError, ValueError) as error:
            if server is not self._server:
                raise Gone from None
            raise RuntimeError(f"{tool} was not answered ({error!r}): {b''.join(server.errors)!r}") from error
        return _content(result)


class Outside:
    """The scene of it."""

    def __init__(self, settings: Settings, simulator: Simulator, person: Services, hosts: list[Process]) -> None:
        self.simulator = simulator
        self.journal = settings.data_dir / JOURNAL
        self.person = person
        self._hosts = hosts

    async def host(self, number: int) -> Process:
        """A host, started where it was killed."""
        await self._hosts[number].start()
        return self._hosts[number]

    async def later(self) -> None:
        """The machine's clock goes as it goes."""


def _arguments(wish: Wished, tool: Tool, max_total: Decimal) -> dict[str, Any]:
    items = [{"ref": wish.aisle.sku, "quantity": wish.quantity}]
    named: dict[str, Any] = {} if tool == "complete_order" else {"items": items}
    return {"store": wish.aisle.store, "max_total": str(max_total), **named}


def _content(result: Mapping[str, Any]) -> Mapping[str, Any]:
    content = result.get("structuredContent")
    return content if isinstance(content, dict) else {"code": json.dumps(result)}


def _answered(server: Killable, tool: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
    """Call a tool, and wait as long as a host would, but not for a process that is gone."""
    number = server.begin("tools/call", server.calling(tool, **arguments))
    while True:
        try:
            answer = server._answers.get(timeout=0.5)
        except Empty:
            if server.process.poll() is not None:
                raise
            continue
        if answer.get("id") == number:
            result: Mapping[str, Any] = answer["result"]
            return result


@asynccontextmanager
async def outside(folder: Path, rules: str) -> AsyncIterator[tuple[Outside, list[Aisle]]]:
    """The stage in a folder, with rules of its own."""
    settings = settings_in(folder, rules)
    with _keyring() as bus:
        vault = vault_over(Keychain(), settings, lambda: datetime.now(UTC))
        async with Simulator(simulator_dir(settings), stores=stores()) as simulator:
            announce(simulator_dir(settings), simulator)
            await fill(vault)
            aisles = open_aisles(simulator)
            hosts = [Process(_variables(folder, settings, bus)) for _ in range(2)]
            try:
                async with open_services(settings) as person:
                    yield Outside(settings, simulator, person, hosts), aisles
            finally:
                for host in hosts:
                    await host.kill()


def _variables(folder: Path, settings: Settings, bus: str) -> dict[str, str]:
    config = folder / "config.toml"
    config.write_text(f"cvv_command = {json.dumps(list(settings.cvv_command))}\n", "utf-8")
    named = {
        "FIRMLY_MCP_CONFIG": str(config),
        "FIRMLY_MCP_DATA_DIR": str(settings.data_dir),
        "FIRMLY_MCP_RULES": str(settings.rules_file),
        "FIRMLY_MCP_SHOPPER": settings.shopper,
    }
    return environment(folder, bus, **named)


@contextmanager
def _keyring() -> Iterator[str]:
    """A keyring daemon on a bus of its own, which is this process's session bus meanwhile."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        sys.exit(f"The soak needs {' and '.join(missing)}; --in-process needs nothing.")
    before = os.environ.get(BUS)
    with private_bus() as bus, secret_service(bus, lasting=True):
        os.environ[BUS] = bus.address
        try:
            yield bus.address
        finally:
            if before is None:
                del os.environ[BUS]
            else:
                os.environ[BUS] = before
