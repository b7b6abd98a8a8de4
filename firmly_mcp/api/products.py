"""The catalog and discovery as Firmly sends them (Firmly: catalog, discovery).

A product page is the merchant's own data; discovery is an index that lags behind it. The price to show is a variant's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict

from firmly_mcp.errors import UnexpectedAnswer
from firmly_mcp.money import Money, minor_units

from . import encoding
from .fields import (
    Amount,
    Count,
    FirmlyModel,
    Flag,
    Id,
    IdText,
    Inconsistencies,
    ListOf,
    LocalFlag,
    Number,
    Text,
    plain_json,
    read,
)
from .models import Pictures


def _verbatim(raw: object) -> object:
    if raw is None or isinstance(raw, Mapping):
        return plain_json(raw)
    raise ValueError("should be an object")


RawJson = Annotated[Mapping[str, object] | None, BeforeValidator(_verbatim)]


class VariantOption(FirmlyModel):
    """An option such as Size. `property_accessor` names the field of a variant that holds it; `position` is from 0."""

    display_name: Text = None
    property_accessor: Text = None
    position: Count = None


class Message(FirmlyModel):
    """What the store writes about a variant: a promotion, or its stock."""

    text: Text = None


class Attribute(FirmlyModel):
    """A named fact about a variant, in discovery."""

    key: Text = None
    value: object = None


class Variant(FirmlyModel):
    """What is put in a cart. Fields that options name (`option1`, `size`) are in `model_extra`."""

    model_config = ConfigDict(extra="allow")
    handle: Id = None
    sku: Id = None
    title: Text = None
    display_name: Text = None
    description: Text = None
    price: Amount = None
    msrp: Amount = None
    available: Flag = None
    variant_option_list: ListOf[IdText] = ()
    images: Pictures = ()
    add_to_cart_ref: RawJson = None
    messages: ListOf[Message] = ()
    variant_attributes: ListOf[Attribute] = ()

    @property
    def ref(self) -> str | None:
        """`add_to_cart_ref` as one string; None where the catalog has none."""
        return encoding.pack(self.add_to_cart_ref) if self.add_to_cart_ref else None


class _WithVariants(FirmlyModel):
    base_sku: Id = None
    title: Text = None
    handle: Id = None
    brand: Text = None
    description: Text = None
    pdp_url: Text = None
    domain: Text = None
    images: Pictures = ()
    variants: ListOf[Variant] = ()
    variant_option_values: ListOf[VariantOption] = ()
    tags: ListOf[IdText] = ()
    inconsistencies: Inconsistencies = ()

    def choices(self, variant: Variant) -> dict[str, str]:
        """A variant's options by their names, such as {"Size": "XS", "Color": "Orange"}."""
        options = sorted(self.variant_option_values, key=lambda option: option.position or 0)
        named = {}
        for position, option in enumerate(options):
            value = (variant.model_extra or {}).get(option.property_accessor or "")
            if not isinstance(value, str) and position < len(variant.variant_option_list):
                value = variant.variant_option_list[position]
            if isinstance(value, str) and option.display_name:
                named[option.display_name] = value
        return named

    @property
    def store(self) -> str | None:
        """The merchant's domain; where it is missing, the host of the product's page."""
        if self.domain or not self.pdp_url:
            return self.domain
        try:
            host = urlsplit(self.pdp_url).hostname
        except ValueError:
            return None
        return host.removeprefix("www.") if host else None


class Reviews(FirmlyModel):
    """How a product is rated."""

    total_reviews: Count = None
    average_rating: Number = None


class Product(_WithVariants):
    """A product with its variants (Firmly: get-product, get-product-from-url)."""

    short_description: Text = None
    reviews: Reviews | None = None
    # Ours: whether the store sent variants behind those that were read.
    more_variants: LocalFlag = False


class PriceRange(FirmlyModel):
    """Lowest and highest price, in integer cents without a currency."""

    min: Count = None
    max: Count = None


class DiscoveryHit(_WithVariants):
    """A product in the index (Firmly: discovery/search)."""

    price_range: PriceRange | None = None
    has_available_variants: Flag = None
    average_rating: Number = None
    total_reviews: Count = None

    @property
    def price_from(self) -> Money | None:
        """`price_range.min` as an amount; None where the variants' currency is not known, or has no cents."""
        return self._cents(self.price_range.min if self.price_range else None)

    @property
    def price_to(self) -> Money | None:
        """`price_range.max` as an amount; None where the variants' currency is not known, or has no cents."""
        return self._cents(self.price_range.max if self.price_range else None)

    def _cents(self, number: int | None) -> Money | None:
        currencies = {variant.price.currency for variant in self.variants if variant.price is not None}
        if number is None or len(currencies) != 1 or minor_units(currency := currencies.pop()) != 2:
            return None
        return Money.from_minor(number, currency)


class SearchPage(FirmlyModel):
    """One page of a search. `next_page` is an address on the API's own origin, None at the end."""

    products: ListOf[DiscoveryHit] = ()
    next_page: Text = None
    inconsistencies: Inconsistencies = ()


class ProductListing(FirmlyModel):
    """A line of a store's catalog (Firmly: get-all-products); `handle` leads to the product."""

    handle: Id = None
    title: Text = None


def product_page(raw: object, rows: slice) -> Product:
    """Read a product with these of its variants: reading all of hundreds would take longer than showing some.

    Raises:
        UnexpectedAnswer: not an object, or a field has the wrong type.
    """
    sent = raw.get("variants") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(sent, list):
        return read(Product, raw)
    product = read(Product, {**raw, "variants": sent[rows]})
    return product.model_copy(update={"more_variants": len(sent[rows.start :]) > len(sent[rows])})


def search_page(raw: object) -> SearchPage:
    """Read a page of hits one by one: a broken hit is left out and reported, and hides no other.

    Raises:
        UnexpectedAnswer: not a page, or none of its hits can be read.
    """
    shell = read(SearchPage, _without_products(raw))
    sent = raw.get("products") if isinstance(raw, dict) else None
    if sent is not None and not isinstance(sent, list):
        raise UnexpectedAnswer("Firmly's answer is outside its contract: products should be a list.")
    hits, broken = [], []
    for hit in sent or ():
        try:
            hits.append(read(DiscoveryHit, hit))
        except UnexpectedAnswer as error:
            broken.append(error)
    if broken and not hits:
        raise broken[0]
    lost = f"{len(broken)} of {len(sent or ())} results could not be read and are left out"
    return shell.model_copy(update={"products": tuple(hits), "inconsistencies": (lost,) if broken else ()})


def listings(raw: object) -> tuple[ProductListing, ...]:
    """Read a store's catalog page, a bare list.

    Raises:
        UnexpectedAnswer: not a list, or an entry has a field of the wrong type.
    """
    if not isinstance(raw, list):
        raise UnexpectedAnswer("Firmly's answer is outside its contract: the catalog should be a list.")
    return tuple(read(ProductListing, item) for item in raw if item is not None)


def _without_products(raw: object) -> Any:
    return {name: value for name, value in raw.items() if name != "products"} if isinstance(raw, dict) else raw
