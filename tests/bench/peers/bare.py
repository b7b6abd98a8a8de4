"""Twenty-five small tools on `MCPServer` and nothing else: what the SDK itself takes. One of them fetches a URL."""

import sys

from mcp.server import MCPServer
from pydantic import BaseModel


class Sum(BaseModel):
    """What came out."""

    total: int


def _adding(number: int):  # type: ignore[no-untyped-def]  # the SDK reads the annotations of the inner function
    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        return Sum(total=a + b)

    add.__name__ = f"add_{number}"
    return add


server = MCPServer("bare", log_level="WARNING")
for number in range(24):
    server.add_tool(_adding(number))

if "--fetching" in sys.argv:
    import httpx2

    client = httpx2.AsyncClient()

    @server.tool()
    async def fetch(url: str, token: str) -> str:
        """Fetch what is at the URL."""
        answer = await client.get(url, headers={"x-firmly-authorization": token})
        return answer.text

else:
    server.add_tool(_adding(24))

server.run("stdio")
