"""Products as a model sees them: enough to choose by, and the `ref` of each variant.

The price that is shown is the variant's. Search results come from an index that may lag behind the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.products import DiscoveryHit, Product, ProductListing, SearchPage, Variant
from firmly_mcp.api.session import Notice
from firmly_mcp.money import Money
from firmly_mcp.store_text import clean, clean_markup

from .views import MoneyView, View, with_next

# A product with more variants shows these many; asking with the wanted options shows the others.
MOST_VARIANTS = 40


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
            title=clean(hit.title, 120),
            brand=clean(hit.brand, 60) or None,
            price=MoneyView.of(low),
            price_to=MoneyView.of(high) if high != low else None,
            available=False if hit.has_available_variants is False else None,
            ref=only.ref if only else None,
        )

    def __str__(self) -> str:
        price = f"{self.price}" + (f" to {self.price_to}" if self.price_to else "") if self.price else "no price"
        facts = [self.title, self.brand or "", price, "out of stock" if self.available is False else ""]
        place = f"store {self.store}, handle {self.handle}" + (f", ref {self.ref}" if self.ref else "")
        return ", ".join(fact for fact in facts if fact) + f" [{place}]"


class SearchView(View):
    """What a search found, best first."""

    products: tuple[HitView, ...] = ()
    next_page: str | None = None
    warnings: tuple[str, ...] = ()
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
            next=found,
        )

    def text(self) -> str:
        lines = [f"{number}. {hit}" for number, hit in enumerate(self.products, start=1)] or ["Nothing was found."]
        lines += [f"Warning: {warning}" for warning in self.warnings]
        lines += [f"More: next_page {self.next_page}"] if self.next_page else []
        return with_next(lines, self.next)


class ListedView(BaseModel):
    """A product of a store's list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handle: str
    title: str

    def __str__(self) -> str:
        return f"{self.title} [handle {self.handle}]"


class ListingView(View):
    """A page of a store's products; `next_page` is the next one's number."""

    store: str
    products: tuple[ListedView, ...] = ()
    next_page: int | None = None
    next: str | None = None

    @classmethod
    def of(cls, store: str, listed: Sequence[ProductListing], next_page: int | None) -> Self:
        """The view of a page."""
        shown = tuple(
            ListedView(handle=clean(product.handle, 300), title=clean(product.title, 120)) for product in listed
        )
        return cls(store=store, products=shown, next_page=next_page, next="get_product with store and handle")

    def text(self) -> str:
        lines = [f"- {product}" for product in self.products] or [f"{self.store} lists no more products."]
        lines += [f"More: page {self.next_page}"] if self.next_page else []
        return with_next(lines, self.next)


class VariantView(BaseModel):
    """What can be put in a cart, by its `ref`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: str | None = None
    options: dict[str, str] = {}
    price: MoneyView | None = None
    was: MoneyView | None = None
    available: bool | None = None
    store_notes: str | None = None

    @classmethod
    def of(cls, product: Product, variant: Variant) -> Self:
        """The view of a product's variant."""
        reduced = variant.msrp is not None and variant.price is not None and _is_above(variant.msrp, variant.price)
        notes = "; ".join(clean(message.text, 80) for message in variant.messages if message.text)
        return cls(
            ref=variant.ref,
            options={clean(name, 40): clean(value, 60) for name, value in product.choices(variant).items()},
            price=MoneyView.of(variant.price),
            was=MoneyView.of(variant.msrp) if reduced else None,
            available=False if variant.available is False else None,
            store_notes=clean(notes, 160) or None,
        )

    def __str__(self) -> str:
        options = " / ".join(self.options.values())
        was = f" (was {self.was})" if self.was else ""
        stock = ", out of stock" if self.available is False else ""
        notes = f", the store notes: {self.store_notes}" if self.store_notes else ""
        name = f"{options}: " if options else ""
        return f"{name}{self.price or 'no price'}{was}{stock}{notes} [ref {self.ref or 'none'}]"


class ProductView(View):
    """A product at a store, with its variants."""

    store: str | None = None
    handle: str
    title: str
    brand: str | None = None
    description: str | None = None
    page: str | None = None
    rating: str | None = None
    variants: tuple[VariantView, ...] = ()
    more_variants: int | None = None
    warnings: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, product: Product, store: str | None, *, notices: Iterable[Notice] = ()) -> Self:
        """The view of a product page."""
        reviews = product.reviews
        rated = reviews is not None and reviews.average_rating is not None
        left = len(product.variants) - MOST_VARIANTS
        return cls(
            store=store or clean(product.store, 253) or None,
            handle=clean(product.handle, 300),
            title=clean(product.title, 120),
            brand=clean(product.brand, 60) or None,
            description=clean_markup(product.description or product.short_description, 300) or None,
            page=clean(product.pdp_url, 300) or None,
            rating=f"{reviews.average_rating} of {reviews.total_reviews} reviews" if reviews and rated else None,
            variants=tuple(VariantView.of(product, variant) for variant in product.variants[:MOST_VARIANTS]),
            more_variants=left if left > 0 else None,
            warnings=(*(notice.message for notice in notices), *product.doubts),
            next="add_line_item with a ref",
        )

    def text(self) -> str:
        at = f" at {self.store}" if self.store else ""
        lines = [f"{self.title}{f' by {self.brand}' if self.brand else ''}{at} [handle {self.handle}]"]
        lines += [f"The store's description: {self.description}"] if self.description else []
        lines += [f"Rated {self.rating}"] if self.rating else []
        lines += [f"- {variant}" for variant in self.variants]
        lines += [f"{self.more_variants} more variants are not shown."] if self.more_variants else []
        lines += [f"Warning: {warning}" for warning in self.warnings]
        lines += [f"Page: {self.page}"] if self.page else []
        return with_next(lines, self.next)


def _price_range(hit: DiscoveryHit) -> tuple[Money | None, Money | None]:
    """Lowest and highest price of the variants; of the index only where the variants have none."""
    prices = [variant.price for variant in hit.variants if variant.price is not None]
    if not prices or len({price.currency for price in prices}) > 1:
        return hit.price_from, hit.price_to
    by_amount = sorted(prices, key=lambda price: price.amount)
    return by_amount[0], by_amount[-1]


def _is_above(one: Money, other: Money) -> bool:
    return one.currency == other.currency and one > other
