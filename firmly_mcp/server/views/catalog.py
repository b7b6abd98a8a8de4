"""A product as a model sees it: enough to choose by, and the `ref` of each variant.

Variants are a table: what all of them share stands once above it, and a row says only how its variant differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.products import DiscoveryHit, Product, ProductListing, SearchPage, Variant
from firmly_mcp.api.session import Notice
from firmly_mcp.money import Money
from firmly_mcp.untrusted import clean, clean_markup, named, quoted, shown_address, suspicions

from .view import MoneyView, View, shown_ref, told, with_next

# More rows than these are on further pages.
ROWS: Final = 40


def rows_of(page: int) -> slice:
    """Which of a product's variants are on a page, counted from 1."""
    return slice((page - 1) * ROWS, page * ROWS)


class VariantView(BaseModel):
    """What can be put in a cart, by its `ref`. `options` are its values in the order of the product's `options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: str | None = None
    options: tuple[str, ...] = ()
    price: MoneyView | None = None
    was: MoneyView | None = None
    available: bool | None = None
    store_notes: str | None = None

    @classmethod
    def of(cls, product: Product, variant: Variant, names: Iterable[str]) -> Self:
        """The row of a product's variant."""
        reduced = variant.msrp is not None and variant.price is not None and _is_above(variant.msrp, variant.price)
        notes = "; ".join(clean_markup(message.text, 80) for message in variant.messages if message.text)
        chosen = product.choices(variant)
        return cls(
            ref=shown_ref(variant.ref),
            options=tuple(clean_markup(chosen.get(name), 60) for name in names),
            price=MoneyView.of(variant.price),
            was=MoneyView.of(variant.msrp) if reduced else None,
            available=False if variant.available is False else None,
            store_notes=clean(notes, 160) or None,
        )

    def row(self) -> str:
        """The variant in a line."""
        facts = [quoted(" / ".join(self.options)) if self.options else "", str(self.price or "")]
        facts += [f"was {self.was}"] if self.was else []
        facts += ["out of stock"] if self.available is False else []
        facts += [f"the store notes: {quoted(self.store_notes)}"] if self.store_notes else []
        words = ", ".join(fact for fact in facts if fact)
        return f"Variant {words} [ref {named(self.ref) if self.ref else 'none'}]"


class ProductView(View):
    """A product at a store. A variant without a price of its own has the product's."""

    store: str | None = None
    handle: str
    title: str
    brand: str | None = None
    description: str | None = None
    page: str | None = None
    rating: str | None = None
    price: MoneyView | None = None
    was: MoneyView | None = None
    options: tuple[str, ...] = ()
    variants: tuple[VariantView, ...] = ()
    next_page: int | None = None
    warnings: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, product: Product, store: str | None, *, page: int = 1, notices: Iterable[Notice] = ()) -> Self:
        """The view of a product that was read with one page of its variants."""
        names = tuple(dict.fromkeys(name for variant in product.variants for name in product.choices(variant)))
        rows = tuple(VariantView.of(product, variant, names) for variant in product.variants)
        price, was = _shared({row.price for row in rows}), _shared({row.was for row in rows})
        hoisted = {"price": None} if price else {}
        hoisted |= {"was": None} if was else {}
        return cls(
            store=store or clean(product.store, 253) or None,
            handle=clean(product.handle, 300),
            title=clean_markup(product.title, 120),
            brand=clean_markup(product.brand, 60) or None,
            description=clean_markup(product.description or product.short_description, 300) or None,
            page=shown_address(product.pdp_url),
            rating=_rating(product),
            price=price,
            was=was,
            options=tuple(clean_markup(name, 40) for name in names),
            variants=tuple(row.model_copy(update=hoisted) for row in rows),
            next_page=page + 1 if product.more_variants else None,
            warnings=(*(notice.message for notice in notices), *product.inconsistencies),
            suspicious=suspicions(product),
            next=_next(rows),
        )

    def text(self) -> str:
        by = f" by {quoted(self.brand)}" if self.brand else ""
        at = f" at {named(self.store)}" if self.store else ""
        lines = [f"Product {quoted(self.title)}{by}{at} [handle {named(self.handle)}]"]
        lines += [f"The store's description: {quoted(self.description)}"] if self.description else []
        lines += [f"Rated {self.rating}"] if self.rating else []
        lines += [self._head()] if self.variants else ["No variants are shown here."]
        lines += [f"- {variant.row()}" for variant in self.variants]
        lines += [f"More variants: page {self.next_page}"] if self.next_page else []
        lines += told("Warning", self.warnings)
        lines += [f"Page: {self.page}"] if self.page else []
        return with_next(lines, self.next, suspicious=self.suspicious)

    def _head(self) -> str:
        by = f" by {quoted(' / '.join(self.options))}" if self.options else ""
        each = f", each {self.price}" if self.price else ""
        was = f", was {self.was}" if self.was else ""
        return f"Variants{by}{each}{was}:"


def _next(rows: tuple[VariantView, ...]) -> str:
    if any(row.ref and row.available is not False for row in rows):
        return "add_line_item with a ref"
    return "Nothing here can be bought now: search_products, or the person looks at the product's page at the store"


def _shared(amounts: set[MoneyView | None]) -> MoneyView | None:
    """The amount that every row has, or None."""
    return amounts.pop() if len(amounts) == 1 else None


def _rating(product: Product) -> str | None:
    reviews = product.reviews
    if reviews is None or reviews.average_rating is None:
        return None
    count = f", {reviews.total_reviews} reviews" if reviews.total_reviews else ""
    return f"{reviews.average_rating}{count}"


def _is_above(one: Money, other: Money) -> bool:
    return one.currency == other.currency and one > other


# What a search or a store's list found, as a model sees it: enough to choose what to look at.


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
            warnings=(*(notice.message for notice in notices), *page.inconsistencies),
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
