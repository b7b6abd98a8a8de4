#!/usr/bin/env python3
"""A stand-in for `gemini mcp`, version 0.61.0, as far as it was seen to go: `add` and `remove` of user scope.

It writes a whole new entry, and cuts a variable's value at its second `=`. What it was called with is kept beside its
file.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    file = Path.home() / ".gemini" / "settings.json"
    file.parent.mkdir(exist_ok=True)
    with file.with_suffix(".calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    _, command, *rest = sys.argv[1:]
    assert rest[:2] == ["--scope", "user"]
    rest = rest[2:]
    env = {}
    while rest[0] == "-e":
        name, value, *_ = rest[1].split("=")
        env[name] = value
        rest = rest[2:]
    said: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    servers = said.setdefault("mcpServers", {})
    if command == "add":
        servers[rest[0]] = {"command": rest[1], "args": rest[2:]} | ({"env": env} if env else {})
    else:
        servers.pop(rest[0], None)
    file.write_text(json.dumps(said, indent=2), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
