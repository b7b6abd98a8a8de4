"""What the journal adds to an order: the time from the yes to a row that is on the disk."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from firmly_mcp.checkout.journal.journal import Journal
from firmly_mcp.settings import Owner
from tests.checkout.journal.test_journal import DRAFT, PERMIT, Kept

from .figures import ms, p99

ATTEMPTS = 500


async def committed_attempts() -> dict[str, float]:
    """Milliseconds, on the disk of the temporary directory; `Kept` stands for the keyring."""
    with TemporaryDirectory(prefix="firmly-mcp-bench-") as folder:
        path = Path(folder) / "journal.sqlite3"
        journal = Journal(path, Kept(), owner=Owner("simulator", "bench"), now=lambda: datetime.now(UTC))
        async with journal:
            seconds = [await _timed(journal, number) for number in range(ATTEMPTS)]
    return {
        "median_ms": ms(median(seconds)),
        "p99_ms": ms(p99(seconds)),
    }


async def _timed(journal: Journal, number: int) -> float:
    draft = replace(DRAFT, purchase_key=f"key-{number}", cart_id=f"cart-{number}")
    before = time.perf_counter()
    await journal.begin(replace(draft, id=f"att_{number}"), PERMIT)
    return time.perf_counter() - before
