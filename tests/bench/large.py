"""Large answers: what reading and showing them takes, and how long the result is, beside what is shown at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from firmly_mcp.api.fields import parse_json, read
from firmly_mcp.api.models import Cart
from firmly_mcp.api.products import listings, product_page
from firmly_mcp.server.views.cart import ROWS, CartView
from firmly_mcp.server.views.catalog import ListingView, ProductView, rows_of
from firmly_mcp.server.views.view import View

OBSERVED: Final = Path(__file__).parents[1] / "api" / "observed" / "product-detail.json"
STORE: Final = "staging.luma.gift"
# What `list_products` shows at a time.
SHOWN: Final = 50
TIMES: Final = 15


def large_answers() -> dict[str, dict[str, float]]:
    """By what is received: milliseconds from its bytes to the result, and the result's characters."""
    return {
        f"{ROWS} variants": _figures(_product(ROWS), _show_product),
        "400 variants": _figures(_product(400), _show_product),
        f"{ROWS} lines": _figures(_cart(ROWS), _show_cart),
        "200 lines": _figures(_cart(200), _show_cart),
        "a catalog page of 100": _figures(_page(100), _show_page),
        "a catalog page of 2000": _figures(_page(2_000), _show_page),
    }


def _figures(received: bytes, show: Callable[[object], View]) -> dict[str, float]:
    seconds = []
    length = 0
    for _ in range(TIMES):
        began = time.perf_counter()
        view = show(parse_json(received))
        length = len(view.text()) + len(json.dumps(view.structured()))
        seconds.append(time.perf_counter() - began)
    return {"median_ms": round(median(seconds) * 1000, 1), "characters": length}


def _show_product(raw: object) -> View:
    return ProductView.of(product_page(raw, rows_of(1)), store=STORE)


def _show_cart(raw: object) -> View:
    return CartView.of(STORE, read(Cart, raw))


def _show_page(raw: object) -> View:
    return ListingView.of(STORE, listings(raw)[:SHOWN], 2)


def _product(variants: int) -> bytes:
    observed = json.loads(OBSERVED.read_text("utf-8"))
    first = observed["variants"][0]
    many = [{**first, "sku": f"{first['sku']}-{number}"} for number in range(variants)]
    return json.dumps({**observed, "variants": many}).encode()


def _cart(lines: int) -> bytes:
    price = {"currency": "USD", "value": 22.0, "number": 2200, "symbol": "$"}
    many = [
        {
            "line_item_id": f"item_{number:026d}",
            "sku": f"SKU-{number}",
            "description": f"Radiant Tee {number}",
            "variant_description": "Color: Orange, Size: XS",
            "quantity": 1,
            "price": price,
            "line_price": price,
        }
        for number in range(lines)
    ]
    total = {**price, "value": 22.0 * lines, "number": 2200 * lines}
    return json.dumps({"cart_id": "c", "line_items": many, "sub_total": total, "total": total}).encode()


def _page(products: int) -> bytes:
    shown: list[dict[str, Any]] = [
        {
            "loc": f"https://{STORE}/radiant-tee-{number}",
            "handle": f"radiant-tee-{number}",
            "title": f"Radiant Tee {number}",
        }
        for number in range(products)
    ]
    return json.dumps(shown).encode()
