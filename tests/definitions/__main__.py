"""`python -m tests.definitions` writes what is published of every tool, each in a file that the server reads."""

from firmly_mcp.server.published import DEFINITIONS
from tests.definitions.generated import generated, written

for stale in DEFINITIONS.glob("*.json"):
    stale.unlink()
for definition in generated():
    (DEFINITIONS / f"{definition['name']}.json").write_text(written(definition), "utf-8")
