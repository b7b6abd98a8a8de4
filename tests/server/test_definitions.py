"""Laws over all tools as they are published, whoever wrote them."""

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from firmly_mcp.server.published import DEFINITIONS
from tests.definitions.generated import generated, written

PUBLISHED = [Tool.model_validate(definition) for definition in generated()]
EACH = pytest.mark.parametrize("tool", PUBLISHED, ids=[tool.name for tool in PUBLISHED])

# The tools that spend money, by hand: adding one is a decision and not an accident.
SPENDING = {"complete_order", "place_order"}
# What needs no words.
PLAIN = {"store", "query", "quantity"}
# No schema, description or annotation holds these: where a card could go, or what would count as a yes.
NO_ARGUMENT = ("number", "cvv", "cvc", "pin", "pan", "expiry", "approve", "approval", "confirm", "consent", "yes")


def test_there_are_at_most_22_tools_each_once() -> None:
    names = [tool.name for tool in PUBLISHED]
    assert len(names) == len(set(names)) <= 22


@pytest.mark.parametrize("definition", generated(), ids=lambda definition: str(definition["name"]))
def test_a_tool_is_published_as_its_function_is(definition: dict[str, Any]) -> None:
    file = DEFINITIONS / f"{definition['name']}.json"
    assert file.exists(), "run `python -m tests.definitions`, and read what it changed"
    assert written(definition) == file.read_text("utf-8"), "run `python -m tests.definitions`, and read what it changed"


def test_no_file_is_left_of_a_tool_that_is_gone() -> None:
    assert {file.stem for file in DEFINITIONS.glob("*.json")} == {tool.name for tool in PUBLISHED}


@pytest.mark.anyio
async def test_a_host_is_given_the_definitions_in_the_files(client: Client) -> None:
    assert (await client.list_tools()).tools == PUBLISHED


@EACH
def test_a_tool_has_a_title_a_short_description_and_all_hints(tool: Tool) -> None:
    assert tool.title
    assert tool.description
    assert len(tool.description) < 300
    assert tool.annotations
    hints = tool.annotations.model_dump(exclude={"title"})
    assert all(isinstance(hint, bool) for hint in hints.values())


@EACH
def test_a_schema_is_an_object_closed_and_without_noise(tool: Tool) -> None:
    assert tool.output_schema
    assert tool.input_schema["additionalProperties"] is False
    for schema in (tool.input_schema, tool.output_schema):
        assert schema["type"] == "object"
        for part in parts(schema):
            assert not {"title", "anyOf", "oneOf", "allOf", "$ref", "$defs"} & set(part), part
            assert part.get("default", 0) is not None


@EACH
def test_every_argument_says_what_it_is_and_has_one_type(tool: Tool) -> None:
    for name, schema in arguments(tool.input_schema):
        assert name in PLAIN or schema.get("description"), name
        assert isinstance(schema["type"], str), name


@EACH
def test_only_the_tools_named_here_spend_and_they_say_so(tool: Tool) -> None:
    assert tool.description
    assert tool.annotations
    assert ("SPENDS MONEY" in tool.description) is (tool.name in SPENDING)
    if tool.name in SPENDING:
        assert tool.annotations.destructive_hint
        assert not tool.annotations.read_only_hint


@EACH
def test_no_argument_could_carry_a_card_number_a_security_code_or_a_consent(tool: Tool) -> None:
    names = {name.lower() for name, _ in arguments(tool.input_schema)} - {"order_number"}
    for word in NO_ARGUMENT:
        assert not any(word in name for name in names if word != "pan" or name != "company"), word


@EACH
def test_a_result_says_what_to_do_next(tool: Tool) -> None:
    assert tool.output_schema
    assert "next" in tool.output_schema["properties"]


@EACH
def test_a_description_names_only_tools_that_exist(tool: Tool) -> None:
    names = {other.name for other in PUBLISHED}
    words = {word.strip(".,;:`'").removesuffix("'s") for word in (tool.description or "").split()}
    assert {word for word in words if "_" in word} - {"SCHEDULED_DELIVERY", "promo_codes"} <= names


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema."""
    if isinstance(schema, dict):
        yield schema
        inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
        for part in inner:
            yield from parts(part)


def arguments(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every argument with its name, at any depth."""
    for part in parts(schema):
        yield from part.get("properties", {}).items()
