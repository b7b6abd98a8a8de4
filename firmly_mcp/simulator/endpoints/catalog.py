"""The catalog (contract 5.1) and discovery (5.2): its next page is a GET whose cursor keeps the filters (U-17)."""

import re
from typing import Any
from urllib.parse import urlencode

from firmly_mcp.simulator.answers import Answer, Json, Refusal
from firmly_mcp.simulator.calls import Call, are_strings
from firmly_mcp.simulator.search import Filters, Hit, read_cursor, write_cursor
from firmly_mcp.simulator.views import index_hit, list_entry, product_page

SIZES = {"100", "500", "1000", "2000"}
PAGE = re.compile(r"[1-9][0-9]{0,8}")
MAX_PAGE, MAX_PAGE_SIZE = 1_000_000, 100


def list_products(call: Call) -> Answer:
    """Return a page of the store's products, as a bare array."""
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
    """Return one product by its handle, which may hold slashes."""
    world, merchant = call.world, call.world.merchant(call.params["d"])
    product = world.catalog.shelf(merchant.domain).product(call.params["handle"])
    return Answer(product_page(merchant, product, world.stock))


def get_product_from_url(call: Call) -> Answer:
    """Return one product by the address of its page."""
    url = call.query.get("url")
    if not url:
        raise Refusal("InvalidRequest", "url is required")
    shelf = call.world.catalog.shelf_of_url(url)
    if not shelf.merchant.finds_urls:
        raise Refusal("ProductUrlNotImplemented", f"{shelf.merchant.name} cannot look up page addresses")
    merchant = call.world.terms.merchant(shelf.merchant)
    return Answer(product_page(merchant, shelf.product_at(url), call.world.stock))


def search(call: Call) -> Answer:
    """Return the best products for a query; with a cursor the next page, as some clients ask for it (U-17)."""
    if "cursor" in call.query:
        return search_next(call)
    body = call.json("InvalidRequest")
    filters = body.get("filters")
    if filters is not None and not isinstance(filters, dict):
        raise Refusal("InvalidRequest", "filters must be an object")
    size, page = _whole(body, "page_size", 20, MAX_PAGE_SIZE), _whole(body, "page", 1, MAX_PAGE)
    hits = _hits(call, body.get("query"), filters or {})
    return _page(call, body["query"], filters or {}, size, hits[(page - 1) * size :])


def search_next(call: Call) -> Answer:
    """Return the page after the cursor's hit."""
    query = call.query.get("query", "")
    try:
        size = _whole({"page_size": int(call.query.get("page_size", "20"))}, "page_size", 20, MAX_PAGE_SIZE)
    except ValueError:
        raise Refusal("InvalidRequest", "page_size must be a number") from None
    last, filters = read_cursor(call.query.get("cursor", ""))
    hits = _hits(call, query, filters)
    return _page(call, query, filters, size, [hit for hit in hits if hit.rank > last])


def options(call: Call) -> Answer:
    """Return all option names with their values."""
    found = call.world.index.options()
    return Answer({"options": {"variant_options": [{"option": name, "values": found[name]} for name in found]}})


def _hits(call: Call, query: Any, filters: Json) -> list[Hit]:
    if not isinstance(query, str) or not query.strip():
        raise Refusal("InvalidRequest", "query is required")
    return call.world.index.search(query, _filters(filters))


def _page(call: Call, query: str, filters: Json, size: int, hits: list[Hit]) -> Answer:
    shown, link = hits[:size], None
    if len(hits) > size:
        parts = urlencode({"query": query, "page_size": size, "cursor": write_cursor(shown[-1], filters)})
        link = f"{call.world.api_url}/api/v1/discovery/search?{parts}"
    products = [index_hit(call.world.catalog.merchant(hit.product.store), hit.product) for hit in shown]
    return Answer({"products": products, "page_size": size, "time_taken_ms": 7, "next_page": link})


def _filters(body: Json) -> Filters:
    domains, in_stock = body.get("domains"), body.get("in_stock", False)
    if domains is not None and not are_strings(domains):
        raise Refusal("InvalidRequest", "filters.domains must be a list of strings")
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
    for one in variants:
        if not (isinstance(one, dict) and isinstance(one.get("option"), str) and are_strings(one.get("values"))):
            raise Refusal("InvalidRequest", "filters.variants: each needs option and values")
    return tuple((one["option"], frozenset(one["values"])) for one in variants)


def _cents(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise Refusal("InvalidRequest", f"filters.{name} must be an integer of cents")
    return value


def _whole(body: Json, name: str, default: int, most: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise Refusal("InvalidRequest", f"{name} is out of range")
    return value
