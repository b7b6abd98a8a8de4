"""What the suite is asked in rounds: results that need input, as the 2026-07-28 revision has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

Ctx: TypeAlias = Context[Any, Any]
Round: TypeAlias = str | InputRequiredResult

_NAME: Final = "What is your name?"


def mount_rounds(server: MCPServer[Any]) -> None:
    """Add them to a server."""
    for tool in (elicitation, sampling, list_roots, request_state, multiple_inputs, multi_round, tampered_state):
        server.add_tool(tool, name=f"test_input_required_result_{tool.__name__}")
    server.add_tool(capabilities, name="test_input_required_result_capabilities")
    server.prompt("test_input_required_result_prompt")(prompt)
    server.add_tool(missing_capability, name="test_missing_capability")
    _mount_changes(server)


async def elicitation(ctx: Ctx) -> Round:
    """Asks the person's name."""
    return _answered(ctx, "user_name") or _ask({"user_name": _form(_NAME, "name")})


async def sampling(ctx: Ctx) -> Round:
    """Asks the client's model."""
    asked: dict[str, InputRequest] = {"capital_question": _sample("What is the capital of France?")}
    return _answered(ctx, "capital_question") or _ask(asked)


async def list_roots(ctx: Ctx) -> Round:
    """Asks for the client's roots."""
    return _answered(ctx, "client_roots") or _ask({"client_roots": ListRootsRequest()})


async def request_state(ctx: Ctx) -> Round:
    """Asks, and knows its own question again."""
    if ctx.request_state == "asked" and _answered(ctx, "confirm"):
        return "state-ok"
    return _ask({"confirm": _form("Please confirm", "ok", "boolean")}, "asked")


async def multiple_inputs(ctx: Ctx) -> Round:
    """Asks three things at once."""
    asked: dict[str, InputRequest] = {
        "user_name": _form(_NAME, "name"),
        "greeting": _sample("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    return _answered(ctx, *asked) or _ask(asked, "three")


async def multi_round(ctx: Ctx) -> Round:
    """Asks twice, the second time for something else."""
    if ctx.request_state == "second" and _answered(ctx, "step2"):
        return "Both answered."
    if ctx.request_state == "first" and _answered(ctx, "step1"):
        return _ask({"step2": _form("Step 2: What is your favorite color?", "color")}, "second")
    return _ask({"step1": _form(f"Step 1: {_NAME}", "name")}, "first")


async def tampered_state(ctx: Ctx) -> Round:
    """Asks; a state that is not the one it sent never reaches it."""
    if ctx.request_state is not None:
        return "state-ok"
    return _ask({"confirm": _form("Please confirm", "ok", "boolean")}, "asked")


async def capabilities(ctx: Ctx) -> InputRequiredResult:
    """Asks only what the client says it can answer."""
    declared = ctx.client_capabilities
    possible: dict[str, tuple[object, InputRequest]] = {
        "sample": (declared and declared.sampling, _sample("Say hello")),
        "ask": (declared and declared.elicitation, _form(_NAME, "name")),
    }
    return _ask({name: request for name, (can, request) in possible.items() if can is not None}, "asked")


async def missing_capability(ctx: Ctx) -> str:
    """Needs a model of the client's."""
    declared = ctx.client_capabilities
    if declared is None or declared.sampling is None:
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling.", needed)
    return "Done."


async def prompt(ctx: Ctx) -> list[UserMessage] | InputRequiredResult:
    """A prompt that asks for its context."""
    answer = _answered(ctx, "user_context")
    if answer is None:
        return _ask({"user_context": _form("What context should the prompt use?", "context")})
    return [UserMessage(content=TextContent(type="text", text=answer))]


def _mount_changes(server: MCPServer[Any]) -> None:
    """Tools that change the lists which the suite listens to."""

    async def tool_change(ctx: Ctx) -> str:
        """Adds a tool, removes it and says so."""
        server.add_tool(elicitation, name="test_dynamic_tool")
        server.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "Done."

    async def prompt_change(ctx: Ctx) -> str:
        """Adds a prompt, removes it and says so."""
        server.add_prompt(Prompt.from_function(prompt, name="test_dynamic_prompt"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "Done."

    changes: tuple[Callable[..., Any], ...] = (tool_change, prompt_change)
    for change in changes:
        server.add_tool(change, name=f"test_trigger_{change.__name__}")


def _answered(ctx: Ctx, *names: str) -> str | None:
    """What was answered to these questions; None while one is open."""
    answers = ctx.input_responses or {}
    if not set(names) <= answers.keys():
        return None
    return json.dumps({name: answers[name].model_dump(mode="json") for name in names})


def _ask(questions: dict[str, InputRequest], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=state)


def _form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))
