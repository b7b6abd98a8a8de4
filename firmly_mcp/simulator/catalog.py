"""Products and variants, and how a request names one. A store's shelf is generated on first use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, unquote, urlsplit

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.merchants import Merchant


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that can be bought. `values` are in the order of the product's options; `price` is in cents."""

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
    """One product of one store. `index_price` is the discovery index's price in percent of the store's."""

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
    """All of one store's products."""

    merchant: Merchant
    products: Sequence[Product]

    @cached_property
    def _by_handle(self) -> dict[str, Product]:
        return {_plain(product.handle): product for product in self.products}

    @cached_property
    def _by_sku(self) -> dict[str, tuple[Product, Variant]]:
        return {variant.sku: (product, variant) for product in self.products for variant in product.variants}

    @cached_property
    def _by_variant_id(self) -> dict[str, list[tuple[Product, Variant]]]:
        found: dict[str, list[tuple[Product, Variant]]] = {}
        for product, variant in self._by_sku.values():
            found.setdefault(variant.variant_id, []).append((product, variant))
        return found

    def product(self, handle: str) -> Product:
        """Return the product with this handle; outer and doubled slashes do not matter."""
        product = self._by_handle.get(_plain(handle))
        if product is None:
            raise Refusal("ErrorProductNotFound", f"No product '{handle}' at {self.merchant.domain}")
        return product

    def product_at(self, url: str) -> Product:
        """Return the product of a page; query, doubled slashes and `.html` do not matter."""
        path = unquote(_split(url).path).removesuffix(".html")
        return self.product("/".join(part for part in path.split("/") if part and part != "products"))

    def of_sku(self, sku: str) -> tuple[Product, Variant]:
        """Return the variant with this sku."""
        found = self._by_sku.get(sku)
        if found is None:
            raise Refusal("ErrorProductNotFound", f"No variant '{sku}' at {self.merchant.domain}")
        return found

    def of_ref(self, ref: Json) -> tuple[Product, Variant]:
        """Return the variant of an `add_to_cart_ref`; where variants share an id, `variant_handles` decide."""
        variant_id, handles = ref["variant_id"], tuple(ref.get("variant_handles") or ())
        found = self._by_variant_id.get(variant_id, [])
        if len(found) > 1:
            found = [(product, variant) for product, variant in found if variant.variant_handles == handles]
        if len(found) == 1 and ref.get("product_id") in {None, found[0][0].product_id}:
            return found[0]
        raise Refusal("ErrorProductNotFound", f"No variant '{variant_id}' at {self.merchant.domain}")


class Catalog:
    """The shelves of all stores. `generate` makes a store's products from the seed."""

    def __init__(
        self, merchants: Sequence[Merchant], generate: Callable[[Merchant, int], Sequence[Product]], seed: int = 0
    ) -> None:
        self.merchants = {merchant.domain: merchant for merchant in merchants}
        self._generate = generate
        self._seed = seed
        self._shelves: dict[str, Shelf] = {}

    def merchant(self, domain: str) -> Merchant:
        """Return the store of this domain, or raise a 404 (its real name is unknown, U-22)."""
        merchant = self.merchants.get(domain)
        if merchant is None:
            raise Refusal("ErrorDomainNotFound", f"Domain '{domain}' is not available")
        return merchant

    def shelf(self, domain: str) -> Shelf:
        """Return the store's products."""
        if domain not in self._shelves:
            merchant = self.merchant(domain)
            self._shelves[domain] = Shelf(merchant, self._generate(merchant, self._seed))
        return self._shelves[domain]

    def shelf_of_url(self, url: str) -> Shelf:
        """Return the products of the store that a page belongs to."""
        return self.shelf((_split(url).hostname or "").removeprefix("www."))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise Refusal("InvalidRequest", "url is not an address") from None


def _plain(handle: str) -> str:
    return "/".join(part for part in handle.split("/") if part)
