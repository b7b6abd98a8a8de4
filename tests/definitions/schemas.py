"""What is published of a tool, in the files in `firmly_mcp/server/definitions/`.

Every conversation pays for it, so nothing in it is said twice.

Arguments keep what helps to call rightly: types, choices, bounds of numbers, descriptions. The lengths of texts and
lists are checked all the same, and no honest call meets them. A result names its fields with their types, one level
deep; what an earlier tool published so is published by the fields that a caller acts on. No field is required of a
result: an error has others, and what is empty is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.mcpserver.tools import Tool

Schema = dict[str, Any]

_CLOSED: Final = "additionalProperties"

_UNSAID: Final = frozenset(
    {"$defs", "title", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "minProperties"}
)
_NO_DEFAULT: Final[tuple[object, ...]] = (None, False, [], "")
# A bound that is there against nonsense tells a model nothing.
_AGAINST_NONSENSE: Final = 9_999
# What a caller acts on, in any result.
_ACTED_ON: Final = ("total", "warnings", "next")
_TYPED: Final = ("type", "enum", "const")


def definitions(tools: Iterable[Tool]) -> Iterator[dict[str, Any]]:
    """What is published of each of these tools, in their order."""
    known: dict[str, Schema] = {}
    for tool in tools:
        generated = tool.fn_metadata.output_schema
        assert generated is not None, f"{tool.name} gives no view"
        assert tool.annotations is not None, f"{tool.name} states no hints"
        yield {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "inputSchema": arguments_schema(tool.parameters),
            "outputSchema": result_schema(generated, known),
            "annotations": tool.annotations.model_dump(by_alias=True, exclude_none=True),
        }
        known.setdefault(generated["title"], generated)


def arguments_schema(generated: Schema) -> Schema:
    """The schema of a tool's arguments, closed, and without what no model reads."""
    return _shown(generated, generated.get("$defs", {})) | {_CLOSED: False}


def result_schema(generated: Schema, known: Mapping[str, Schema]) -> Schema:
    """The schema of a tool's result; `known` are those that other tools published, by the name of the view."""
    fields = generated["properties"]
    if generated["title"] in known:
        shown = [name for name in fields if name in (*_ACTED_ON, *generated.get("required", []))]
        return {"type": "object", "properties": {name: _kind(fields[name], ("type",)) for name in shown}}
    return {"type": "object", "properties": {name: _kind(schema, _TYPED) for name, schema in fields.items()}}


def _shown(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A schema with its references in place, and without titles, null and lengths."""
    whole = _in_place(schema, definitions)
    return {name: _part(name, value, definitions) for name, value in whole.items() if not _is_noise(name, value)}


def _in_place(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    own = {name: value for name, value in schema.items() if name not in {"anyOf", "$ref"}}
    if "$ref" in schema:
        named = definitions[schema["$ref"].rpartition("/")[2]]
        return {name: value for name, value in named.items() if name != "description"} | own
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _in_place(options[0], definitions) | own
    return schema


def _part(name: str, value: Any, definitions: Mapping[str, Schema]) -> Any:
    if name == "properties":
        return {field: _shown(schema, definitions) for field, schema in value.items()}
    if isinstance(value, dict):
        return _shown(value, definitions)
    return value


def _is_noise(name: str, value: Any) -> bool:
    if name == "maximum":
        return bool(value >= _AGAINST_NONSENSE)
    # What is closed is said once, at the top.
    return name in _UNSAID or (name == "default" and value in _NO_DEFAULT) or (name, value) == (_CLOSED, False)


def _kind(schema: Schema, words: Iterable[str]) -> Schema:
    options = [option for option in schema.get("anyOf", (schema,)) if option.get("type") != "null"]
    if "$ref" in options[0]:
        return {"type": "object"}
    return {name: options[0][name] for name in words if name in options[0]}
