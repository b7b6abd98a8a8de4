"""What Firmly would send of a store that writes the same text into every field, ids included."""

from typing import Any


def usd(text: str) -> dict[str, Any]:
    return {"currency": "USD", "value": 12, "number": 1200, "symbol": text}


def product(text: str) -> dict[str, Any]:
    option = {"display_name": text, "property_accessor": "option1", "position": 0}
    variant: dict[str, Any] = {
        "sku": text, "title": text, "option1": text, "variant_option_list": [text], "price": usd(text),
        "msrp": usd(text), "messages": [{"type": text, "text": text}], "description": text,
        "add_to_cart_ref": {"variant_id": text},
    }  # fmt: skip
    cheaper = {**variant, "price": {**usd(text), "value": 9, "number": 900}}
    return {
        "title": text, "brand": text, "handle": text, "description": text, "pdp_url": f"https://x.example/{text}",
        "domain": text, "tags": [text], "variants": [variant, cheaper],
        "variant_option_values": [option], "reviews": {"total_reviews": 3, "average_rating": 4},
    }  # fmt: skip


def cart(text: str) -> dict[str, Any]:
    method = {"id": text, "description": text, "price": usd(text), "estimated_delivery": text}
    kind = {"id": text, "name": text, "description": text}
    addon = {"addon_id": text, "display": {"name": text, "description": text}, "price": usd(text)}
    line = {"line_item_id": text, "sku": text, "description": text, "variant_description": text, "quantity": 1}
    return {
        "cart_status": "active", "coupons": [text], "notices": [{"code": text, "message": text}], "total": usd(text),
        "line_items": [line],
        "shipments": [{
            "shipment_id": text, "fulfillment_type": kind, "fulfillment_type_options": [kind],
            "shipping_method": method, "shipping_method_options": [method], "notes": text,
            "selected_location": {"name": text},
        }],
        "addons": {"offers": [{**addon, "child_offers": [addon], "eligible_line_item_ids": [text]}], "selections": []},
    }  # fmt: skip


def status(text: str) -> dict[str, Any]:
    tracking = {"carrier": text, "tracking_number": text, "delivered_at": text}
    return {
        "order_number": text, "order_status_page_url": text, "returns": [{"id": text, "status": text}],
        "line_items": [{"sku": text, "status": text, "quantity": 1, "tracking": tracking}],
        "events": [{"type": text, "description": text}], "status": text,
    }  # fmt: skip
