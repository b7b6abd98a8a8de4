"""`openai-agents`: an agent whose model is a script that makes its order's calls. It can be asked nothing."""

import asyncio
import json
import sys
from pathlib import Path

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

ORDER = json.loads(Path(sys.argv[1]).read_text("utf-8"))
got = {"results": [], "progress": [], "errors": []}


def server():
    if "url" not in ORDER:
        return MCPServerStdio(ORDER["server"], client_session_timeout_seconds=60, use_structured_content=True)
    headers = {"Authorization": f"Bearer {ORDER['token']}"}
    parameters = {"url": ORDER["url"], "headers": headers}
    return MCPServerStreamableHttp(parameters, client_session_timeout_seconds=60, use_structured_content=True)


class Script(Model):
    async def get_response(self, system_instructions, input, model_settings, tools, *rest, **more):  # noqa: A002
        returned = [item for item in input if not isinstance(item, str) and item.get("type") == "function_call_output"]
        got["tools"] = len(tools)
        got["results"] = [returned_value(item["output"]) for item in returned]
        return ModelResponse([self.next_step(len(returned))], Usage(), None)

    def next_step(self, done):
        if done == len(ORDER["calls"]):
            text = ResponseOutputText(type="output_text", text="Done.", annotations=[])
            return ResponseOutputMessage(id="1", type="message", role="assistant", status="completed", content=[text])
        name, arguments = ORDER["calls"][done]
        call_id = f"call_{done}"
        return ResponseFunctionToolCall(
            type="function_call", call_id=call_id, name=name, arguments=json.dumps(arguments)
        )

    def stream_response(self, *arguments, **more):
        raise NotImplementedError


def returned_value(output):
    text = output if isinstance(output, str) else output[0]["text"]
    return json.loads(text)


async def main():
    async with server() as connected:
        agent = Agent("Shopper", model=Script(), mcp_servers=[connected])
        await Runner.run(agent, "Buy it.", run_config=RunConfig(tracing_disabled=True))
    print(json.dumps(got))


asyncio.run(main())
