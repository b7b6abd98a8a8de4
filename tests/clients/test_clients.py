"""Clients that nobody here wrote buy something over standard input and over HTTP; the simulator's books judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio.lowlevel
import anyio.to_thread
import pytest
from pydantic import SecretStr

from firmly_mcp.app import Services, open_services
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.server.app import TOOLS, build_server
from firmly_mcp.server.http import BearerAuth, listening_on, serving
from firmly_mcp.settings import read_settings
from firmly_mcp.simulator import AlreadyRunning, Simulator
from firmly_mcp.wallet.memory import TEST_NUMBER
from tests.foreign import NODE_LOCKS, PYTHON_LOCKS, node, node_packages, python_environment
from tests.proofs import BY_PERSON
from tests.raw_server import environment
from tests.server.test_stdio import home  # noqa: F401 - a fixture
from tests.shop import STORE, TEE

from .table import HERE, ForeignClient, clients

TOKEN: Final = "the-token-of-a-test"
ROOT: Final = Path(__file__).parents[2]
# Nobody's patience is tested here: a first start compiles what it imports.
DEADLINE: Final = 240.0
CART: Final = [
    ("search_products", {"query": "orange tee"}),
    ("add_line_item", {"store": STORE, "ref": TEE, "quantity": 2}),
    ("set_shipping_info", {"store": STORE}),
    ("complete_order", {"store": STORE, "max_total": "60.00"}),
]
ITEMS: Final = [
    ("search_products", {"query": "orange tee"}),
    ("place_order", {"store": STORE, "items": [{"ref": TEE, "quantity": 2}], "max_total": "60.00"}),
]
# Each client over both transports; one that negotiates in two ways, over each in another.
RUNS: Final = [
    pytest.param(client, transport, era, id=f"{client.script.partition('.')[0]}-{transport}-{era}")
    for client in clients()
    for transport, era in (("stdio", client.eras[0]), ("http", client.eras[-1]))
]


# The revision that a client speaks where it negotiates so.
REVISIONS: Final = {"auto": "2026-07-28", "legacy": "2025-11-25"}
_VERSION: Final = "io.modelcontextprotocol/protocolVersion"


@dataclass
class Connected:
    """What a client needs to reach a server, and then the revisions in which it spoke to it."""

    server: dict[str, Any]
    spoken: Callable[[], set[str]]
    services: Services | None = None  # where the server runs in this process


@asynccontextmanager
async def connected(transport: str, home: Path) -> AsyncIterator[Connected]:  # noqa: F811 - the fixture's value
    """A server for this person that a client can reach."""
    async with over_pipes(home) if transport == "stdio" else over_http(home) as reached:
        yield reached


@asynccontextmanager
async def over_pipes(home: Path) -> AsyncIterator[Connected]:  # noqa: F811
    """The command as a host starts it, with what the host writes kept."""
    kept = home / "written.jsonl"
    command = [str(HERE / "recording.py"), str(kept), sys.executable, "-m", "firmly_mcp", "serve", "--demo"]
    variables = environment(home, PYTHONPATH=str(ROOT), FIRMLY_MCP_OPEN_PAGES="false")

    def spoken() -> set[str]:
        messages = [json.loads(line)["params"] for line in kept.read_bytes().splitlines() if b'"params"' in line]
        in_envelopes = {message.get("_meta", {}).get(_VERSION) for message in messages}
        return (in_envelopes | {message.get("protocolVersion") for message in messages}) - {None}

    yield Connected({"server": {"command": sys.executable, "args": command, "env": variables}}, spoken)


@asynccontextmanager
async def over_http(home: Path) -> AsyncIterator[Connected]:  # noqa: F811
    """The same server behind its door, which notes the revision of each call."""
    seen: set[str] = set()

    class NotingDoor(BearerAuth):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.update(value.decode() for name, value in scope["headers"] if name == b"mcp-protocol-version")
            await super().__call__(scope, receive, send)

    settings = read_settings({"FIRMLY_MCP_CONFIG": str(home / ".config/firmly-mcp/config.toml")} | homely(home))
    async with open_services(settings, demo=True) as services:
        with listening_on(0) as bound:
            async with serving(build_server(services), bound, partial(NotingDoor, token=TOKEN)) as served:
                yield Connected({"url": served.url, "token": TOKEN}, lambda: seen, services)


def homely(home: Path) -> dict[str, str]:  # noqa: F811
    """The files of this home by their names, for settings that are read in this process."""
    return {
        "FIRMLY_MCP_DATA_DIR": str(home / ".local" / "share" / "firmly-mcp"),
        "FIRMLY_MCP_RULES": str(home / ".config" / "firmly-mcp" / "rules.toml"),
        "FIRMLY_MCP_OPEN_PAGES": "false",
    }


def shop_with(client: ForeignClient, order: dict[str, Any], home: Path) -> dict[str, Any]:  # noqa: F811
    """Let a client make the calls of an order, from a home of its own; what it got."""
    folder = home / "client"
    folder.mkdir()
    paper = folder / "order.json"
    paper.write_text(json.dumps(order), "utf-8")
    own = {"HOME": str(folder), "PATH": os.environ["PATH"], "MCP_INSPECTOR_SECRET_STORE": "memory"}
    ended = subprocess.run(
        [*program(client), str(HERE / "scripts" / client.script), str(paper)],
        env=own | node_variables(client), cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert TEST_NUMBER not in ended.stdout + ended.stderr
    got: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return got


def program(client: ForeignClient) -> list[str]:
    if client.script.endswith(".cjs"):
        return [node()]
    return [str(python_environment(client.lock)) if client.lock else sys.executable]


def node_variables(client: ForeignClient) -> dict[str, str]:
    if client.lock:
        return {}
    return {"NODE": node(), "NODE_PATH": str(node_packages(HERE) / "node_modules")}


async def charges(home: Path) -> list[tuple[str, int]]:  # noqa: F811
    """What the books say that the server's simulator left, once that server has ended too."""
    with anyio.fail_after(DEADLINE):
        while True:
            try:
                async with Simulator(home / ".local" / "share" / "firmly-mcp" / "simulator") as simulator:
                    return [(charge.order_number, charge.amount) for charge in simulator.books.charges]
            except AlreadyRunning:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize(("client", "transport", "era"), RUNS)
