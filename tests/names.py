"""`python -m tests.names` names every test of names_before.txt that is lost; `--record` writes that file again.

A test is its sentence, wherever its file is: files may move. `tests/REMOVED.md` gives the reason for each one that is
gone, or has fewer cases: `test_sentence: reason`, one a line. This is scaffolding of the redraw, removed at its end.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BEFORE: Final = HERE / "names_before.txt"
REMOVED: Final = HERE / "REMOVED.md"

_NODE: Final = re.compile(r"^(?P<file>\S+\.py)::(?P<name>test_\w+)(?:\[|$)", re.MULTILINE)
_REASON: Final = re.compile(r"^[^\w\n]*(?P<name>test_\w+)[^\w\n]+\w", re.MULTILINE)


@dataclass(frozen=True)
class Sentence:
    """How many functions have this name, and how many cases they are run with."""

    functions: int
    cases: int


def before() -> dict[str, Sentence]:
    """Read the sentences that were recorded."""
    rows = (line.split() for line in BEFORE.read_text("utf-8").splitlines())
    return {name: Sentence(int(functions), int(cases)) for name, functions, cases in rows}


def removed() -> frozenset[str]:
    """Read the sentences that are gone for a stated reason."""
    return reasons(REMOVED.read_text("utf-8")) if REMOVED.exists() else frozenset()


def reasons(text: str) -> frozenset[str]:
    """Return the sentences that a text gives a reason for: the first of each line, if more follows it."""
    return frozenset(found["name"] for found in _REASON.finditer(text))


def written() -> frozenset[tuple[str, str]]:
    """Return file and name of every test function below `tests/`, read and not run."""
    return frozenset(
        (str(path.relative_to(HERE.parent)), node.name)
        for path in HERE.rglob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def sentences(cases: Iterable[tuple[str, str]]) -> dict[str, Sentence]:
    """Count the cases of tests, each given by its function's file and name."""
    counted = Counter(cases)
    functions = Counter(name for _, name in counted)
    total: Counter[str] = Counter()
    for (_, name), count in counted.items():
        total[name] += count
    return {name: Sentence(functions[name], total[name]) for name in sorted(total)}


def lost(old: Mapping[str, Sentence], new: Mapping[str, Sentence], gone: frozenset[str]) -> list[str]:
    """Name each old test that is missing or has fewer cases today, and has no reason for it."""
    found = []
    for name, was in old.items():
        now = new.get(name, Sentence(0, 0))
        if name in gone or (now.functions >= was.functions and now.cases >= was.cases):
            continue
        what = f"{was.functions} → {now.functions} functions, {was.cases} → {now.cases} cases" if now.cases else "gone"
        found.append(f"{name}: {what}")
    return found


def collected() -> dict[str, Sentence]:
    """Have pytest collect every test, and count them.

    Raises:
        RuntimeError: pytest could not collect them all.
    """
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", str(HERE)]
    run = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"pytest cannot collect the tests:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return sentences((found["file"], found["name"]) for found in _NODE.finditer(run.stdout))


def main(arguments: list[str]) -> int:
    """Compare, or record; the exit code is 1 where a test is lost."""
    today = collected()
    if arguments == ["--record"]:
        lines = (f"{name} {one.functions} {one.cases}\n" for name, one in today.items())
        BEFORE.write_text("".join(lines), "utf-8")
        print(f"recorded: {len(today)} sentences")
        return 0
    missing = lost(before(), today, removed())
    print("\n".join([*missing, f"{len(missing)} lost of {len(before())}; {len(removed())} removed with a reason"]))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
