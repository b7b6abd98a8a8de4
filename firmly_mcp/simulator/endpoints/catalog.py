"""Catalog (contract 5.1)."""

import re
from typing import Any
from urllib.parse import urlencode

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.search import Filters, Hit, cursor_of, read_cursor
from firmly_mcp.simulator.views import index_hit, list_entry, product_page

SIZES = {"100", "500", "1000", "2000"}
PAGE = re.compile(r"[1-9][0-9]{0,8}")


def list_products(call: Call) -> Answer:
    """A page of the store's products, as a bare array."""
    world, merchant = call.world, call.world.merchant(call.params["d"])
    if not merchant.lists_products:
        raise Refusal("AllProductsNotImplemented", f"{merchant.name} cannot list its products")
    size, page = call.query.get("size", "2000"), call.query.get("page", "1")
    if size not in SIZES:
        raise Refusal("SizeInvalid", "size must be one of 100, 500, 1000, 2000")
    if not PAGE.fullmatch(page):
        raise Refusal("InvalidRequest", "page must be a number from 1")
    start = (int(page) - 1) * int(size)
    products = world.catalog.shelf(merchant.domain).products[start : start + int(size)]
    return Answer([list_entry(merchant, product, world.api_url) for product in products])


def get_product(call: Call) -> Answer:
    """One product by its handle, which may hold slashes."""
    world, merchant = call.world, call.world.merchant(call.params["d"])
    product = world.catalog.shelf(merchant.domain).product(call.params["handle"])
    return Answer(product_page(merchant, product, world.stock))


def get_product_from_url(call: Call) -> Answer:
    """One product by the address of its page."""
    url = call.query.get("url")
    if not url:
        raise Refusal("InvalidRequest", "url is required")
    shelf = call.world.catalog.shelf_of_url(url)
    if not shelf.merchant.finds_urls:
        raise Refusal("ProductUrlNotImplemented", f"{shelf.merchant.name} cannot look up page addresses")
    merchant = call.world.terms.merchant(shelf.merchant)
    return Answer(product_page(merchant, shelf.product_at(url), call.world.stock))


MOST = 100


def search(call: Call) -> Answer:
    """The best products for some words; with a cursor, the next page as some clients ask for it (U-17)."""
    if "cursor" in call.query:
        return _next(call)
    body = call.json("InvalidRequest")
    filters = body.get("filters")
    if filters is not None and not isinstance(filters, dict):
        raise Refusal("InvalidRequest", "filters must be an object")
    size, page = _whole(body, "page_size", 20), _whole(body, "page", 1)
    hits = _hits(call, body.get("query"), filters or {})
    return _page(call, body["query"], filters or {}, size, hits[(page - 1) * size :])


def search_next(call: Call) -> Answer:
    """The page after the cursor's hit."""
    return _next(call)


def options(call: Call) -> Answer:
    """All option names with their values."""
    found = call.world.index.options()
    return Answer({"options": {"variant_options": [{"option": name, "values": found[name]} for name in found]}})


def _next(call: Call) -> Answer:
    query = call.query.get("query", "")
    try:
        size = _whole({"page_size": int(call.query.get("page_size", "20"))}, "page_size", 20)
    except ValueError:
        raise Refusal("InvalidRequest", "page_size must be a number") from None
    last, filters = read_cursor(call.query.get("cursor", ""))
    hits = _hits(call, query, filters)
    return _page(call, query, filters, size, [hit for hit in hits if hit.order > last])


def _hits(call: Call, query: Any, filters: dict[str, Any]) -> list[Hit]:
    if not isinstance(query, str) or not query.strip():
        raise Refusal("InvalidRequest", "query is required")
    return call.world.index.search(query, read_filters(filters))


def _page(call: Call, query: str, filters: dict[str, Any], size: int, hits: list[Hit]) -> Answer:
    shown, more = hits[:size], len(hits) > size
    link = None
    if more:
        parts = urlencode({"query": query, "page_size": size, "cursor": cursor_of(shown[-1], filters)})
        link = f"{call.world.api_url}/api/v1/discovery/search?{parts}"
    products = [index_hit(call.world.catalog.merchant(hit.product.store), hit.product) for hit in shown]
    return Answer({"products": products, "page_size": size, "time_taken_ms": 7, "next_page": link})


def read_filters(body: dict[str, Any]) -> Filters:
    """The filters of a request; `InvalidRequest` for what is malformed."""
    domains = body.get("domains")
    if domains is not None and not _strings(domains):
        raise Refusal("InvalidRequest", "filters.domains must be a list of strings")
    in_stock = body.get("in_stock", False)
    if not isinstance(in_stock, bool):
        raise Refusal("InvalidRequest", "filters.in_stock must be a boolean")
    return Filters(
        domains=None if domains is None else frozenset(domains),
        min_price=_cents(body, "min_price"),
        max_price=_cents(body, "max_price"),
        in_stock=in_stock,
        options=_options(body.get("variants") or []),
    )


def _options(variants: Any) -> tuple[tuple[str, frozenset[str]], ...]:
    if not isinstance(variants, list):
        raise Refusal("InvalidRequest", "filters.variants must be a list")
    for wanted in variants:
        if not (isinstance(wanted, dict) and isinstance(wanted.get("option"), str) and _strings(wanted.get("values"))):
            raise Refusal("InvalidRequest", "filters.variants: each needs option and values")
    return tuple((wanted["option"], frozenset(wanted["values"])) for wanted in variants)


def _cents(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise Refusal("InvalidRequest", f"filters.{name} must be an integer of cents")
    return value


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not 1 <= value <= (MOST if name == "page_size" else 10**6)
    ):
        raise Refusal("InvalidRequest", f"{name} is out of range")
    return value


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
