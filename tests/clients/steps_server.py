"""A server over pipes with one tool, which does nothing but report its steps as every tool of ours does."""

from __future__ import annotations

import anyio
from mcp.server import MCPServer

from firmly_mcp.server.person import Progress
from firmly_mcp.server.tool import Ctx

server: MCPServer[None] = MCPServer("steps", log_level="WARNING")


@server.tool()
async def steps(ctx: Ctx, count: int) -> int:
    """Report so many steps."""
    async with Progress.of(ctx) as progress:
        for number in range(count):
            await progress.say(f"Step {number + 1}.", total=count)
    return count


if __name__ == "__main__":
    anyio.run(server.run_stdio_async)
