"""What a search or a store's list found, as a model sees it: enough to choose what to look at.

Search results come from an index that may lag behind the store. The price that is shown is the variants'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.products import DiscoveryHit, ProductListing, SearchPage
from firmly_mcp.api.session import Notice
from firmly_mcp.money import Money
from firmly_mcp.store_text import clean, clean_markup, named, quoted
from firmly_mcp.suspicion import suspicions

from .views import MoneyView, View, shown_ref, told, with_next


class HitView(BaseModel):
    """A product found by a search. With one variant its `ref` stands here; with several, get_product lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str | None = None
    handle: str
    title: str
    brand: str | None = None
    price: MoneyView | None = None
    price_to: MoneyView | None = None
    available: bool | None = None
    ref: str | None = None

    @classmethod
    def of(cls, hit: DiscoveryHit, aliases: Mapping[str, str]) -> Self:
        """The view of a discovery hit; `aliases` are stores by the names that the index alone has for them."""
        low, high = _price_range(hit)
        only = hit.variants[0] if len(hit.variants) == 1 else None
        return cls(
            store=clean(aliases.get(hit.store or "", hit.store), 253) or None,
            handle=clean(hit.handle, 300),
            title=clean_markup(hit.title, 120),
            brand=clean_markup(hit.brand, 60) or None,
            price=MoneyView.of(low),
            price_to=MoneyView.of(high) if high != low else None,
            available=False if hit.has_available_variants is False else None,
            ref=shown_ref(only.ref) if only else None,
        )

    def __str__(self) -> str:
        price = f"{self.price}" + (f" to {self.price_to}" if self.price_to else "") if self.price else "no price"
        brand = f" by {quoted(self.brand)}" if self.brand else ""
        stock = ", out of stock" if self.available is False else ""
        place = f"store {named(self.store or 'unknown')}, handle {named(self.handle)}"
        ref = f", ref {named(self.ref)}" if self.ref else ""
        return f"Product {quoted(self.title)}{brand}, {price}{stock} [{place}{ref}]"


class SearchView(View):
    """What a search found, best first."""

    products: tuple[HitView, ...] = ()
    next_page: str | None = None
    warnings: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(
        cls,
        page: SearchPage,
        next_page: str | None,
        *,
        notices: Iterable[Notice] = (),
        aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """The view of a page; `next_page` is what the tool takes to go on."""
        hits = tuple(HitView.of(hit, aliases) for hit in page.products)
        found = "get_product with store and handle, for the variants" if hits else "search with other words"
        return cls(
            products=hits,
            next_page=next_page,
            warnings=(*(notice.message for notice in notices), *page.doubts),
            suspicious=suspicions(page.products),
            next=found,
        )

    def text(self) -> str:
        lines = [f"{number}. {hit}" for number, hit in enumerate(self.products, start=1)] or ["Nothing was found."]
        lines += told("Warning", self.warnings)
        lines += [f"More: next_page {self.next_page}"] if self.next_page else []
        return with_next(lines, self.next, suspicious=self.suspicious)


class ListedView(BaseModel):
    """A product of a store's list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handle: str
    title: str

    def __str__(self) -> str:
        return f"Product {quoted(self.title)} [handle {named(self.handle)}]"


class ListingView(View):
    """A page of a store's products; `next_page` is the next one's number."""

    store: str
    products: tuple[ListedView, ...] = ()
    next_page: int | None = None
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, store: str, listed: Sequence[ProductListing], next_page: int | None) -> Self:
        """The view of a page."""
        shown = tuple(
            ListedView(handle=clean(product.handle, 300), title=clean_markup(product.title, 120)) for product in listed
        )
        return cls(
            store=store,
            products=shown,
            next_page=next_page,
            suspicious=suspicions(listed),
            next="get_product with store and handle" if shown else "search_products",
        )

    def text(self) -> str:
        lines = [f"- {product}" for product in self.products]
        lines = [f"Products of {self.store}:", *lines] if lines else [f"{self.store} lists no more products."]
        lines += [f"More: page {self.next_page}"] if self.next_page else []
        return with_next(lines, self.next, suspicious=self.suspicious)


def _price_range(hit: DiscoveryHit) -> tuple[Money | None, Money | None]:
    """Lowest and highest price of the variants; of the index only where the variants have none."""
    prices = [variant.price for variant in hit.variants if variant.price is not None]
    if not prices or len({price.currency for price in prices}) > 1:
        return hit.price_from, hit.price_to
    by_amount = sorted(prices, key=lambda price: price.amount)
    return by_amount[0], by_amount[-1]
