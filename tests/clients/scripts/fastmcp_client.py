"""`fastmcp`'s client. Buys what its order says and prints what it got."""

import asyncio
import json
import sys
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
got = {"results": [], "progress": [], "errors": []}


def transport():
    if "url" not in ORDER:
        return StdioTransport(**ORDER["server"])
    return StreamableHttpTransport(ORDER["url"], headers={"Authorization": f"Bearer {ORDER['token']}"})


async def on_progress(progress, total, message):
    got["progress"].append(message)


async def main():
    async with Client(transport(), mode=ORDER["era"]) as client:
        got["tools"] = len(await client.list_tools())
        for name, arguments in ORDER["calls"]:
            result = await client.call_tool(name, arguments, progress_handler=on_progress)
            got["results"].append(result.structured_content)
    print(json.dumps(got))


asyncio.run(main())
