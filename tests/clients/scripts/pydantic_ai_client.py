"""`pydantic-ai`: an agent whose model is a script that makes its order's calls one after another."""

import asyncio
import json
import sys
from pathlib import Path

from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
got = {"results": [], "progress": [], "errors": []}


def transport():
    if "url" not in ORDER:
        return StdioTransport(**ORDER["server"])
    return StreamableHttpTransport(ORDER["url"], headers={"Authorization": f"Bearer {ORDER['token']}"})


def model(messages, info):
    returned = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    got["tools"] = len(info.function_tools)
    got["results"] = [part.content for part in returned]
    if len(returned) == len(ORDER["calls"]):
        return ModelResponse(parts=[TextPart("Done.")])
    name, arguments = ORDER["calls"][len(returned)]
    return ModelResponse(parts=[ToolCallPart(name, arguments)])


async def main():
    agent = Agent(FunctionModel(model), toolsets=[MCPToolset(transport(), init_timeout=60)])
    async with agent:
        await agent.run("Buy it.")
    print(json.dumps(got))


asyncio.run(main())
