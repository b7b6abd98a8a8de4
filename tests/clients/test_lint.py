"""The Inspector's own judgement of the published schemas: portable to every host that it knows of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.foreign import node, node_packages
from tests.raw_server import environment

from .table import HERE


def test_the_inspector_finds_nothing_in_the_tools_schemas(tmp_path: Path) -> None:
    inspector = node_packages(HERE) / "node_modules" / ".bin" / "mcp-inspector"
    listing = ["--cli", "--strict", "--method", "tools/list", sys.executable, "-m", "firmly_mcp", "serve"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [node(), str(inspector.resolve()), *listing],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        env=environment(tmp_path, PYTHONPATH=root),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert '"complete_order"' in done.stdout
