"""What a server loads before it has answered anything."""

import subprocess
import sys
from pathlib import Path

# Each of these is loaded by the first call that needs it.
LATER = {"sqlalchemy", "keyring", "jwcrypto", "secretstorage", "rich", "stamina", "firmly_mcp.simulator"}


def test_a_server_that_lists_its_tools_loads_no_journal_no_keyring_and_no_simulator() -> None:
    program = "import sys, firmly_mcp.server.stdio as s; from firmly_mcp.server.app import TOOLS; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert not LATER & set(loaded.stdout.split())
