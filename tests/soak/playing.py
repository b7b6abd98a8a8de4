"""One story, played on a stage of its own, and judged."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from .figures import Outcome
from .inside import inside
from .judge import judge, judge_statements, read_journal
from .outside import outside
from .rooms import RULES
from .story import Story


def played(asked: argparse.Namespace, seed: int, purchases: int) -> Outcome:
    """One story from its first purchase to the verdict."""
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-soak-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_played(Path(folder), asked, seed, purchases))


async def _played(folder: Path, asked: argparse.Namespace, seed: int, purchases: int) -> Outcome:
    began = time.monotonic()
    async with (inside if asked.in_process else outside)(folder, RULES) as (scene, aisles):
        story = Story(scene, aisles, Random(seed))
        for number in range(purchases):
            if time.monotonic() - began > asked.minutes * 60:
                print(f"The time is over after {number} purchases.", file=sys.stderr)
                break
            await story.purchase(number)
            if (number + 1) % 50 == 0:
                print(f"seed {seed}: {number + 1} purchases, {time.monotonic() - began:.0f} s", file=sys.stderr)
        answers = await story.settle()
        told, rows = story.told, read_journal(scene.journal)
        charges = scene.simulator.books.charges
        verdict = judge(charges, rows, told.approved, told.could_rise, told.misled)
        judge_statements(verdict, charges, told.statements)
        for key in told.unrecorded:
            verdict.lost += 1
            verdict.broken.append(f"{key} was ordered while the journal's files were gone")
        for key in told.doubled:
            verdict.doubled += 1
            verdict.broken.append(f"{key} was in the cart twice, though every answer's advice was followed")
    risen = [row for row in rows if row.charged is not None and row.charged > row.total]
    return Outcome(told, verdict, untold=sum(not answers[row.id].tells_of_a_rise for row in risen))
