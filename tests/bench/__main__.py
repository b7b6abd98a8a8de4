"""`python -m tests.bench` measures; it never fails. `--json` prints the same as one JSON object."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence

import anyio

from tests.bench.journal import committed_attempts


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a table."""
    rows = {"journal: a committed attempt": anyio.run(committed_attempts)}
    figures = {name: _figures(seconds) for name, seconds in rows.items()}
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name}: median {figure['median_ms']} ms, 99th percentile {figure['p99_ms']} ms, of {figure['count']}")


def _figures(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_ms": round(statistics.median(ordered) * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
        "count": len(ordered),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
