"""What the suite reads: tools, resources and prompts of each kind of content. Names and texts are the suite's."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any, Final

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# A picture of one red pixel, and a sound without samples.
_PIXEL: Final = b"".join(
    (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")),
        _chunk(b"IEND", b""),
    )
)
_SILENCE: Final = b"RIFF\x24\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data\0\0\0\0"
_STEP_SECONDS: Final = 0.05


def mount_contents(server: MCPServer[Any]) -> None:
    """Add them to a server."""
    for tool in (simple_text, image, audio, embedded_resource, multiple_content_types, failing, with_progress):
        server.add_tool(tool, name=_TOOLS[tool.__name__])
    server.resource("test://static-text", mime_type="text/plain", description="A text")(static_text)
    server.resource("test://static-binary", mime_type="image/png", description="A picture")(static_binary)
    server.resource("test://watched-resource", mime_type="text/plain", description="One to subscribe to")(static_text)
    server.resource("test://template/{id}/data", mime_type="application/json", description="One of many")(by_id)
    for prompt in (simple_prompt, prompt_with_arguments, prompt_with_embedded_resource, prompt_with_image):
        server.prompt(f"test_{prompt.__name__}")(prompt)


_TOOLS: Final = {
    "simple_text": "test_simple_text",
    "image": "test_image_content",
    "audio": "test_audio_content",
    "embedded_resource": "test_embedded_resource",
    "multiple_content_types": "test_multiple_content_types",
    "failing": "test_error_handling",
    "with_progress": "test_tool_with_progress",
}


def simple_text() -> str:
    """A text."""
    return "This is a simple text response for testing."


def image() -> list[ImageContent]:
    """A picture."""
    return [ImageContent(type="image", data=_base64(_PIXEL), mime_type="image/png")]


def audio() -> list[AudioContent]:
    """A sound."""
    return [AudioContent(type="audio", data=_base64(_SILENCE), mime_type="audio/wav")]


def embedded_resource() -> list[EmbeddedResource]:
    """A resource in the result."""
    return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


def multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """A text, a picture and a resource."""
    data = json.dumps({"test": "data", "value": 123})
    return [
        TextContent(type="text", text="Multiple content types test:"),
        *image(),
        _embedded("test://mixed-content-resource", "application/json", data),
    ]


def failing() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


async def with_progress(ctx: Context[Any, Any]) -> str:
    """Reports three steps."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(_STEP_SECONDS)
    return "Done."


def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    """A picture."""
    return _PIXEL


def by_id(id: str) -> str:  # noqa: A002 - the suite's name
    """One of many."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def simple_prompt() -> list[UserMessage]:
    """A prompt without arguments."""
    return [_says("This is a simple prompt for testing.")]


def prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """A prompt with two."""
    return [_says(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]


def prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    """A prompt that carries a resource."""
    resource = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(content=resource), _says("Please process the embedded resource above.")]


def prompt_with_image() -> list[UserMessage]:
    """A prompt that carries a picture."""
    return [UserMessage(content=image()[0]), _says("Please analyze the image above.")]


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _says(text: str) -> UserMessage:
    return UserMessage(content=TextContent(type="text", text=text))
