"""Discovery and the catalog: reads that belong to no cart, so they take no lock.

An address in an answer is followed only to the API's own origin, and only to discovery: it passes through a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

from firmly_mcp.errors import NotFound
from firmly_mcp.money import Money

from .calls import Calls
from .encoding import Hosts, cents, given, origin_of, page_url, query, segment, store_name
from .error_codes import invalid_request
from .products import Product, ProductListing, SearchPage, listings, product_page, search_page

ALL: Final = slice(0, None)


class Catalog:
    """What stores sell; `FirmlyClient` has its methods."""

    def __init__(self, calls: Calls, hosts: Hosts) -> None:
        self._calls = calls
        self._hosts = hosts
        self._api = f"{hosts.api}/api"

    async def search_products(
        self,
        words: str,
        *,
        domains: Collection[str] | None = None,
        min_price: Money | None = None,
        max_price: Money | None = None,
        in_stock: bool | None = None,
        variants: Mapping[str, Sequence[str]] | None = None,
        page_size: int | None = None,
    ) -> SearchPage:
        """POST discovery/search (Firmly: discovery/search). `variants` maps an option's name to exact values.

        Prices are sent as integer cents, the lower one rounded up and the upper one down.
        """
        filters = {
            "domains": [store_name(store) for store in domains] if domains is not None else None,
            "min_price": cents(min_price, ROUND_CEILING),
            "max_price": cents(max_price, ROUND_FLOOR),
            "in_stock": in_stock,
            "variants": [{"option": name, "values": list(values)} for name, values in (variants or {}).items()] or None,
        }
        body = {"query": words, "filters": given(filters) or None, "page_size": page_size}
        answer = await self._calls.read("POST", f"{self._api}/v1/discovery/search", given(body))
        return search_page(answer.body)

    async def next_products(self, next_page: str) -> SearchPage:
        """The page that a search page's `next_page` leads to; only on the API's own origin."""
        url = search_url(next_page, self._hosts)
        try:
            answer = await self._calls.read("GET", url)
        except NotFound as error:
            # The method is not documented; where GET is not routed, the search's own is.
            if error.name != "RouteNotFound":
                raise
            answer = await self._calls.read("POST", url, _query_of(url))
        return search_page(answer.body)

    async def list_products(
        self, store: str, page: int = 1, size: Literal[100, 500, 1000, 2000] = 100
    ) -> tuple[ProductListing, ...]:
        """GET domains-products/{d} (Firmly: get-all-products); fewer than `size` are the end.

        Raises:
            NotFound: `AllProductsNotImplemented`: the store cannot list its catalog.
        """
        url = f"{self._api}/v1/domains-products/{store_name(store)}{query(page=page, size=size)}"
        return listings((await self._calls.read("GET", url)).body)

    async def get_product(self, store: str, handle: str, *, rows: slice = ALL) -> Product:
        """GET domains-products/{d}/{handle} (Firmly: get-product), with these variants. Raises ProductNotFound."""
        url = f"{self._api}/v1/domains-products/{store_name(store)}/{segment(handle)}"
        return product_page((await self._calls.read("GET", url)).body, rows)

    async def get_product_by_url(self, url: str, *, rows: slice = ALL) -> Product:
        """GET domains-pdp (Firmly: get-product-from-url), with these variants. Raises NotFound, ProductNotFound."""
        asked = f"{self._api}/v1/domains-pdp{query(url=page_url(url))}"
        return product_page((await self._calls.read("GET", asked)).body, rows)


def search_url(next_page: str, hosts: Hosts) -> str:
    """The address of a next page, unchanged.

    Raises:
        InvalidRequest: `InvalidNextPage`, status 0: not discovery on the API's own origin.
    """
    ours = origin_of(next_page) == origin_of(hosts.api)
    path = urlsplit(next_page).path if ours else ""
    if not path.startswith("/api/") or "/discovery/" not in path or "/." in path or "%" in path:
        raise invalid_request("InvalidNextPage", "The next page is not on Firmly's own search. Search again.")
    return next_page


def _query_of(url: str) -> dict[str, object]:
    parameters: dict[str, object] = dict(parse_qsl(urlsplit(url).query))
    size = parameters.pop("page_size", None)
    return parameters | ({"page_size": int(size)} if isinstance(size, str) and size.isdecimal() else {})
