"""Carts, orders and products as Firmly shows them (contract 8.6 to 8.12).

The Full Cart (8.7) is made from a priced cart; the Simple Cart (8.8) and the Order (8.9) are made from it. A product's
page shows the store's price and stock of today; the discovery index lags behind in price, as the real one does.
"""

from urllib.parse import quote

from firmly_mcp.simulator import carts
from firmly_mcp.simulator.answers import Json, money
from firmly_mcp.simulator.carts import PricedLine
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.geography import COUNTRIES, state_name
from firmly_mcp.simulator.ledger import Stock
from firmly_mcp.simulator.merchants import PICKUP, SCHEDULED, SHIP, Addon, Merchant, Method
from firmly_mcp.simulator.pricing import PricedCart, PricedShipment

FULFILLMENTS = {
    SHIP: ("Ship to Address", "Standard shipping"),
    SCHEDULED: ("Scheduled Delivery", "Delivery on a day you choose"),
    PICKUP: ("Pickup in Store", "Collect it yourself"),
}
FULL_ONLY = {"shipments", "addons", "addon_total", "tax_total", "notices", "schema_version", "billing_info"}
NOT_IN_ORDERS = {"notices", "payment_method_options", "tax_total", "shipping_method_options"}


def full_cart(priced: PricedCart) -> Json:
    """Return the v2 cart."""
    cart, merchant = priced.cart, priced.merchant
    view: Json = {
        "cart_id": cart.cart_id,
        "platform_id": merchant.platform,
        "shop_id": merchant.domain,
        "display_name": merchant.name,
        "cart_status": priced.status,
        "line_items": [_line(priced, line) for line in priced.lines],
        "shipments": [_shipment(priced, shipment) for shipment in priced.shipments],
        "addons": {
            "offers": [_offer(priced, addon) for addon in carts.offered_addons(merchant, priced.lines)],
            "selections": _selections(priced),
        },
        "sub_total": money(priced.sub_total, merchant.currency),
        "shipping_total": money(priced.shipping, merchant.currency),
        "tax_total": money(priced.tax, merchant.currency),
        "addon_total": money(priced.addons, merchant.currency),
        "total": money(priced.total, merchant.currency),
        "coupons": list(cart.coupons),
        "notices": [{"code": code, "message": message} for code, message in priced.notices],
        "payment_method_options": [{"type": "CreditCard", "wallet": "user"}],
        "schema_version": "2.0",
    }
    if cart.coupons:
        view["cart_discount"] = money(priced.discount, merchant.currency)
    return view | _set(cart, "shipping_info", "billing_info")


def simple_cart(full: Json) -> Json:
    """Return the v1 form of a v2 view: flat, one shipping method, `tax`, `sku` for method ids, country names."""
    view = {key: value for key, value in full.items() if key not in FULL_ONLY}
    view["tax"] = full["tax_total"]
    if full.get("shipping_info"):
        address = full["shipping_info"]
        country, state = address["country"], address["state_or_province"]
        names = {"country": COUNTRIES.get(country, country), "state_name": state_name(country, state)}
        view["shipping_info"] = {**address, **names}
    for first in full["shipments"][:1]:
        view["shipping_method_options"] = [_simple_method(option) for option in first["shipping_method_options"]]
        if first["shipping_method"]:
            view["shipping_method"] = _simple_method(first["shipping_method"])
    return view


def order_view(full: Json, *, simple: bool) -> Json:
    """Return the answer to a payment: the submitted cart with the order's fields. Its tax is called `tax` (C-14)."""
    view = simple_cart(full) if simple else {**full, "tax": full["tax_total"]}
    if not simple and full["shipments"]:
        view["shipping_method"] = full["shipments"][0]["shipping_method"]
    return {key: value for key, value in view.items() if key not in NOT_IN_ORDERS}


def fulfillment_view(fulfillment_type: str) -> Json:
    """Return a fulfillment type as a cart shows it."""
    name, description = FULFILLMENTS[fulfillment_type]
    return {"id": fulfillment_type, "name": name, "description": description}


