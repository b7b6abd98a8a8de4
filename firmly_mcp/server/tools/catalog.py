"""Finding products. Nothing here costs money or changes a cart."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, WithJsonSchema

from firmly_mcp.api.encoding import origin_of
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money
from firmly_mcp.server.tool import Ctx, Page, Store, offered, services_of
from firmly_mcp.server.views.catalog import ListingView, ProductView, SearchView, rows_of
from firmly_mcp.untrusted import percent_encoded

_SEARCH: Final = "/api/v1/discovery/search"
_LONGEST_QUERY: Final = 1_900
# Firmly's pages hold a hundred; a model reads half of one at a time.
_SHOWN: Final = 50

# The sandbox's index names its demo store otherwise than its carts do.
_SANDBOX_ALIASES: Final = {"luma.gift": "staging.luma.gift"}

Price = Annotated[
    Decimal | None,
    Field(ge=0, allow_inf_nan=False, max_digits=12, decimal_places=2),
    WithJsonSchema({"type": "string", "description": "Such as 29.99"}),
]

_Word = Annotated[str, Field(max_length=200)]


@offered("Search products", reads=True)
async def search_products(
    ctx: Ctx,
    query: Annotated[str, Field(min_length=1, max_length=300)],
    *,
    stores: Annotated[list[Store] | None, Field(description="Only at these", max_length=50)] = None,
    min_price: Price = None,
    max_price: Price = None,
    in_stock: Annotated[bool | None, Field(description="Only what is in stock")] = None,
    options: Annotated[
        dict[str, Annotated[list[_Word], Field(max_length=50)]] | None,
        Field(description='Such as {"color": ["Blue"]}; exact words', max_length=10),
    ] = None,
    page_size: Annotated[int, Field(description="How many", ge=1, le=50)] = 10,
    next_page: Annotated[str | None, Field(description="From the last result", max_length=2000)] = None,
) -> SearchView:
    """Search products by words, over all stores or some. Prices come from an index; the cart's are the store's.

    Next: get_product.
    """
    firmly = await services_of(ctx).firmly()
    if next_page is not None:
        page = await firmly.next_products(firmly.session.hosts.api + _checked(next_page))
    else:
        page = await firmly.search_products(
            query,
            domains=stores,
            min_price=_cents(min_price),
            max_price=_cents(max_price),
            in_stock=in_stock,
            variants=options,
            page_size=page_size,
        )
    aliases = {} if services_of(ctx).settings.environment == "production" else _SANDBOX_ALIASES
    following = _path_of(page.next_page, firmly.session.hosts.api)
    return SearchView.of(page, following, notices=firmly.take_notices(), aliases=aliases)


@offered("Show a product", reads=True)
async def get_product(
    ctx: Ctx,
    store: Annotated[str | None, Field(max_length=253)] = None,
    handle: Annotated[str | None, Field(description="From a search result", max_length=1000)] = None,
    url: Annotated[str | None, Field(description="Or its page at the store", max_length=2000)] = None,
    page: Page = 1,
) -> ProductView:
    """Show a product and its variants with prices and refs, by store and handle or by the address of its page.

    Next: add_line_item with a variant's ref.
    """
    firmly = await services_of(ctx).firmly()
    if url is not None:
        product = await firmly.get_product_by_url(url, rows=rows_of(page))
    elif store is not None and handle is not None:
        product = await firmly.get_product(store, handle, rows=rows_of(page))
    else:
        raise NotAllowed("Give store and handle, or url. Nothing was asked.", next="search_products")
    return ProductView.of(product, store, page=page, notices=firmly.take_notices())


@offered("List a store's products", reads=True)
async def list_products(ctx: Ctx, store: Store, page: Page = 1) -> ListingView:
    """List a store's products by title and handle, 50 a page. Some stores cannot; then search_products.

    Next: get_product.
    """
    firmly = await services_of(ctx).firmly()
    listed = await firmly.list_products(store, page=(page + 1) // 2, size=100)
    start = 0 if page % 2 else _SHOWN
    more = len(listed) > start + _SHOWN or len(listed) == 100
    return ListingView.of(store, listed[start : start + _SHOWN], page + 1 if more else None)


def _cents(price: Decimal | None) -> Money | None:
    """A price limit: Firmly's index counts in cents whatever the currency is, so USD stands for any that has them."""
    return None if price is None else Money(price, "USD")


def _path_of(next_page: str | None, api: str) -> str | None:
    """The next page without its origin and percent-encoded; None where the origin is not the API's."""
    if next_page is None or origin_of(next_page) != origin_of(api):
        return None
    return _query_of("/" + next_page.partition("//")[2].partition("/")[2])


def _checked(next_page: str) -> str:
    path = _query_of(next_page)
    if path is None:
        raise NotAllowed("next_page is not one that a search returned. Nothing was asked.", next="search_products")
    return path


def _query_of(path: str) -> str | None:
    """A search's path and query, percent-encoded; None where it is another path, or longer than the argument may be."""
    start = f"{_SEARCH}?"
    query = percent_encoded(path.removeprefix(start)) if path.startswith(start) else None
    return None if query is None or len(query) > _LONGEST_QUERY else start + query
