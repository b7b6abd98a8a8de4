"""Whatever a store writes comes out as clean, bounded data in named fields, and moves nothing: no rule, no order."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from firmly_mcp.api.error_codes import error_from_response
from firmly_mcp.api.fields import read
from firmly_mcp.api.models import Cart
from firmly_mcp.api.order_status import Availability, OrderStatus
from firmly_mcp.api.products import Product, ProductListing, search_page
from firmly_mcp.server.app import build_server
from firmly_mcp.server.views.cart import CartView
from firmly_mcp.server.views.catalog import ListingView, ProductView, SearchView
from firmly_mcp.server.views.orders import StatusView
from firmly_mcp.server.views.shipments import AvailabilityView
from firmly_mcp.server.views.view import ErrorView, View
from firmly_mcp.untrusted import is_unseen, suspicions
from tests.checkout.gate import ALLOW, open_gate
from tests.dialects import Wording
from tests.hostile import Payload, payloads
from tests.server.hostile_bodies import cart, product, status, usd
from tests.server.test_progress import Told
from tests.shop import CVV_COMMAND, STORE, TEE, text_of

ALL = payloads()
LONGEST = 400
LONGEST_REF = 1_000
# Fields whose words are ours; no store's text is ever in them.
OURS = frozenset(
    {
        "next",
        "message",
        "code",
        "warnings",
        "money_moved",
        "status",
        "reason",
        "suspicious",
        "command",
        "environment",
    }
)


def views(text: str) -> Iterator[View]:
    """Every view that shows what a store wrote, with this text in every field."""
    yield SearchView.of(search_page({"products": [product(text)]}), None)
    yield ProductView.of(read(Product, product(text)), None)
    yield ListingView.of(STORE, [read(ProductListing, {"handle": text, "title": text})], None)
    yield CartView.of(STORE, read(Cart, cart(text)))
    yield StatusView.of(STORE, read(OrderStatus, status(text)))
    day = {"date": text, "time_slots": [{"start_time": text, "end_time": text}]}
    offered = {"shipment_id": text, "available_dates": [day], "delivery_windows": [{"name": text, "price": usd(text)}]}
    yield AvailabilityView.of(STORE, read(Availability, offered))
    yield ErrorView.of(
        error_from_response(422, {"code": 422, "error": "ErrorInvalidInputBody", "description": text}, {})
    )


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield "", str(key)
            yield from leaves(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, name)
    else:
        yield name, str(value)


def assert_seen(text: str) -> None:
    """No control, invisible or bidirectional character but the line's end."""
    assert not [character for character in text if is_unseen(character)]
    assert {unicodedata.category(character) for character in text.replace("\n", "")}.isdisjoint(
        {"Cc", "Cf", "Zl", "Zp"}
    )


def assert_clean(structured: Any, text: str, *, ours: frozenset[str] = OURS) -> None:
    assert_seen(text)
    assert_seen(json.dumps(structured, ensure_ascii=False))
    for name, leaf in leaves(structured):
        assert len(leaf) <= (LONGEST_REF if name == "ref" else LONGEST), name
        assert name not in ours or "zq" not in leaf, (name, leaf)


@pytest.mark.parametrize("kind", sorted({payload.kind for payload in ALL}))
def test_every_field_of_every_view_is_clean_bounded_and_told_of(kind: str) -> None:
    chosen = [payload for payload in ALL if payload.kind == kind]
    assert len(chosen) > 40
    for payload in chosen:
        for view in views(payload.text):
            structured = view.structured()
            ours = OURS - {"status"} if isinstance(view, StatusView) else OURS
            assert_clean(structured, view.text(), ours=ours)
            assert len(view.text()) < 8_000
            assert bool(structured.get("suspicious")) is payload.is_suspicious, (type(view), payload, structured)


def test_a_text_of_megabytes_is_cut_and_quickly_so() -> None:
    for text in ("x" * 3_000_000, "<p>" * 1_000_000, "&#x202e;" * 500_000, "\u202e" * 2_000_000, "a\u0301" * 1_000_000):
        view = ProductView.of(read(Product, product(text)), None)
        assert_clean(view.structured(), view.text())
        assert suspicions([text] * 100) is not None


