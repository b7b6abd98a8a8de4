"""The TypeScript clients lose no notification and see no error, however busy the machine is.

They drop a notification that arrives in the same breath as its call's result, and some hosts end the session over it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.foreign import node, node_packages

from .table import HERE

ROOT: Final = Path(__file__).parents[2]
CALLS: Final = 50
STEPS: Final = 20
DEADLINE: Final = 240.0


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Every core has something else to do, twice over."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.usefixtures("busy_machine")
@pytest.mark.parametrize(("sdk", "era"), [(1, "legacy"), (2, "legacy"), (2, "auto")])
def test_no_notification_of_a_thousand_is_lost_on_a_busy_machine(sdk: int, era: str, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    order = {
        "sdk": sdk,
        "era": era,
        "tool": "steps",
        "arguments": {"count": STEPS},
        "calls": CALLS,
        "server": {"command": sys.executable, "args": ["-m", "tests.clients.steps_server"], "env": environment},
    }
    paper = tmp_path / "order.json"
    paper.write_text(json.dumps(order), "utf-8")
    modules = {"NODE_PATH": str(node_packages(HERE) / "node_modules")}
    command = [node(), str(HERE / "scripts" / "burst.cjs"), str(paper)]
    ended = subprocess.run(
        command, env=environment | modules, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    got = json.loads(ended.stdout.splitlines()[-1])
    assert got["errors"] == []
    assert got["results"] == CALLS
    assert got["told"] == [STEPS] * CALLS
