"""What good and bad arguments get."""

from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from tests.shop import STORE, TEE, Shop, call, fill_cart, refused, text_of

SCARCE = "WS12-S-Orange"
TEST_NUMBER = "4111 1111 1111 1111"


async def listed(client: Client) -> list[Tool]:
    return (await client.list_tools()).tools


@pytest.mark.anyio
async def test_an_unknown_argument_is_refused_by_every_tool(client: Client) -> None:
    for tool in await listed(client):
        error = await refused(client, tool.name, colour="red")
        assert error["code"] == "invalid_arguments"
        assert "colour" in error["message"]


@pytest.mark.anyio
async def test_a_card_number_is_refused_by_every_tool_and_not_echoed(client: Client) -> None:
    digits = TEST_NUMBER.replace(" ", "")
    for tool in await listed(client):
        for value in (TEST_NUMBER, int(digits), {"a": [f"pay with {digits}"]}):
            result = await client.call_tool(tool.name, {"store": value})
            assert result.is_error
            assert "4111" not in text_of(result)
            assert "cards add" in text_of(result)


@pytest.mark.anyio
async def test_a_quantity_that_is_none_changes_nothing(client: Client, shop: Shop) -> None:
    for quantity in (0, -1, 10_000, 1.5, "many", None, [1]):
        error = await refused(client, "add_line_item", store=STORE, ref=TEE, quantity=quantity)
        assert error["code"] == "invalid_arguments"
        assert "quantity" in error["message"]
    assert "lines" not in (await call(client, "get_cart", store=STORE))["carts"][0]
    assert not shop.charges


@pytest.mark.anyio
async def test_a_limit_that_is_none_orders_nothing(client: Client, shop: Shop) -> None:
    await fill_cart(client)
    for max_total in ("lots", "-1", "NaN", "Infinity", "1,5"):
        error = await refused(client, "complete_order", store=STORE, max_total=max_total)
        assert error["code"] == "invalid_arguments"
        assert max_total not in error["message"]
    assert not shop.orders_sent()


BAD_INPUT: list[tuple[str, dict[str, Any], str]] = [
    ("get_cart", {"store": "nowhere.example"}, "not_found"),
    ("get_cart", {"store": "../../v1/x"}, "invalid_request"),
    ("add_line_item", {"store": STORE, "ref": "NO-SUCH-VARIANT"}, "product_not_found"),
    ("add_line_item", {"store": STORE, "ref": SCARCE, "quantity": 9999}, "out_of_stock"),
    ("update_line_item", {"store": STORE, "line_item_id": "none", "quantity": 1}, "cart_not_found"),
    ("get_product", {"store": STORE, "handle": "no-such-product"}, "product_not_found"),
    ("get_product", {"store": STORE}, "not_allowed"),
    ("get_product", {"url": "not an address"}, "invalid_request"),
    ("search_products", {"query": "tee", "next_page": "https://evil.example/"}, "not_allowed"),
    ("set_shipping_info", {"store": STORE, "address": "nowhere"}, "address_not_found"),
    ("complete_order", {"store": STORE}, "not_allowed"),
    ("complete_order", {"store": STORE, "card": "none"}, "not_allowed"),
    ("place_order", {"store": STORE, "items": []}, "invalid_arguments"),
    ("place_order", {"store": STORE, "items": [{"ref": "NO-SUCH-VARIANT"}]}, "product_not_found"),
    ("place_order", {"store": STORE, "items": [{"ref": TEE, "colour": 1}]}, "invalid_arguments"),
    ("place_order", {"store": STORE, "items": [{"ref": TEE}], "card": "none"}, "card_not_found"),
    ("place_order", {"store": STORE, "items": [{"ref": TEE}], "address": "none"}, "address_not_found"),
]


@pytest.mark.anyio
async def test_bad_input_is_a_clear_error_and_moves_no_money(client: Client, shop: Shop) -> None:
    for tool, arguments, code in BAD_INPUT:
        error = await refused(client, tool, **arguments)
        assert error["code"] == code, (tool, arguments, error)
        assert error["money_moved"] == "no"
    assert not shop.orders_sent()
    assert (await call(client, "list_payment_cards"))["cards"]


@pytest.mark.anyio
async def test_text_and_object_state_the_same_facts(client: Client, shop: Shop) -> None:
    cart = await fill_cart(client)
    result = await client.call_tool("complete_order", {"store": STORE, "max_total": "1000"})
    order = result.structured_content
    assert order
    text = "".join(block.text for block in result.content if block.type == "text")
    for fact in ("status", "money_moved", "attempt", "order_number", "next"):
        assert str(order[fact]) in text, fact
    assert cart["total"]["amount"] in text
    assert shop.charges[0][0] in text


@pytest.mark.anyio
async def test_a_search_goes_on_where_it_stopped(client: Client) -> None:
    first = await call(client, "search_products", query="tee", page_size=3)
    assert len(first["products"]) == 3
    second = await call(client, "search_products", query="tee", page_size=3, next_page=first["next_page"])
    handles = [(hit["store"], hit["handle"]) for hit in first["products"] + second["products"]]
    assert len(set(handles)) == 6


@pytest.mark.anyio
async def test_a_product_is_found_by_its_page(client: Client) -> None:
    by_handle = await call(client, "get_product", store=STORE, handle="radiant-tee")
    by_page = await call(client, "get_product", url=by_handle["page"])
    assert by_page["variants"] == by_handle["variants"]


@pytest.mark.anyio
async def test_a_cart_is_changed_and_emptied(client: Client) -> None:
    cart = await fill_cart(client, quantity=2)
    line = cart["lines"][0]["line_item_id"]
    changed = await call(client, "update_line_item", store=STORE, line_item_id=line, quantity=5)
    assert changed["lines"][0]["quantity"] == 5
    gone = await call(client, "update_line_item", store=STORE, line_item_id=line, quantity=0)
    assert "lines" not in gone
    await fill_cart(client)
    assert "lines" not in await call(client, "clear_cart", store=STORE)


@pytest.mark.anyio
async def test_the_prompt_is_served_with_its_arguments_filled(client: Client) -> None:
    prompts = (await client.list_prompts()).prompts
    assert {"shop", "checkout", "compare", "reorder", "track_order", "gift"} == {prompt.name for prompt in prompts}
    filled = await client.get_prompt("shop", {"what": "an orange tee for $5"})
    words = filled.messages[0].content
    assert words.type == "text"
    assert "an orange tee for $5" in words.text
    assert "not said" in words.text
