"""`langchain-mcp-adapters`, on the Python SDK 1.x. Buys what its order says and prints what it got."""

import asyncio
import json
import sys
from pathlib import Path

from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
got = {"results": [], "progress": [], "errors": []}


def connection():
    if "url" not in ORDER:
        return {"transport": "stdio", **ORDER["server"]}
    headers = {"Authorization": f"Bearer {ORDER['token']}"}
    return {"transport": "streamable_http", "url": ORDER["url"], "headers": headers}


async def on_progress(progress, total, message, context):
    got["progress"].append(message)


async def main():
    client = MultiServerMCPClient({"firmly": connection()}, callbacks=Callbacks(on_progress=on_progress))
    async with client.session("firmly") as session:
        from langchain_mcp_adapters.tools import load_mcp_tools

        tools = {tool.name: tool for tool in await load_mcp_tools(session, callbacks=client.callbacks)}
        got["tools"] = len(tools)
        for name, arguments in ORDER["calls"]:
            call = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
            message = await tools[name].ainvoke(call)
            got["results"].append(message.artifact["structured_content"])
    print(json.dumps(got))


asyncio.run(main())
