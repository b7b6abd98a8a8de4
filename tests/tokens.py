"""`python -m tests.tokens` prints what the tools cost a model in tokens (o200k_base), beside what they may cost.

Ids that differ from run to run are counted as an id of the same form, so that every run counts the same.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from bpe_openai import Encoding
    from mcp import Client

STORE: Final = "staging.luma.gift"
OBSERVED: Final = Path(__file__).parent / "api" / "observed"
THREE: Final = ("WS12-XS-Orange", "MH07-XS-Gray", "WS12-XS-Blue")
_IDS: Final = (
    (re.compile(r"\b(item|ship)_[0-9A-Z]{26}\b"), r"\1_01HQWMVQAAXYBCSGMPQHA8NYKZ"),
    (re.compile(r"\batt_[0-9a-f]{16}\b"), "att_56816ec9c51f43d6"),
    (re.compile(r"\bSIM-\d+-[0-9A-F]+\b"), "SIM-000001-5CBA94"),
)


@dataclass(frozen=True)
class Figure:
    """What something costs a model, and what it may cost."""

    name: str
    tokens: int
    limit: int


@cache
def encoding() -> Encoding:
    """The encoding that is counted with; its package carries the ranks, and fetches nothing."""
    with warnings.catch_warnings():
        # Its import reads the ranks in a way that Python has another for by now.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding
    return get_encoding("o200k_base")


def counted(value: object) -> int:
    """The tokens of a text, or of a JSON value as a host writes it."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for pattern, example in _IDS:
        text = pattern.sub(example, text)
    return len(encoding().encode(text))


async def figures() -> list[Figure]:
    """Everything that has a limit."""
    product = _observed_product()
    async with _client() as client:
        tools = [
            tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in (await client.list_tools()).tools
        ]
        bought = Bought(client)
        await bought.a_purchase()
        cart = await bought.a_cart_of_three()
    shown = [{name: tool[name] for name in ("name", "description", "inputSchema")} for tool in tools]
    return [
        Figure("tools/list as a host shows it to a model: name, description, input schema", counted(shown), 2_600),
        Figure("the whole tools/list, with output schemas", counted(tools), 4_500),
        Figure("an observed product, text", counted(product.text()), 450),
        Figure("an observed product, structured", counted(product.structured()), 450),
        Figure("a cart of three lines with address, text", cart.text, 500),
        Figure("a cart of three lines with address, structured", cart.structured, 500),
        Figure("a purchase from search to order, texts", sum(cost.text for cost in bought.purchase), 1_800),
        Figure("a purchase from search to order, structured", sum(cost.structured for cost in bought.purchase), 2_200),
    ]


@dataclass(frozen=True)
class Cost:
    """One result in its two forms."""

    text: int
    structured: int


class Bought:
    """A shopper's calls, and what each result cost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.purchase: list[Cost] = []

    async def a_purchase(self) -> None:
        """Search with ten hits, product, add, shipping, preview, order."""
        calls: list[tuple[str, dict[str, Any]]] = [
            ("search_products", {"query": "tee", "page_size": 10}),
            ("get_product", {"store": STORE, "handle": "radiant-tee"}),
            ("add_line_item", {"store": STORE, "ref": THREE[0], "quantity": 2}),
            ("set_shipping_info", {"store": STORE}),
            ("preview_order", {"store": STORE}),
            ("complete_order", {"store": STORE, "max_total": "1000"}),
        ]
        self.purchase = [await self._cost(tool, arguments) for tool, arguments in calls]

    async def a_cart_of_three(self) -> Cost:
        """A cart with three lines and an address."""
        for ref in THREE:
            await self._cost("add_line_item", {"store": STORE, "ref": ref})
        return await self._cost("set_shipping_info", {"store": STORE})

    async def _cost(self, tool: str, arguments: dict[str, Any]) -> Cost:
        result = await self._client.call_tool(tool, arguments)
        text = "".join(block.text for block in result.content if block.type == "text")
        assert not result.is_error, text
        return Cost(counted(text), counted(result.structured_content))


@asynccontextmanager
async def _client() -> AsyncIterator[Client]:
    """A client of a server with the demo's wallet, on a simulator of its own."""
    from mcp import Client

    from firmly_mcp.app import open_services
    from firmly_mcp.server.app import build_server
    from firmly_mcp.settings import Settings

    with TemporaryDirectory(prefix="firmly-mcp-tokens-") as folder:
        rules = Path(folder) / "rules.toml"
        rules.write_text('[USD]\nask_above = "1000"\nask_above_a_day = "1000"\n', "utf-8")
        code = (sys.executable, "-m", "firmly_mcp.simulator.security_code")
        settings = Settings(environment="simulator", data_dir=Path(folder) / "data", rules_file=rules, cvv_command=code)
        async with open_services(settings, demo=True) as services, Client(build_server(services)) as client:
            yield client


def _observed_product() -> Any:
    from firmly_mcp.api.fields import read
    from firmly_mcp.api.products import Product
    from firmly_mcp.server.views.catalog import ProductView

    sent = json.loads((OBSERVED / "product-detail.json").read_text("utf-8"), parse_float=Decimal)
    return ProductView.of(read(Product, sent), "samsung.com")


def main() -> int:
    """Print the table; 1 if something costs more than it may."""
    found = anyio.run(figures)
    for figure in found:
        print(f"{figure.tokens:>6} of {figure.limit:>6}  {figure.name}")
    return int(any(figure.tokens > figure.limit for figure in found))


if __name__ == "__main__":
    sys.exit(main())
