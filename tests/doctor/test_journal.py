"""What `doctor` says of the journal, with a real one that orders were written to."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from firmly_mcp.app import JOURNAL, open_services
from firmly_mcp.checkout.journal.schema import NEWEST
from firmly_mcp.doctor import shopper
from firmly_mcp.doctor.findings import Examined, Finding
from firmly_mcp.server.app import build_server
from firmly_mcp.settings import Settings
from tests.shop import STORE, TEE, Shop, call, open_shop

from .conftest import fill_wallet

pytestmark = pytest.mark.anyio


@pytest.fixture
def examined(settings: Settings) -> Examined:
    return Examined.of(settings, {}, lambda: datetime.now(UTC))


async def looked(examined: Examined) -> Mapping[str, Finding]:
    """What the two checks of the journal find, which leave its directory as it was."""
    before = _files(examined.settings.data_dir)
    found = [*await shopper.journal(examined), *await shopper.journal_mark(examined)]
    assert _files(examined.settings.data_dir) == before
    return {finding.check: finding for finding in found}


async def order(settings: Settings, fault: str = "", *, quantities: tuple[int, ...] = (1,), **options: Any) -> None:
    """Place these orders, each struck by the fault; then close the journal."""
    async with open_shop(settings) as shop:
        await fill_wallet(settings)
        async with Client(build_server(shop.services)) as client:
            for quantity in quantities:
                if fault:
                    shop.simulator.faults.add(fault, "*_order_v2", **options)
                await _order(client, quantity)


async def _order(client: Client, quantity: int) -> None:
    arguments = {"store": STORE, "items": [{"ref": TEE, "quantity": quantity}], "max_total": "9000"}
    await client.call_tool("place_order", arguments)


async def test_before_the_first_order_there_is_none(examined: Examined) -> None:
    found = await looked(examined)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["journal"].says.startswith("There is none yet")


async def test_a_journal_that_is_well_is_read_and_left_as_it_is(examined: Examined) -> None:
    await order(examined.settings, quantities=(1, 2))
    found = await looked(examined)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "last attempt 2." in found["journal"].says
    assert found["journal mark"].says == "The keyring and the journal agree."


async def test_a_journal_that_a_server_has_open_is_read_too(shop: Shop) -> None:
    examined = Examined.of(shop.settings, {}, lambda: datetime.now(UTC))
    async with Client(build_server(shop.services)) as client:
        await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 1}])
        found = await looked(examined)
        assert "last attempt 1." in found["journal"].says
        assert found["journal mark"].state == "ok"
        await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 2}])


async def test_an_order_in_doubt_is_named_with_the_command_that_settles_it(examined: Examined) -> None:
    await order(examined.settings, "reset-after-body", quantities=(1,))
    doubts = (await looked(examined))["doubts"]
    assert doubts.state == "warning"
    assert f"USD at {STORE}, " in doubts.says
    assert doubts.fix.endswith(" orders settle")
    assert str(examined.settings.data_dir) in doubts.fix


async def test_a_locked_card_is_named_with_the_command_that_unlocks_it(examined: Examined) -> None:
    await order(examined.settings, "refuse", quantities=(1, 2), error="ErrorPaymentDeclined")
    locks = (await looked(examined))["card locks"]
    assert locks.state == "warning"
    assert locks.fix.endswith(" cards unlock test-visa")


async def test_an_older_journal_than_the_keyring_counted_is_refused(examined: Examined, tmp_path: Path) -> None:
    await order(examined.settings, quantities=(1,))
    shutil.copy(examined.journal_path, tmp_path / "backup")
    await order(examined.settings, quantities=(2,))
    shutil.copy(tmp_path / "backup", examined.journal_path)
    found = await looked(examined)
    assert found["journal"].state == "ok"
    assert found["journal mark"].state == "failed"
    assert "ends at attempt 1, and there were 2" in found["journal mark"].says
    assert found["journal mark"].fix.endswith(" orders accept-journal")


async def test_a_journal_that_is_gone_or_another_ones_is_refused(examined: Examined) -> None:
    await order(examined.settings)
    examined.journal_path.unlink()
    found = await looked(examined)
    assert found["journal mark"].state == "failed"
    assert "is missing: the keyring counted 1 attempts" in found["journal mark"].says
    async with open_services(examined.settings) as services:
        await (await services.placement()).attempts(limit=1)
    found = await looked(examined)
    assert "is not the one that was used last" in found["journal mark"].says


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 500)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [_garbage, _cut, _folder])
async def test_a_damaged_journal_is_one_line_with_the_way_back(
    examined: Examined, spoil: Callable[[Path], None]
) -> None:
    await order(examined.settings, quantities=(1, 2))
    spoil(examined.journal_path)
    for check in (shopper.journal, shopper.journal_mark):
        (finding,) = await check(examined)
        assert finding.state == "failed"
        assert "no order is sent without it" in finding.says
        assert finding.fix.startswith("Put ")
        assert str(examined.journal_path) in finding.fix


@pytest.mark.parametrize(("version", "state"), [(NEWEST + 1, "failed"), (NEWEST - 1, "ok")])
async def test_a_journal_of_another_version_is_told_and_not_changed(
    examined: Examined, version: int, state: str
) -> None:
    await order(examined.settings)
    with closing(sqlite3.connect(examined.journal_path)) as file:
        file.execute(f"PRAGMA user_version = {version}")
        file.commit()
    found = await looked(examined)
    assert found["journal"].state == state
    assert found["journal mark"].state == "skipped"


async def test_a_clock_that_was_set_back_behind_the_journal_is_wrong(examined: Examined) -> None:
    await order(examined.settings)
    early = replace(examined, now=lambda: datetime.now(UTC) - timedelta(hours=2))
    found = await looked(early)
    assert found["journal time"].state == "failed"
    assert "s before the newest attempt" in found["journal time"].says


async def test_a_journal_cannot_be_written_through_the_look(examined: Examined) -> None:
    from firmly_mcp.checkout.journal.inspect import open_read_only

    await order(examined.settings)
    with open_read_only(examined.journal_path) as file, pytest.raises(sqlite3.OperationalError, match="readonly"):
        file.execute("DELETE FROM attempts")


def _files(directory: Path) -> Mapping[str, Any]:
    """Every file of the journal with its bytes; the shared memory changes with every reader and holds no data."""
    found = {path.name: path for path in directory.glob(f"{JOURNAL}*")} if directory.exists() else {}
    return {name: None if name.endswith("-shm") else path.read_bytes() for name, path in found.items()}
