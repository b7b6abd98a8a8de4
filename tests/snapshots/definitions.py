"""The tools as `tools/list` publishes them, each in a file: a change of what a model reads shows in the diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import anyio
from mcp.server import MCPServer
from mcp.types import Tool

from firmly_mcp.server.app import TOOLS as OFFERED
from firmly_mcp.server.notices import Notices
from firmly_mcp.server.tool import registered

TOOLS: Final = Path(__file__).parent / "tools"


def definitions() -> list[Tool]:
    """Every tool's definition, in the order of the list."""
    server: MCPServer[None] = MCPServer("definitions", tools=registered(OFFERED, Notices()))
    return anyio.run(server.list_tools)


def written(tool: Tool) -> str:
    """A definition as its file has it."""
    whole = tool.model_dump(by_alias=True, exclude_none=True, mode="json")
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
