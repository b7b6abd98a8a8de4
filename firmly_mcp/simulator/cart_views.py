"""A cart as Firmly shows it: the Full Cart (contract 8.7) and, from it, the Simple Cart (8.8) and the Order (8.9)."""

from typing import Any

from firmly_mcp.simulator import addons, promotions, shipping
from firmly_mcp.simulator.cash import Json, money
from firmly_mcp.simulator.lines import PricedLine
from firmly_mcp.simulator.merchants import Addon, Method
from firmly_mcp.simulator.places import COUNTRIES, state_name
from firmly_mcp.simulator.product_views import images
from firmly_mcp.simulator.shipping import PricedShipment
from firmly_mcp.simulator.totals import Priced


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


def order(full: Json, *, simple: bool) -> Json:
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
    off = promotions.line_discount(priced.promos, line)
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
        "fulfillment_type": shipping.names_of(choice.fulfillment_type),
        "fulfillment_type_options": [shipping.names_of(kind) for kind in shipment.types],
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
    return [_offer(priced, addon) for addon in addons.offered(priced.merchant, priced.lines)]


def _offer(priced: Priced, addon: Addon) -> Json:
    lines = addons.eligible(addon, priced.lines)
    currency = priced.merchant.currency
    view: Json = {
        "addon_id": addon.id,
        "display": {"name": addon.name, "description": addon.description},
        "scope": addon.scope,
        "price": money(addons.offer_cents(addon, lines), currency),
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
            line.line.line_item_id: money(addons.line_cents(addon, line), currency) for line in lines
        }
    if addon.children:
        view["child_offers"] = [
            {
                "addon_id": child.id,
                "display": {"name": child.name, "description": child.description},
                "price": money(addons.offer_cents(child, lines), currency),
            }
            for child in addon.children
        ]
    return view


def _selections(priced: Priced) -> list[Json]:
    return [
        {
            "addon_id": addon.id,
            "selected_line_item_ids": [line.line.line_item_id for line in addons.covered(addon, picked, priced.lines)],
            "selected_child_ids": list(picked.child_ids),
            "price": money(addons.selection_cents(addon, picked, priced.lines), priced.merchant.currency),
        }
        for addon, picked in priced.selections
    ]


def _simple_address(address: Json) -> Json:
    country, state = address["country"], address["state_or_province"]
    return {**address, "country": COUNTRIES.get(country, country), "state_name": state_name(country, state)}


def _simple_method(method: dict[str, Any]) -> Json:
    return {"sku": method["id"], **{key: value for key, value in method.items() if key != "id"}}