HONEST = [
    "Radiant Tee",
    "The cleaning agent must be diluted",
    "Forget-me-not seeds, 200 pcs",
    "Men's 501® Original Fit Jeans, 32W – 34L",  # noqa: RUF001 - as stores write it
    "Café Crème, 2-pack",
    "Крем для рук Nivea",
    "Ω-3 capsules, 1000 mg",
    "5 µm filter",
    "系统相机 128GB",
    "سماعات لاسلكية",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family pack \u2764\ufe0f",
    "System 76 laptop stand",
    "User manual included",
    "ΑΒΓ alphabet poster",
    "Assistant chef's knife",
    "Model 3 must-have floor mats",
    "Please allow 3 days",
    "Our previous model, now with all rules of chess",
]


@pytest.mark.parametrize("text", HONEST)
def test_honest_texts_are_not_suspected(text: str) -> None:
    assert not suspicions(text)


class Stores:
    """Stores that write hostile texts: another payload for each text, until all were said."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        self._next = 0

    def __call__(self, _field: str, _text: str) -> str:
        payload: Payload = ALL[self._next % len(ALL)]
        self._next += 1
        self.said.add(payload.mark)
        return payload.text


@pytest.mark.anyio
async def test_hostile_stores_change_no_rule_and_place_no_order(
    tmp_path: Path, era: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "firmly_mcp")
    async with (
        open_gate(tmp_path, cvv_command=CVV_COMMAND) as gate,
        Client(build_server(gate.services), mode=era) as client,
    ):
        stores = Stores()
        gate.simulator.world.encode = Wording(stores)
        before = (await client.list_tools()).tools
        calls: list[tuple[str, dict[str, Any]]] = [
            ("search_products", {"query": "tee", "page_size": 50}),
            ("list_products", {"store": STORE}),
            ("get_product", {"store": STORE, "handle": "radiant-tee"}),
            ("add_line_item", {"store": STORE, "ref": TEE}),
            ("set_promo_codes", {"store": STORE, "promo_codes": ["NONSENSE"]}),
            ("set_addon", {"store": STORE, "addon_id": "nothing"}),
            ("set_shipping_info", {"store": STORE}),
            ("get_availability", {"store": STORE}),
            ("get_cart", {}),
            ("preview_order", {"store": STORE}),
            ("complete_order", {"store": STORE, "max_total": "9999"}),
            ("place_order", {"store": STORE, "items": [{"ref": TEE}], "max_total": "9999"}),
            ("list_orders", {}),
        ]
        for tool, arguments in calls:
            told = Told()
            result = await client.call_tool(tool, arguments, progress_callback=told)
            text = "".join(block.text for block in result.content if block.type == "text")
            assert_clean(result.structured_content, text)
            assert "zq" not in "".join(told.words)
        assert len(stores.said) == len(ALL)
        assert (await client.list_tools()).tools == before
        assert not gate.orders_sent()
        assert not gate.charges
        assert gate.settings.rules_file.read_text("utf-8") == ""
        assert "zq" not in caplog.text


@pytest.mark.parametrize("tool", ["complete_order", "place_order"])
@pytest.mark.anyio
async def test_an_order_at_a_hostile_store_is_told_in_our_words(tmp_path: Path, era: Any, tool: str) -> None:
    async with (
        open_gate(tmp_path, cvv_command=CVV_COMMAND) as gate,
        Client(build_server(gate.services), mode=era) as client,
    ):
        gate.rules(ALLOW)
        await gate.fill_cart()
        gate.simulator.world.encode = Wording(Stores())
        gate.simulator.faults.add("refuse", "*_order_v2", error="ErrorPaymentDeclined", description="zq no")
        for expected in ("not_placed", "placed"):
            told = Told()
            arguments = {"items": [{"ref": TEE, "quantity": 2}]} if tool == "place_order" else {}
            result = await client.call_tool(
                tool, {"store": STORE, "max_total": "100", **arguments}, progress_callback=told
            )
            text = "".join(block.text for block in result.content if block.type == "text")
            assert_clean(result.structured_content, text)
            assert result.structured_content is not None, text_of(result)
            assert result.structured_content["status"] == expected
            assert "zq" not in "".join(told.words)
        assert len(gate.charges) == 1
