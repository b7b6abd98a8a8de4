"""Products as the catalog and the discovery index show them (contract 8.10 to 8.12).

The page of a product is the truth; the index lags behind it in price, as the real one does.
"""

from urllib.parse import quote

from firmly_mcp.simulator.cash import Json, money
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.stock import Stock


def product_page(merchant: Merchant, product: Product, stock: Stock) -> Json:
    """The product as its store has it now."""
    return {
        "base_sku": product.base_sku,
        "title": product.title,
        "handle": product.handle,
        "description": product.description,
        "product_type": product.product_type,
        "tags": list(product.tags),
        "pdp_url": pdp_url(merchant, product),
        **({"brand": product.brand} if product.brand else {}),
        "images": images(merchant, product),
        "variant_option_values": _options(product, stock),
        "variants": [
            _variant(
                merchant, product, variant, stock.price(product.store, variant), stock.left(product.store, variant)
            )
            for variant in product.variants
        ],
        "reviews": {"total_reviews": product.reviews, "average_rating": product.rating / 10},
    }


def index_hit(merchant: Merchant, product: Product) -> Json:
    """The product as the discovery index believes it to be: generated prices and stock, not today's."""
    prices = [index_price(product, variant) for variant in product.variants]
    return {
        "base_sku": product.base_sku,
        "title": product.title,
        "brand": product.brand,
        "handle": product.handle,
        "description": product.description,
        "pdp_url": pdp_url(merchant, product).replace(f"{merchant.domain}//", f"{merchant.domain}/"),
        "domain": merchant.domain,
        "domain_name": merchant.name,
        "price_range": {"min": min(prices), "max": max(prices)},
        "has_available_variants": any(variant.stock for variant in product.variants),
        "images": images(merchant, product),
        "variants": [
            _variant(merchant, product, variant, price, variant.stock)
            for variant, price in zip(product.variants, prices, strict=True)
        ],
        "variant_option_values": _options(product, None),
        "tags": list(product.tags),
        "average_rating": product.rating / 10,
        "total_reviews": product.reviews,
        "category": {"l1": merchant.kind.title(), "l2": product.product_type},
    }


def list_entry(merchant: Merchant, product: Product, api_url: str) -> Json:
    """One entry of a store's product list."""
    handle = quote(product.handle, safe="")
    return {
        "loc": f"{api_url}/api/v1/domains-products/{merchant.domain}/{handle}",
        "handle": product.handle,
        "title": product.title,
        "image": {"url": images(merchant, product)[0]["url"]},
    }


def index_price(product: Product, variant: Variant) -> int:
    """The price in the discovery index, in cents."""
    return variant.price * product.index_price // 100


def pdp_url(merchant: Merchant, product: Product) -> str:
    """The address of the product's page at its store; it may hold `//`, as real ones do."""
    return merchant.pdp_form.format(domain=merchant.domain, handle=product.handle)


def images(merchant: Merchant, product: Product) -> list[Json]:
    """Two pictures; some stores add the broken one that real payloads have."""
    url = f"https://images.{merchant.domain}/catalog/{product.base_sku.lower()}"
    found: list[Json] = [
        {"url": f"{url}-main.jpg", "alt": product.title, "type": "default"},
        {"url": f"{url}-side.jpg", "alt": product.title, "type": "large"},
    ]
    return [*found, {"url": "undefined", "type": "default"}] if merchant.broken_images else found


def cart_ref(product: Product, variant: Variant) -> Json:
    """The variant's `add_to_cart_ref`."""
    ref: Json = {"variant_id": variant.variant_id}
    if product.product_id is not None:
        ref["product_id"] = product.product_id
    if variant.variant_handles:
        ref["variant_handles"] = list(variant.variant_handles)
    return ref


def _variant(merchant: Merchant, product: Product, variant: Variant, price: int, left: int) -> Json:
    view: Json = {
        "handle": variant.handle,
        "sku": variant.sku,
        "title": " - ".join((product.title, " ".join(variant.values))),
        "display_name": " / ".join(variant.values),
        "price": money(price, merchant.currency),
        "msrp": money(max(variant.msrp, price), merchant.currency),
        "available": left > 0,
        "variant_option_list": list(variant.values),
        **{f"option{place}": value for place, value in enumerate(variant.values, 1)},
        "images": images(merchant, product)[:1],
        "weight": 0,
        "add_to_cart_ref": cart_ref(product, variant),
    }
    if 0 < left <= 3:
        view["messages"] = [{"type": "stock", "text": f"Only {left} left"}]
    return view


def _options(product: Product, stock: Stock | None) -> list[Json]:
    def left(variant: Variant) -> int:
        return variant.stock if stock is None else stock.left(product.store, variant)

    return [
        {
            "display_name": name,
            "property_accessor": f"option{place + 1}",
            "position": place,
            "option_values": [
                {
                    "display_name": value,
                    "value": value,
                    "available": any(left(variant) for variant in product.variants if variant.values[place] == value),
                }
                for value in values
            ],
        }
        for place, (name, values) in enumerate(product.options)
    ]
