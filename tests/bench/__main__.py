"""`python -m tests.bench` measures; it never fails. `--json` prints the same as one JSON object, `--only` some of it.

Figures of different machines cannot be compared; shares of a peer that was measured beside it in the same run can.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from typing import Any, Final

import anyio

from . import calls, events, journal, large, memory, sealing, start, stores
from .market import market

Figures = dict[str, Any]
MEASURES: Final[dict[str, Callable[[], Figures]]] = {
    "cold start to tools/list, and memory then": start.cold_starts,
    "get_cart beside a bare httpx2 client": lambda: _at_a_market(calls.added_per_call),
    "get_cart, 32 in flight": lambda: _at_a_market(calls.in_flight),
    "an event of the store to the progress callback": lambda: anyio.run(events.news),
    "seal": sealing.seals,
    "journal: a committed attempt": lambda: anyio.run(journal.committed_attempts),
    "memory over 10,000 calls": lambda: _at_a_market(memory.growth),
    "the simulator's GET cart": lambda: _at_a_market(stores.cart_reads),
    "large answers": large.large_answers,
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--only", default="", metavar="WORDS", help="what has these words in its name")
    asked = parser.parse_args()
    measures = {name: measure for name, measure in MEASURES.items() if asked.only in name}
    if not asked.as_json:
        print(f"{platform.machine()}, Python {platform.python_version()}")
    told = {}
    for name, measure in measures.items():
        told[name] = measure()
        if not asked.as_json:
            print("\n".join(_lines(name, told[name])), flush=True)
    if asked.as_json:
        print(json.dumps(told))


def _at_a_market(measure: Callable[[Any], Figures]) -> Figures:
    with market() as at:
        return measure(at)


def _lines(name: str, figures: Figures) -> list[str]:
    rows = figures if any(isinstance(figure, dict) for figure in figures.values()) else {"": figures}
    return [name, *(f"  {row + ': ' if row else ''}{_words(shown)}" for row, shown in rows.items())]


def _words(figures: Figures) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures.items())


if __name__ == "__main__":
    main()
