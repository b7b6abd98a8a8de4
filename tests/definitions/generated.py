"""Every tool's definition as its function gives it, and as its file has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from firmly_mcp.server.app import TOOLS
from firmly_mcp.server.published import load_tool
from firmly_mcp.server.subscriptions import ResourceUpdates
from firmly_mcp.server.tool import StrictTool

from .schemas import definitions


def generated() -> list[dict[str, Any]]:
    """The definitions, in the order of the list."""
    return list(definitions(StrictTool.of(load_tool(place), ResourceUpdates(), described=True) for place in TOOLS))


def written(definition: Mapping[str, Any]) -> str:
    """A definition as its file has it."""
    return json.dumps(definition, indent=2, ensure_ascii=False) + "\n"
