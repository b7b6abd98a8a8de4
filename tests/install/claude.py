#!/usr/bin/env python3
"""A stand-in for `claude mcp`, version 2.1.197, as far as it was seen to go: `add-json` and `remove` of user scope.

It writes what it was called with beside its file. `CLAUDE_FAILS` makes the command of that name fail, or lie.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    file = Path.home() / ".claude.json"
    with file.with_suffix(".calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    _, command, *rest = sys.argv[1:]
    assert rest[:2] == ["--scope", "user"]
    said: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"numStartups": 1}
    servers = said.setdefault("mcpServers", {})
    fails = os.environ.get("CLAUDE_FAILS", "")
    if fails == command:
        sys.stderr.write("Something is wrong\n")
        return 1
    if fails == "silently":
        return 0
    if command == "add-json" and rest[2] in servers:
        sys.stderr.write(f"MCP server {rest[2]} already exists in user config\n")
        return 1
    if command == "add-json":
        servers[rest[2]] = json.loads(rest[3])
    else:
        del servers[rest[2]]
    file.write_text(json.dumps(said, indent=2), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
