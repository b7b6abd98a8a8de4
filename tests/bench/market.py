"""What the calls are measured on: a simulator in a process of its own, and plain requests to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx2

from .peers import FOLDER
from .wire import Wire

LUMA: Final = "staging.luma.gift"
TEE: Final = "WS12-XS-Orange"


@dataclass(frozen=True, slots=True)
class Market:
    """Where the simulator is, and the data directory that servers find it by."""

    folder: Path
    api_url: str
    app_id: str
    pid: int
    # The path of a product of each store.
    handles: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a server that shops here."""
        return {"FIRMLY_MCP_DATA_DIR": str(self.folder), "FIRMLY_MCP_ENVIRONMENT": "simulator"}


@contextmanager
def market() -> Iterator[Market]:
    """A simulator while the context lasts."""
    with TemporaryDirectory(prefix="firmly-mcp-bench-", ignore_cleanup_errors=True) as folder:
        kept = Path(folder) / "simulator"
        kept.mkdir(mode=0o700)
        command = [sys.executable, str(FOLDER / "simulator.py"), str(kept)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            handles = json.loads(process.stdout.readline())
            told = json.loads((kept / "simulator.json").read_text("utf-8"))
            yield Market(Path(folder), told["api_url"], told["app_id"], process.pid, handles)
            process.communicate()


@asynccontextmanager
async def plain_shopper(at: Market) -> AsyncIterator[httpx2.AsyncClient]:
    """A bare client with a session of its own."""
    async with httpx2.AsyncClient(base_url=at.api_url, trust_env=False) as http:
        session = await http.post("/api/v1/browser-session", headers={"x-firmly-app-id": at.app_id}, json={})
        http.headers["x-firmly-authorization"] = session.raise_for_status().json()["access_token"]
        yield http


async def plainly_filled(http: httpx2.AsyncClient, at: Market, store: str) -> str:
    """Put one line into a store's cart; where that cart is read."""
    cart, page = f"/api/v2/domains/{store}/cart", f"/api/v1/domains-products/{store}/{at.handles[store]}"
    product = (await http.get(page)).raise_for_status().json()
    ref = product["variants"][0]["add_to_cart_ref"]
    added = await http.post(f"{cart}/line-items", json={"add_to_cart_ref": ref, "quantity": 1})
    added.raise_for_status()
    return cart


def firmly(at: Market) -> Wire:
    """Our server, shopping here with the demo's card."""
    wire = Wire([sys.executable, "-m", "firmly_mcp", "serve", "--demo"], at.variables)
    wire.greet()
    return wire


def fill(wire: Wire, at: Market, store: str) -> None:
    """Put one line into our shopper's cart at a store."""
    product = called(wire, "get_product", {"store": store, "handle": at.handles[store]})["structuredContent"]
    called(wire, "add_line_item", {"store": store, "ref": product["variants"][0]["ref"]})


def called(wire: Wire, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a tool gives."""
    return wire.ask("tools/call", calling(tool, arguments))


def calling(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a call."""
    return {"name": tool, "arguments": arguments}
