"""The tools as they are published: a definition is a file in `definitions/`, its function is loaded by the first call.

A client starts this server at every launch, and most of them only list the tools: they pay for no view, no schema and
no room. A test holds every file to what the function itself gives.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp.types import CallToolResult, InputRequiredResult

    from .subscriptions import ResourceUpdates
    from .tool import Offered

DEFINITIONS: Final = Path(__file__).parent / "definitions"


class LazyTool(Tool):
    """A tool that is listed as its file says, and becomes a `StrictTool` when it is called."""

    _place: str = PrivateAttr()
    _notices: ResourceUpdates = PrivateAttr()
    _own: Tool | None = PrivateAttr(default=None)

    @classmethod
    def at(cls, place: str, notices: ResourceUpdates) -> Self:
        """The tool at `module.function`, below `tools`."""
        definition = definition_of(place)
        tool = cls(
            fn=_not_called,
            name=definition["name"],
            title=definition["title"],
            description=definition["description"],
            parameters=definition["inputSchema"],
            fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=definition["outputSchema"]),
            is_async=True,
            context_kwarg=None,
            annotations=definition["annotations"],
        )
        tool._place, tool._notices = place, notices
        return tool

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        if self._own is None:
            from .tool import StrictTool

            self._own = StrictTool.of(load_tool(self._place), self._notices)
        result: CallToolResult | InputRequiredResult = await self._own.run(arguments, context, convert_result)
        return result


def definition_of(place: str) -> dict[str, Any]:
    """What is published of the tool at `module.function`."""
    definition: dict[str, Any] = json.loads((DEFINITIONS / f"{place.rpartition('.')[2]}.json").read_bytes())
    return definition


def load_tool(place: str) -> Offered:
    """What the function at `module.function`, below `tools`, offers."""
    module, _, name = place.partition(".")
    offer: Offered = getattr(import_module(f"{__package__}.tools.{module}"), name)
    return offer


def _not_called() -> NoReturn:
    raise AssertionError("a lazy tool runs as a StrictTool")
