"""`python -m tests.soak --purchases N --seed S [--in-process]`: buy under kills and faults, and let the books judge.

It brings its own spending rules, a test card and a simulator. The figures are one line on standard output; the exit
code is 1 if anything was charged twice, above what was approved, or placed and lost.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from .figures import is_good, line
from .inside import inside
from .judge import judge, read_journal
from .outside import outside
from .rooms import RULES
from .story import Story


def main() -> int:
    """Run the soak; 0 only if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--purchases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("--minutes", type=float, default=60.0, help="buy no more after so many")
    told = parser.parse_args()
    print("The soak brings its own rules: next to everything in USD is allowed without asking.", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-soak-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_soak(Path(folder), told))


async def _soak(folder: Path, asked: argparse.Namespace) -> int:
    began = time.monotonic()
    async with (inside if asked.in_process else outside)(folder, RULES) as (scene, aisles):
        story = Story(scene, aisles, Random(asked.seed))
        for number in range(asked.purchases):
            if time.monotonic() - began > asked.minutes * 60:
                print(f"The time is over after {number} purchases.", file=sys.stderr)
                break
            await story.purchase(number)
            if (number + 1) % 50 == 0:
                print(f"{number + 1} purchases, {time.monotonic() - began:.0f} s", file=sys.stderr)
        answers = await story.settle()
        told, rows = story.told, read_journal(scene.journal)
        verdict = judge(scene.simulator.books.charges, rows, told.approved, told.could_rise)
    risen = [row for row in rows if row.charged is not None and row.charged > row.total]
    untold = sum(not answers[row.id].tells_of_a_rise for row in risen)
    for broken in verdict.broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
    print(f"answers: {dict(told.answers)}; unfilled: {told.unfilled}", file=sys.stderr)
    print(f"seconds: {time.monotonic() - began:.0f}, process {os.getpid()}", file=sys.stderr)
    print(line(told, verdict, untold))
    return 0 if is_good(verdict, untold) else 1


if __name__ == "__main__":
    sys.exit(main())
