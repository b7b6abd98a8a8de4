"""Products and variants, and how to find one of them. A store's shelf is generated when it is first asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from firmly_mcp.simulator.answers import Refusal
from firmly_mcp.simulator.merchants import Merchant


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that can be bought. `values` are in the order of the product's options."""

    sku: str
    variant_id: str
    handle: str
    values: tuple[str, ...]
    price: int
    msrp: int
    stock: int
    variant_handles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """One product of one store. `index_price` is what the discovery index believes, in percent of the truth."""

    store: str
    base_sku: str
    product_id: str | None
    title: str
    brand: str | None
    handle: str
    description: str
    product_type: str
    tags: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    variants: tuple[Variant, ...]
    rating: int  # tenths of a star
    reviews: int
    freight: bool = False
    index_price: int = 100
    states_excluded: frozenset[str] = frozenset()


@dataclass
class Shelf:
    """All of one store's products, with what is needed to find one."""

    merchant: Merchant
    products: Sequence[Product]
    _by_handle: dict[str, Product] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._by_handle = {plain_handle(product.handle): product for product in self.products}

    @cached_property
    def _by_sku(self) -> dict[str, tuple[Product, Variant]]:
        return {variant.sku: (product, variant) for product in self.products for variant in product.variants}

    @cached_property
    def _by_variant_id(self) -> dict[str, list[tuple[Product, Variant]]]:
        found: dict[str, list[tuple[Product, Variant]]] = {}
        for product in self.products:
            for variant in product.variants:
                found.setdefault(variant.variant_id, []).append((product, variant))
        return found

    def product(self, handle: str) -> Product:
        """The product with this handle; a leading slash more or less does not matter."""
        try:
            return self._by_handle[plain_handle(handle)]
        except KeyError:
            raise Refusal("ErrorProductNotFound", f"No product '{handle}' at {self.merchant.domain}") from None

    def product_at(self, url: str) -> Product:
        """The product whose page this is; query, doubled slashes and `.html` do not matter."""
        path = unquote(_split(url).path).removesuffix(".html")
        parts = [part for part in path.split("/") if part and part != "products"]
        return self.product("/".join(parts))

    def of_sku(self, sku: str) -> tuple[Product, Variant]:
        """The variant with this sku."""
        try:
            return self._by_sku[sku]
        except KeyError:
            raise Refusal("ErrorProductNotFound", f"No variant '{sku}' at {self.merchant.domain}") from None

    def of_ref(self, ref: dict[str, Any]) -> tuple[Product, Variant]:
        """The variant that an `add_to_cart_ref` names; where an id is shared, `variant_handles` decide."""
        variant_id = ref["variant_id"]
        handles = tuple(ref.get("variant_handles") or ())
        found = self._by_variant_id.get(variant_id, [])
        if len(found) > 1:
            found = [(product, variant) for product, variant in found if variant.variant_handles == handles]
        if len(found) == 1 and ref.get("product_id") in {None, found[0][0].product_id}:
            return found[0]
        raise Refusal("ErrorProductNotFound", f"No variant '{variant_id}' at {self.merchant.domain}")


class Catalog:
    """The shelves of all stores, each generated from the seed on first use."""

    def __init__(
        self, merchants: Sequence[Merchant], generate: Callable[[Merchant, int], Sequence[Product]], seed: int = 0
    ) -> None:
        self.merchants = {merchant.domain: merchant for merchant in merchants}
        self._generate = generate
        self._seed = seed
        self._shelves: dict[str, Shelf] = {}

    def merchant(self, domain: str) -> Merchant:
        """The store of this domain, or a 404 (its real name is unknown, U-22)."""
        try:
            return self.merchants[domain]
        except KeyError:
            raise Refusal("ErrorDomainNotFound", f"Domain '{domain}' is not available") from None

    def shelf(self, domain: str) -> Shelf:
        """The store's products."""
        shelf = self._shelves.get(domain)
        if shelf is None:
            merchant = self.merchant(domain)
            shelf = self._shelves[domain] = Shelf(merchant, self._generate(merchant, self._seed))
        return shelf

    def shelf_of_url(self, url: str) -> Shelf:
        """The store whose page this address is."""
        host = (_split(url).hostname or "").removeprefix("www.")
        return self.shelf(host)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise Refusal("InvalidRequest", "url is not an address") from None


def plain_handle(handle: str) -> str:
    """A handle without outer slashes and doubled ones, for comparing."""
    return "/".join(part for part in handle.split("/") if part)
