"""`python -m tests.soak --purchases N --seed S [--in-process]`: buy under kills and faults, and let the books judge.

It brings its own spending rules, a test card and a simulator. The figures are one line on standard output; the exit
code is 1 if anything was charged twice, above what was approved, or placed and lost. `--side-by-side` divides the
purchases among stories that know nothing of each other, each in a process, with a simulator and a seed of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from .figures import Outcome, is_good, line, together
from .playing import played


def main() -> int:
    """Run the soak; 0 only if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--purchases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("--minutes", type=float, default=60.0, help="buy no more after so many")
    parser.add_argument("--side-by-side", type=int, default=1, metavar="STORIES", help="as many as there are cores")
    asked = parser.parse_args()
    began = time.monotonic()
    print("The soak brings its own rules: next to everything in USD is allowed without asking.", file=sys.stderr)
    outcome = together(_stories(asked))
    for broken in outcome.verdict.broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
    print(f"answers: {dict(outcome.told.answers)}; unfilled: {outcome.told.unfilled}", file=sys.stderr)
    print(f"seconds: {time.monotonic() - began:.0f}", file=sys.stderr)
    print(line(outcome))
    return 0 if is_good(outcome) else 1


def _stories(asked: argparse.Namespace) -> list[Outcome]:
    stories: int = asked.side_by_side
    if stories == 1:
        return [played(asked, asked.seed, asked.purchases)]
    shares = [len(range(number, asked.purchases, stories)) for number in range(stories)]
    with ProcessPoolExecutor(stories, multiprocessing.get_context("spawn")) as pool:
        playing = [pool.submit(played, asked, asked.seed + number, share) for number, share in enumerate(shares)]
        return [story.result() for story in playing]


if __name__ == "__main__":
    sys.exit(main())
