"""A cart as Firmly shows it: the Full Cart (contract 8.7) and, from it, the Simple Cart (8.8) and the Order (8.9)."""

from typing import Any
from urllib.parse import quote

from firmly_mcp.simulator.answers import Json, money
from firmly_mcp.simulator.carts import (
    PricedLine,
    addon_cents,
    addon_line_cents,
    covered_lines,
    eligible_lines,
    line_discount,
    offered_addons,
    selection_cents,
)
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.geography import COUNTRIES, state_name
from firmly_mcp.simulator.ledger import Stock
from firmly_mcp.simulator.merchants import Addon, Merchant, Method
from firmly_mcp.simulator.pricing import Priced, PricedShipment, fulfillment_view


def full_cart(priced: Priced) -> Json:
    """The v2 cart."""
    cart, merchant = priced.cart, priced.merchant

    def cash(cents: int) -> Json:
        return money(cents, merchant.currency)

    view: Json = {
        "cart_id": cart.cart_id,
        "platform_id": merchant.platform,
        "shop_id": merchant.domain,
        "display_name": merchant.name,
        "cart_status": priced.status,
        "line_items": [_line(priced, line) for line in priced.lines],
        "shipments": [_shipment(priced, shipment) for shipment in priced.shipments],
        "addons": {"offers": _offers(priced), "selections": _selections(priced)},
        "sub_total": cash(priced.sub_total),
        "shipping_total": cash(priced.shipping),
        "tax_total": cash(priced.tax),
        "addon_total": cash(priced.addons),
        "total": cash(priced.total),
        "coupons": list(cart.coupons),
        "notices": [{"code": code, "message": message} for code, message in priced.notices],
        "payment_method_options": [{"type": "CreditCard", "wallet": "user"}],
        "schema_version": "2.0",
    }
    if cart.coupons:
        view["cart_discount"] = cash(priced.discount)
    for name in ("shipping_info", "billing_info"):
        if getattr(cart, name) is not None:
            view[name] = getattr(cart, name)
    return view


def simple_cart(full: Json) -> Json:
    """The v1 form of a v2 view: flat, one shipping method, `tax`, `sku` for method ids, countries by name."""
    shipments = full["shipments"]
    view = {key: value for key, value in full.items() if key not in _FULL_ONLY}
    view["tax"] = full["tax_total"]
    if full.get("shipping_info"):
        view["shipping_info"] = _simple_address(full["shipping_info"])
    if shipments:
        view["shipping_method_options"] = [_simple_method(o) for o in shipments[0]["shipping_method_options"]]
    if shipments and shipments[0]["shipping_method"]:
        view["shipping_method"] = _simple_method(shipments[0]["shipping_method"])
    return view


def order_view(full: Json, *, simple: bool) -> Json:
    """The answer to a payment: the submitted cart with the order's fields. Its tax is called `tax` (C-14)."""
    view = simple_cart(full) if simple else {**full, "tax": full["tax_total"]}
    shipments = full["shipments"]
    if not simple and shipments:
        view["shipping_method"] = shipments[0]["shipping_method"]
    return {key: value for key, value in view.items() if key not in _NOT_IN_ORDERS}


_FULL_ONLY = {"shipments", "addons", "addon_total", "tax_total", "notices", "schema_version", "billing_info"}
_NOT_IN_ORDERS = {"notices", "payment_method_options", "tax_total", "shipping_method_options"}


