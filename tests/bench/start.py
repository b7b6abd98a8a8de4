"""From the start of a process to its first `tools/list` answer over stdio, and the memory it then holds."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from tests.foreign import CACHE, node

from .peers import FOLDER
from .wire import Wire

ROUNDS: Final = 15


@dataclass(slots=True)
class Start:
    """The starts of one server: seconds, and bytes of memory after the list."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def once(self) -> None:
        """Start it once more."""
        with Wire(self.command, self.environment) as wire:
            wire.greet()
            tools = wire.ask("tools/list", {})["tools"]
            self.seconds.append(time.perf_counter() - wire.began)
            self.resident.append(wire.resident())
        assert len(tools) > 20


def cold_starts(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Ours beside what is installed, in turns: medians in milliseconds and megabytes, and as shares of bare `mcp`."""
    with TemporaryDirectory(prefix="firmly-mcp-bench-") as folder:
        ours = {"FIRMLY_MCP_DATA_DIR": folder, "FIRMLY_MCP_ENVIRONMENT": "simulator"}
        starts = {"firmly-mcp": Start([sys.executable, "-m", "firmly_mcp"], ours), **_peers()}
        for start in starts.values():
            start.once()  # writes bytecode, and brings the files into memory
            start.seconds.clear()
            start.resident.clear()
        for _ in range(rounds):
            for start in starts.values():
                start.once()
    bare = starts["mcp MCPServer"]
    return {name: _figures(start, bare) for name, start in starts.items()}


def _peers() -> dict[str, Start]:
    found = {"mcp MCPServer": Start([sys.executable, str(FOLDER / "bare.py")])}
    for python in CACHE.glob("python-requirements_mcp2-*/bin/python"):
        found["fastmcp"] = Start([str(python), str(FOLDER / "fast.py")])
    for modules in CACHE.glob("node-clients-*/node_modules"):
        found["TypeScript SDK 1.x"] = Start([node(), str(FOLDER / "typescript.mjs"), str(modules)])
    return found


def _figures(start: Start, bare: Start) -> dict[str, float]:
    seconds, resident = median(start.seconds), median(start.resident)
    return {
        "median_ms": round(seconds * 1000, 1),
        "of_bare_mcp": round(seconds / median(bare.seconds), 2),
        "megabytes": round(resident / 1e6, 1),
        "megabytes_of_bare_mcp": round(resident / median(bare.resident), 2),
    }
