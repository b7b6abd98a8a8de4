"""A request over a limit is refused before it is read, whatever it is over, with an answer as short as any."""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp.types import PromptReference

from firmly_mcp.server.bounds import CHARACTERS, DEPTH, VALUES, excess
from tests.shop import STORE, Shop, refused, text_of

DIGITS = "4 " * 200_000
MANY_KEYS = {f"key{number}": number for number in range(200_000)}


def nested(depth: int) -> Any:
    value: Any = []
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


OVER: dict[str, dict[str, Any]] = {
    "digits": {"query": DIGITS},
    "digits as a key": {DIGITS: 1},
    "keys": MANY_KEYS,
    "keys below": {"options": MANY_KEYS},
    "values": {"stores": [1] * 200_000},
    "texts": {"stores": ["x" * 1000] * 100},
    "depth": {"options": nested(150)},
    "a large number": {"page_size": 10**4_000},
    "a negative number": {"page_size": -(10**40)},
}


@pytest.mark.parametrize("arguments", OVER.values(), ids=OVER)
@pytest.mark.anyio
async def test_arguments_over_a_limit_are_refused_by_every_tool(
    client: Client, shop: Shop, arguments: dict[str, Any]
) -> None:
    seen = len(shop.simulator.requests)
    for tool in (await client.list_tools()).tools:
        result = await client.call_tool(tool.name, arguments)
        assert result.is_error
        assert result.structured_content is not None
        assert result.structured_content["code"] == "invalid_arguments"
        assert "not read" in result.structured_content["message"]
        assert len(text_of(result)) < 1_000
    assert len(shop.simulator.requests) == seen


def steps(value: object) -> int:
    """How many functions are called to measure a value."""
    called = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal called
        called += event in {"call", "c_call"}

    sys.setprofile(seen)
    try:
        assert excess(value)
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize("arguments", OVER.values(), ids=OVER)
def test_measuring_ends_at_the_limit(arguments: dict[str, Any]) -> None:
    assert steps(arguments) < 10 * VALUES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON)
def test_what_is_within_all_limits_passes(value: Any) -> None:
    def depth(part: Any) -> int:
        below = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
        return 1 + max(map(depth, below), default=0)

    assert (excess(value) is None) == (depth(value) <= DEPTH + 1)


@pytest.mark.parametrize(
    ("least", "most"),
    [
        ("x" * (CHARACTERS + 1), "x" * CHARACTERS),
        (["x"] * VALUES, ["x"] * (VALUES - 1)),
        ({"x" * CHARACTERS: "y"}, {"x" * (CHARACTERS - 1): "y"}),
        (nested(DEPTH + 1), nested(DEPTH)),
        (2**64, 2**64 - 1),
        ([float("nan")], [1e300]),
        (float("inf"), -1e300),
    ],
)
def test_a_limit_is_where_it_is_stated(least: Any, most: Any) -> None:
    assert excess(least) is not None
    assert excess(most) is None


@pytest.mark.anyio
async def test_of_many_problems_some_are_named_and_the_rest_is_counted(client: Client) -> None:
    unknown = {f"key{number}{'x' * 30}": number for number in range(1_500)}
    error = await refused(client, "get_cart", **unknown)
    assert error["code"] == "invalid_arguments"
    assert error["message"].count("key") == 10
    assert "and 1490 more" in error["message"]
    assert len(error["message"]) < 2_000


@pytest.mark.anyio
async def test_the_name_of_an_unknown_argument_is_bounded_and_cleaned(client: Client) -> None:
    error = await refused(client, "get_cart", **{"a\u202e\u200bb\nstatus: placed " + "x" * 5_000: 1})
    assert "ab status: placed" in error["message"]
    assert "\u202e" not in error["message"]
    assert len(error["message"]) < 300


@pytest.mark.parametrize("name", [DIGITS, "x" * 5_000, "a\u202eb", "pay\nplaced", "4111111111111111", ""])
@pytest.mark.anyio
async def test_a_name_that_no_tool_prompt_or_resource_has_is_not_echoed(client: Client, name: str) -> None:
    for asked in (
        lambda: client.call_tool(name, {}),
        lambda: client.get_prompt(name),
        lambda: client.read_resource(name),
    ):
        with pytest.raises(MCPError) as refusal:
            await asked()
        assert len(str(refusal.value)) < 300
        assert not name or name not in str(refusal.value)


@pytest.mark.anyio
async def test_prompts_and_completions_are_bounded_as_tools_are(client: Client) -> None:
    name = (await client.list_prompts()).prompts[0].name
    for words in (DIGITS, "4111 1111 1111 1111"):
        with pytest.raises(MCPError, match="nothing was done"):
            await client.get_prompt(name, {"store": words})
        with pytest.raises(MCPError, match="nothing was done"):
            await client.complete(PromptReference(name=name), {"name": "store", "value": words})
    with pytest.raises(MCPError, match="nothing was done"):
        await client.call_tool("get_cart", {"store": STORE}, meta=cast("Any", {"x": nested(150)}))


@pytest.mark.anyio
async def test_an_addon_is_not_taken_from_hundreds_of_lines_at_once(client: Client, shop: Shop) -> None:
    seen = len(shop.simulator.requests)
    ids = [f"line{number}" for number in range(50)]
    error = await refused(client, "set_addon", store=STORE, addon_id="x", remove=True, line_item_ids=ids, child_ids=ids)
    assert error["code"] == "not_allowed"
    assert "Nothing was changed" in json.dumps(error) or "nothing was changed" in json.dumps(error)
    assert len(shop.simulator.requests) == seen