def _line(priced: Priced, line: PricedLine) -> Json:
    currency = priced.merchant.currency
    names = [name for name, _ in line.product.options]
    described = sorted(f"{name}: {value}" for name, value in zip(names, line.variant.values, strict=True))
    view: Json = {
        "line_item_id": line.line.line_item_id,
        "platform_line_item_id": line.line.platform_line_item_id,
        "sku": line.variant.sku,
        "base_sku": line.product.base_sku,
        "variant_id": line.variant.variant_id,
        "description": line.product.title,
        "variant_description": ", ".join(described),
        "quantity": line.line.quantity,
        "price": money(line.price, currency),
        "line_price": money(line.line_price, currency),
        "msrp": money(max(line.variant.msrp, line.price), currency),
        "image": images(priced.merchant, line.product)[0],
        "requires_shipping": True,
    }
    off = line_discount(priced.promos, line)
    if off:
        view["discount"] = money(off // line.line.quantity, currency)
        view["line_discount"] = money(off, currency)
        view["discounts"] = [{"code": promo.code} for promo in priced.promos if promo.percent]
    return view


def _shipment(priced: Priced, shipment: PricedShipment) -> Json:
    choice, currency = shipment.choice, priced.merchant.currency
    view: Json = {
        "shipment_id": choice.shipment_id,
        "line_item_ids": [line.line.line_item_id for line in shipment.lines],
        "fulfillment_type": fulfillment_view(choice.fulfillment_type),
        "fulfillment_type_options": [fulfillment_view(kind) for kind in shipment.types],
        "shipping_method_options": [_method(method, currency) for method in shipment.options],
        "shipping_method": None if shipment.method is None else _method(shipment.method, currency),
    }
    for name in ("notes", "selected_date"):
        if getattr(choice, name) is not None:
            view[name] = getattr(choice, name)
    location = next((place for place in priced.merchant.locations if place.id == choice.location_id), None)
    if location is not None:
        view["selected_location"] = {
            "location_id": location.id,
            "name": location.name,
            "address1": location.address1,
            "city": location.city,
            "state_or_province": location.state_or_province,
            "postal_code": location.postal_code,
        }
    return view


def _method(method: Method, currency: str) -> Json:
    return {
        "id": method.id,
        "description": method.description,
        "price": money(method.cents, currency),
        "estimated_delivery": method.estimated_delivery,
    }


def _offers(priced: Priced) -> list[Json]:
    return [_offer(priced, addon) for addon in offered_addons(priced.merchant, priced.lines)]


def _offer(priced: Priced, addon: Addon) -> Json:
    lines = eligible_lines(addon, priced.lines)
    currency = priced.merchant.currency
    view: Json = {
        "addon_id": addon.id,
        "display": {"name": addon.name, "description": addon.description},
        "scope": addon.scope,
        "price": money(addon_cents(addon, lines), currency),
        "required": addon.required,
        "selection_type": "SINGLE" if addon.choice else "MULTIPLE",
    }
    if addon.choice:
        view["choice_group"] = addon.choice
    if addon.scope != "CART":
        view["coverage_mode"] = "PER_ITEM" if addon.scope == "ITEM" else "PREDEFINED_GROUP"
        view["eligible_line_item_ids"] = [line.line.line_item_id for line in lines]
    if addon.scope == "ITEM":
        view["line_item_pricing"] = {
            line.line.line_item_id: money(addon_line_cents(addon, line), currency) for line in lines
        }
    if addon.children:
        view["child_offers"] = [
            {
                "addon_id": child.id,
                "display": {"name": child.name, "description": child.description},
                "price": money(addon_cents(child, lines), currency),
            }
            for child in addon.children
        ]
    return view


def _selections(priced: Priced) -> list[Json]:
    return [
        {
            "addon_id": addon.id,
            "selected_line_item_ids": [line.line.line_item_id for line in covered_lines(addon, picked, priced.lines)],
            "selected_child_ids": list(picked.child_ids),
            "price": money(selection_cents(addon, picked, priced.lines), priced.merchant.currency),
        }
        for addon, picked in priced.selections
    ]


def _simple_address(address: Json) -> Json:
    country, state = address["country"], address["state_or_province"]
    return {**address, "country": COUNTRIES.get(country, country), "state_name": state_name(country, state)}


def _simple_method(method: dict[str, Any]) -> Json:
    return {"sku": method["id"], **{key: value for key, value in method.items() if key != "id"}}


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
