"""Catalog (contract 5.1)."""

import re

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.product_views import list_entry, product_page

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
