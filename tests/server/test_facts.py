"""Some hosts pass on a result's text alone, some its object alone: both carry every fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from firmly_mcp.errors import CALL_HINTS, FirmlyError
from tests.server.test_full_cart import HEARTH, sofa_cart
from tests.shop import STORE, TEE, Shop, call, fill_cart, refused

# A flag is a word in the text; a flag that is not set stands in neither form.
WORDS = {
    ("available", False): "out of stock",
    ("chosen", True): "chosen",
    ("required", True): "required",
    ("recurring", True): "charged again and again",
    ("retry_safe", True): "Safe to repeat: yes",
    ("retry_safe", False): "Safe to repeat: no",
    ("ready", False): "Not ready",
    ("ready", True): "would be",
}


def facts(value: Any, name: str = "") -> Iterator[str]:
    """Every fact of an object, as the text states it."""
    if isinstance(value, bool):
        yield WORDS[name, value]
    elif isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        yield f"{value['amount']} {value['currency']}"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from facts(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from facts(part, name)
    else:
        yield str(value)


def agree(result: CallToolResult) -> dict[str, Any]:
    text = "".join(block.text for block in result.content if block.type == "text")
    assert result.structured_content is not None
    for fact in facts(result.structured_content):
        assert fact in text, (fact, text)
    assert not text.lstrip().startswith(("{", "["))
    return dict(result.structured_content)


@pytest.mark.anyio
async def test_what_is_read_is_in_both(client: Client) -> None:
    for tool, arguments in (
        ("search_products", {"query": "tee", "page_size": 4}),
        ("search_products", {"query": "zzz"}),
        ("list_products", {"store": STORE}),
        ("get_product", {"store": STORE, "handle": "radiant-tee"}),
        ("get_cart", {}),
        ("get_cart", {"store": STORE}),
        ("set_postal_code", {"postal_code": "90210"}),
        ("list_payment_cards", {}),
        ("list_addresses", {}),
        ("list_orders", {}),
        ("preview_order", {"store": STORE}),
    ):
        assert agree(await client.call_tool(tool, arguments)), tool


@pytest.mark.anyio
async def test_what_a_cart_and_an_order_become_is_in_both(client: Client, shop: Shop) -> None:
    await sofa_cart(client)
    result: dict[str, Any] = {}
    for tool, arguments in (
        ("set_promo_codes", {"promo_codes": ["SAVE10"]}),
        ("set_addon", {"addon_id": "room_delivery"}),
        ("set_fulfillment", {"type": "SCHEDULED_DELIVERY"}),
        ("get_availability", {}),
        ("set_fulfillment", {"type": "SHIP_TO_ADDRESS"}),
        ("get_cart", {}),
        ("preview_order", {}),
        ("complete_order", {"max_total": "9000"}),
    ):
        result = agree(await client.call_tool(tool, {"store": HEARTH, **arguments}))
    assert result["status"] == "placed"
    assert shop.charges[0][0] == result["order_number"]
    for tool, arguments in (
        ("get_order_status", {"attempt": result["attempt"]}),
        ("get_order_status", {"store": HEARTH, "order_number": result["order_number"]}),
        ("list_orders", {}),
    ):
        assert "next" in agree(await client.call_tool(tool, arguments))


@pytest.mark.anyio
async def test_what_an_order_that_did_not_happen_says_is_in_both(client: Client) -> None:
    await sofa_cart(client)
    order = agree(await client.call_tool("complete_order", {"store": HEARTH, "max_total": "9000"}))
    assert (order["status"], order["money_moved"]) == ("not_placed", "no")
    status = agree(await client.call_tool("get_order_status", {"attempt": order["attempt"]}))
    assert status["attempt"]["money_moved"] == "no"
    assert agree(await client.call_tool("list_orders", {}))["orders"][0]["status"] == "not_placed"


@pytest.mark.anyio
async def test_what_an_error_says_is_in_both(client: Client) -> None:
    await fill_cart(client)
    for tool, arguments in (
        ("get_cart", {"store": "nowhere.example"}),
        ("add_line_item", {"store": STORE, "ref": "WS12-S-Orange", "quantity": 9999}),
        ("set_promo_codes", {"store": STORE, "promo_codes": ["NONSENSE"]}),
        ("set_shipping_info", {"store": STORE, "address": "none"}),
        ("set_fulfillment", {"store": STORE, "method": "DRONE"}),
        ("complete_order", {"store": STORE, "max_total": "1"}),
        ("complete_order", {"store": STORE, "colour": "red"}),
        ("complete_order", {"store": STORE, "card": "4111 1111 1111 1111"}),
    ):
        error = agree(await client.call_tool(tool, arguments))
        assert {"code", "message", "money_moved", "retry_safe"} <= error.keys()
        assert error["money_moved"] == "no"


@pytest.mark.anyio
async def test_variants_are_a_table_that_says_once_what_all_share(client: Client) -> None:
    product = await call(client, "get_product", store=STORE, handle="radiant-tee")
    assert product["options"] == ["Size", "Color"]
    assert product["price"] == {"amount": "22.00", "currency": "USD"}
    assert len(product["variants"]) == 15
    assert {"ref": TEE, "options": ["XS", "Orange"]} in product["variants"]
    assert {"ref": "WS12-M-Orange", "options": ["M", "Orange"], "available": False} in product["variants"]


def test_every_error_says_what_to_do_next() -> None:
    assert all(kind.hint for kind in tree(FirmlyError))
    assert all(CALL_HINTS.values())


@pytest.mark.anyio
async def test_a_wrong_id_is_answered_with_the_right_ones(client: Client) -> None:
    cart = await sofa_cart(client)
    line = await refused(client, "update_line_item", store=HEARTH, line_item_id="none", quantity=1)
    assert line["known"] == [cart["lines"][0]["line_item_id"]]
    addon = await refused(client, "set_addon", store=HEARTH, addon_id="none")
    assert addon["known"] == [offer["addon_id"] for offer in cart["offered_addons"]]
    shipment = await refused(client, "set_fulfillment", store=HEARTH, shipment_id="none", method="STANDARD")
    assert shipment["known"] == [cart["shipments"][0]["shipment_id"]]
    assert "ship_" not in shipment["message"]


def tree(kind: type[FirmlyError]) -> Iterator[type[FirmlyError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)
