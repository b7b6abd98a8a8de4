"""`python -m tests.snapshots` writes every tool's published definition to a file of its own in `snapshots/tools`."""

from tests.snapshots.definitions import TOOLS, definitions, written

TOOLS.mkdir(exist_ok=True)
for stale in TOOLS.glob("*.json"):
    stale.unlink()
for tool in definitions():
    (TOOLS / f"{tool.name}.json").write_text(written(tool), "utf-8")
