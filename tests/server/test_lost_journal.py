"""What is stated of orders when the journal is not the one that knew them: nothing is denied that may be there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from firmly_mcp.app import JOURNAL, open_services
from firmly_mcp.server.app import build_server
from tests.shop import STORE, TEE, Shop, call, refused

pytestmark = pytest.mark.anyio


def it_is_missing(folder: Path) -> None:
    for path in folder.glob(f"{JOURNAL}*"):
        path.unlink()


def it_is_an_older_copy(folder: Path) -> None:
    it_is_missing(folder)
    shutil.copy(folder / "copy", folder / JOURNAL)


@pytest.mark.parametrize("loss", [it_is_missing, it_is_an_older_copy])
async def test_orders_that_a_lost_journal_knew_are_not_denied(
    shop: Shop, era: Any, loss: Callable[[Path], None]
) -> None:
    folder = shop.settings.data_dir
    async with open_services(shop.settings) as services, Client(build_server(services), mode=era) as client:
        await call(client, "place_order", store=STORE, items=[{"ref": TEE}])
    shutil.copy(folder / JOURNAL, folder / "copy")
    async with open_services(shop.settings) as services, Client(build_server(services), mode=era) as client:
        order = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 2}])
    loss(folder)
    async with open_services(shop.settings) as services, Client(build_server(services), mode=era) as client:
        for tool, arguments in (("list_orders", {}), ("get_order_status", {"attempt": order["attempt"]})):
            error = await refused(client, tool, **arguments)
            assert (error["code"], error["money_moved"]) == ("not_allowed", "unknown")
            assert "orders accept-journal" in error["next"]
