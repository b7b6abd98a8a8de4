"""What the suite is asked: by calls of the server to the client, as the 2025-11-25 revision has them."""

from __future__ import annotations

from typing import Any, Final

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import (
    EmptyResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)

_STEP_SECONDS: Final = 0.05


def mount_questions(server: MCPServer[Any]) -> None:
    """Add them to a server, and the three methods that only this revision has."""
    server.add_tool(with_logging, name="test_tool_with_logging")
    server.add_tool(sampling, name="test_sampling")
    server.add_tool(elicitation, name="test_elicitation")
    server.add_tool(elicitation_of_defaults, name="test_elicitation_sep1034_defaults")
    server.add_tool(elicitation_of_choices, name="test_elicitation_sep1330_enums")
    lowlevel = server._lowlevel_server
    lowlevel.add_request_handler("logging/setLevel", SetLevelRequestParams, _accepted)
    lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, _accepted)
    lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, _accepted)


async def with_logging(ctx: Context[Any, Any]) -> str:
    """Logs three lines."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await anyio.sleep(_STEP_SECONDS)
    return "Done."


async def sampling(prompt: str, ctx: Context[Any, Any]) -> str:
    """Asks the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {getattr(answer.content, 'text', '')}"


async def elicitation(message: str, ctx: Context[Any, Any]) -> str:
    """Asks the person two things."""
    return await _asked(ctx, message, {"username": _a("string"), "email": _a("string")})


async def elicitation_of_defaults(ctx: Context[Any, Any]) -> str:
    """Asks with an answer proposed for each kind of value."""
    fields = {
        "name": _a("string", default="John Doe"),
        "age": _a("integer", default=30),
        "score": _a("number", default=95.5),
        "status": _a("string", enum=["active", "inactive", "pending"], default="active"),
        "verified": _a("boolean", default=True),
    }
    return await _asked(ctx, "Is this right?", fields, required=False)


async def elicitation_of_choices(ctx: Context[Any, Any]) -> str:
    """Asks for a choice, in each of the five ways to write one."""
    options = ["option1", "option2", "option3"]
    titled = [{"const": option, "title": option.upper()} for option in options]
    fields = {
        "untitledSingle": _a("string", enum=options),
        "titledSingle": _a("string", oneOf=titled),
        "legacyEnum": _a("string", enum=options, enumNames=[option.upper() for option in options]),
        "untitledMulti": _a("array", items={"type": "string", "enum": options}),
        "titledMulti": _a("array", items={"anyOf": titled}),
    }
    return await _asked(ctx, "Which?", fields)


def _a(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": f"A {kind}", **more}


async def _asked(
    ctx: Context[Any, Any], message: str, fields: dict[str, dict[str, Any]], *, required: bool = True
) -> str:
    schema = {"type": "object", "properties": fields, "required": list(fields) if required else []}
    answer = await ctx.session.elicit_form(message, schema, ctx.request_id)
    return f"Elicitation completed: action={answer.action}, content={answer.content or {}}"


async def _accepted(*_: Any) -> EmptyResult:
    return EmptyResult()