def _line(priced: PricedCart, line: PricedLine) -> Json:
    currency = priced.merchant.currency
    values = zip(line.product.options, line.variant.values, strict=True)
    view: Json = {
        "line_item_id": line.id,
        "platform_line_item_id": line.line.platform_line_item_id,
        "sku": line.variant.sku,
        "base_sku": line.product.base_sku,
        "variant_id": line.variant.variant_id,
        "description": line.product.title,
        "variant_description": ", ".join(sorted(f"{name}: {value}" for (name, _), value in values)),
        "quantity": line.line.quantity,
        "price": money(line.price, currency),
        "line_price": money(line.line_price, currency),
        "msrp": money(max(line.variant.msrp, line.price), currency),
        "image": _images(priced.merchant, line.product)[0],
        "requires_shipping": True,
    }
    off = carts.line_discount(priced.promos, line)
    if off:
        view["discount"] = money(off // line.line.quantity, currency)
        view["line_discount"] = money(off, currency)
        view["discounts"] = [{"code": promo.code} for promo in priced.promos if promo.percent]
    return view


def _shipment(priced: PricedCart, shipment: PricedShipment) -> Json:
    choice, currency = shipment.choice, priced.merchant.currency
    view: Json = {
        "shipment_id": choice.shipment_id,
        "line_item_ids": [line.id for line in shipment.lines],
        "fulfillment_type": fulfillment_view(choice.fulfillment_type),
        "fulfillment_type_options": [fulfillment_view(kind) for kind in shipment.types],
        "shipping_method_options": [_method(method, currency) for method in shipment.options],
        "shipping_method": None if shipment.method is None else _method(shipment.method, currency),
        **_set(choice, "notes", "selected_date"),
    }
    location = next((place for place in priced.merchant.locations if place.id == choice.location_id), None)
    if location is not None:
        names = ("name", "address1", "city", "state_or_province", "postal_code")
        view["selected_location"] = {"location_id": location.id, **_set(location, *names)}
    return view


def _set(part: object, *names: str) -> Json:
    """Return those of an object's fields that are set."""
    return {name: getattr(part, name) for name in names if getattr(part, name) is not None}


def _method(method: Method, currency: str) -> Json:
    return {
        "id": method.id,
        "description": method.description,
        "price": money(method.cents, currency),
        "estimated_delivery": method.estimated_delivery,
    }


def _simple_method(method: Json) -> Json:
    return {"sku": method["id"], **{key: value for key, value in method.items() if key != "id"}}


def _offer(priced: PricedCart, addon: Addon) -> Json:
    lines, currency = carts.eligible_lines(addon, priced.lines), priced.merchant.currency
    view: Json = {
        "addon_id": addon.id,
        "display": {"name": addon.name, "description": addon.description},
        "scope": addon.scope,
        "price": money(carts.addon_cents(addon, lines), currency),
        "required": addon.required,
        "selection_type": "SINGLE" if addon.choice else "MULTIPLE",
    }
    if addon.choice:
        view["choice_group"] = addon.choice
    if addon.scope != "CART":
        view["coverage_mode"] = "PER_ITEM" if addon.scope == "ITEM" else "PREDEFINED_GROUP"
        view["eligible_line_item_ids"] = [line.id for line in lines]
    if addon.scope == "ITEM":
        view["line_item_pricing"] = {line.id: money(carts.addon_cents(addon, [line]), currency) for line in lines}
    if addon.children:
        view["child_offers"] = [
            {
                "addon_id": child.id,
                "display": {"name": child.name, "description": child.description},
                "price": money(carts.addon_cents(child, lines), currency),
            }
            for child in addon.children
        ]
    return view


def _selections(priced: PricedCart) -> list[Json]:
    return [
        {
            "addon_id": addon.id,
            "selected_line_item_ids": [line.id for line in carts.covered_lines(addon, selection, priced.lines)],
            "selected_child_ids": list(selection.child_ids),
            "price": money(carts.selection_cents(addon, selection, priced.lines), priced.merchant.currency),
        }
        for addon, selection in priced.selections
    ]


def product_page(merchant: Merchant, product: Product, stock: Stock) -> Json:
    """Return the product as its store has it now."""
    prices = [stock.price(product.store, variant) for variant in product.variants]
    left = [stock.left(product.store, variant) for variant in product.variants]
    return {
        "base_sku": product.base_sku,
        "title": product.title,
        "handle": product.handle,
        "description": product.description,
        "product_type": product.product_type,
        "tags": list(product.tags),
        "pdp_url": _pdp_url(merchant, product),
        **_set(product, "brand"),
        "images": _images(merchant, product),
        "variant_option_values": _options(product, left),
        "variants": _variants(merchant, product, prices, left),
        "reviews": {"total_reviews": product.reviews, "average_rating": product.rating / 10},
    }


def index_hit(merchant: Merchant, product: Product) -> Json:
    """Return the product as the discovery index has it: with generated prices and stock, not today's."""
    prices = [index_price(product, variant) for variant in product.variants]
    left = [variant.stock for variant in product.variants]
    return {
        "base_sku": product.base_sku,
        "title": product.title,
        "brand": product.brand,
        "handle": product.handle,
        "description": product.description,
        "pdp_url": _pdp_url(merchant, product).replace(f"{merchant.domain}//", f"{merchant.domain}/"),
        "domain": merchant.domain,
        "domain_name": merchant.name,
        "price_range": {"min": min(prices), "max": max(prices)},
        "has_available_variants": any(left),
        "images": _images(merchant, product),
        "variants": _variants(merchant, product, prices, left),
        "variant_option_values": _options(product, left),
        "tags": list(product.tags),
        "average_rating": product.rating / 10,
        "total_reviews": product.reviews,
        "category": {"l1": merchant.kind.title(), "l2": product.product_type},
    }


def list_entry(merchant: Merchant, product: Product, api_url: str) -> Json:
    """Return one entry of a store's product list."""
    return {
        "loc": f"{api_url}/api/v1/domains-products/{merchant.domain}/{quote(product.handle, safe='')}",
        "handle": product.handle,
        "title": product.title,
        "image": {"url": _images(merchant, product)[0]["url"]},
    }


def index_price(product: Product, variant: Variant) -> int:
    """Return the price in the discovery index, in cents."""
    return variant.price * product.index_price // 100


def _pdp_url(merchant: Merchant, product: Product) -> str:
    """Return the address of the product's page at its store; it may hold `//`, as real ones do."""
    return merchant.pdp_form.format(domain=merchant.domain, handle=product.handle)


def _images(merchant: Merchant, product: Product) -> list[Json]:
    """Return two pictures; some stores add the broken one that real payloads have."""
    url = f"https://images.{merchant.domain}/catalog/{product.base_sku.lower()}"
    images: list[Json] = [
        {"url": f"{url}-main.jpg", "alt": product.title, "type": "default"},
        {"url": f"{url}-side.jpg", "alt": product.title, "type": "large"},
    ]
    return [*images, {"url": "undefined", "type": "default"}] if merchant.broken_images else images


def _variants(merchant: Merchant, product: Product, prices: list[int], left: list[int]) -> list[Json]:
    each = zip(product.variants, prices, left, strict=True)
    return [_variant(merchant, product, variant, price, stock) for variant, price, stock in each]


def _variant(merchant: Merchant, product: Product, variant: Variant, price: int, left: int) -> Json:
    ref = {"variant_id": variant.variant_id, **_set(product, "product_id")}
    if variant.variant_handles:
        ref["variant_handles"] = list(variant.variant_handles)
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
        "images": _images(merchant, product)[:1],
        "weight": 0,
        "add_to_cart_ref": ref,
    }
    if 0 < left <= 3:
        view["messages"] = [{"type": "stock", "text": f"Only {left} left"}]
    return view


def _options(product: Product, left: list[int]) -> list[Json]:
    available = {
        (place, value)
        for variant, stock in zip(product.variants, left, strict=True)
        for place, value in enumerate(variant.values)
        if stock
    }
    return [
        {
            "display_name": name,
            "property_accessor": f"option{place + 1}",
            "position": place,
            "option_values": [
                {"display_name": value, "value": value, "available": (place, value) in available} for value in values
            ],
        }
        for place, (name, values) in enumerate(product.options)
    ]
