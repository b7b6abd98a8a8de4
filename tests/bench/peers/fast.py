"""The same twenty-five tools on `fastmcp`."""

from fastmcp import FastMCP
from pydantic import BaseModel


class Sum(BaseModel):
    """What came out."""

    total: int


def _adding(number):
    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        return Sum(total=a + b)

    add.__name__ = f"add_{number}"
    return add


server = FastMCP("fast")
for number in range(25):
    server.tool(_adding(number))

server.run("stdio", show_banner=False)