@pytest.mark.anyio
async def test_a_client_of_others_buys_something(
    client: ForeignClient,
    transport: str,
    era: str,
    home: Path,  # noqa: F811
    record_property: Callable[[str, object], None],
) -> None:
    async with connected(transport, home) as reached:
        paper = {**reached.server, "era": era, "calls": ITEMS if client.one_call else CART}
        got = await anyio.to_thread.run_sync(shop_with, client, paper, home)
    order = got["results"][-1]
    assert (order["status"], order["money_moved"]) == ("placed", "yes")
    assert order["total"] == order["charged"] == {"amount": "53.40", "currency": "USD"}
    assert await charges(home) == [(order["order_number"], 5340)]
    assert got["tools"] == len(TOOLS)
    assert got["errors"] == []
    assert bool(got["progress"]) is client.progress
    assert reached.spoken() == {REVISIONS[era]}
    record_property("figure", f"client {client.name} {client.version} bought over {transport} in {REVISIONS[era]}")


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.anyio
async def test_a_client_that_can_be_asked_nothing_is_told_how_the_person_can_say_yes(
    transport: str,
    home: Path,  # noqa: F811
) -> None:
    (home / ".config" / "firmly-mcp" / "rules.toml").write_text("", "utf-8")
    mute = next(client for client in clients() if client.name == "openai-agents")
    async with connected(transport, home) as reached:
        paper = {**reached.server, "era": "auto", "calls": CART}
        got = await anyio.to_thread.run_sync(shop_with, mute, paper, home)
    order = got["results"][-1]
    assert (order["status"], order["money_moved"]) == ("approval_required", "no")
    assert f"approve {order['approval']}" in order["command"]
    assert not await charges(home)


@pytest.mark.parametrize("era", ["auto", "legacy"])
@pytest.mark.anyio
async def test_a_client_that_shows_links_brings_the_question_to_the_person_and_tells_of_the_order(
    era: str,
    home: Path,  # noqa: F811
) -> None:
    (home / ".config" / "firmly-mcp" / "rules.toml").write_text("", "utf-8")
    shows_links = next(client for client in clients() if client.name == "Inspector mcpdo")
    async with connected("http", home) as reached, anyio.create_task_group() as person:
        assert reached.services is not None
        person.start_soon(say_yes, await reached.services.placement())
        paper = {**reached.server, "era": era, "calls": CART}
        got = await anyio.to_thread.run_sync(shop_with, shows_links, paper, home)
    order = got["results"][-1]
    assert (order["status"], order["money_moved"]) == ("placed", "yes")
    assert await charges(home) == [(order["order_number"], 5340)]
    (link,) = got["links"]
    assert link.startswith("http://127.0.0.1:")
    assert link not in json.dumps(got["results"])


async def say_yes(placement: Checkout) -> None:
    """A person who answers the first question that there is."""
    with anyio.fail_after(DEADLINE):
        while not (asked := await placement.open_approvals()):
            await anyio.lowlevel.checkpoint()
    review = await placement.review(asked[0].id)
    await placement.approve(review, SecretStr("123"), BY_PERSON)


def test_every_client_has_a_script_an_exact_version_and_says_what_it_lacks() -> None:
    rows = clients()
    assert all((HERE / "scripts" / row.script).is_file() for row in rows)
    assert all(row.version and row.lacks.endswith(".") for row in rows)


def test_no_lock_names_an_index() -> None:
    assert NODE_LOCKS
    for folder in NODE_LOCKS:
        packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
        assert not [name for name, package in packages.items() if "resolved" in package]
        assert all(package["integrity"] for name, package in packages.items() if name)
    assert PYTHON_LOCKS
    for lock in PYTHON_LOCKS:
        assert "://" not in lock.read_text("utf-8")
