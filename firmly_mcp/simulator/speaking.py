"""Says an answer in a dialect. Parts are known by their shape, so that no endpoint needs to know of dialects."""

from collections.abc import Callable
from typing import Any

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.dialect import DEFAULT, Dialect
from firmly_mcp.simulator.geography import COUNTRIES
from firmly_mcp.simulator.merchants import LUMA, PICKUP

OTHER_ADDRESS = {
    "address1": "address_line_1",
    "address2": "address_line_2",
    "state_or_province": "state_code",
    "postal_code": "zip",
    "country": "country_code",
}
BAD_TOKENS = {"InvalidToken", "InvalidJWTToken", "Unauthorized"}
MONEY = {"currency", "value", "number", "symbol"}


def spoken(body: Any, dialect: Dialect) -> Any:
    """The answer as this dialect has it."""
    if dialect == DEFAULT:
        return body
    return _said(body, dialect)


def refused(refusal: Refusal, dialect: Dialect) -> Refusal:
    """A refusal as this dialect has it: its name, its status and its envelope."""
    if dialect == DEFAULT:
        return refusal
    name = dialect.no_cart_error if refusal.error == "ErrorCartNotFound" else refusal.error
    if refusal.error in BAD_TOKENS and dialect.auth_error != "by_page":
        name = dialect.auth_error
    return Refusal(
        name,
        refusal.description,
        status=dict(dialect.statuses).get(refusal.error, refusal.status),
        retry_after=refusal.retry_after,
        envelope=refusal.form if dialect.envelope == "by_page" else dialect.envelope,
    )


def _said(part: Any, dialect: Dialect) -> Any:
    if isinstance(part, list):
        return [_said(item, dialect) for item in part]
    if not isinstance(part, dict):
        return part
    whole = {key: _said(value, dialect) for key, value in part.items()}
    for knows, says in SHAPES:
        if knows(part):
            whole = says(whole, dialect)
    if dialect.strips_empty:
        whole = {key: value for key, value in whole.items() if key == "line_items" or not _empty(value)}
    return whole


def _empty(value: Any) -> bool:
    return value is None or (not value and isinstance(value, str | list | dict))


def _renamed(part: Json, names: dict[str, str]) -> Json:
    return {names.get(key, key): value for key, value in part.items()}


def _money(part: Json, dialect: Dialect) -> Json:
    keys = {"whole": MONEY, "value": {"currency", "value"}, "bare": {"value"}}[dialect.money]
    return {key: value for key, value in part.items() if key in keys}


def _line(part: Json, dialect: Dialect) -> Json:
    return {**part, "image": _renamed(part["image"], {"url": dialect.image_key})}


def _address(part: Json, dialect: Dialect) -> Json:
    if dialect.countries == "by_version":
        return part
    codes = {name: code for code, name in COUNTRIES.items()}
    country: str = part["country"]
    code = codes.get(country, country)
    return {**part, "country": code if dialect.countries == "codes" else COUNTRIES.get(code, code)}


def _method(part: Json, dialect: Dialect) -> Json:
    if dialect.method_key == "by_version":
        return part
    id_ = part.get("id", part.get("sku"))
    rest = {key: value for key, value in part.items() if key not in {"id", "sku"}}
    keys = ("id", "sku") if dialect.method_key == "both" else (dialect.method_key,)
    return {**dict.fromkeys(keys, id_), **rest}


def _fulfillment(part: Json, dialect: Dialect) -> Json:
    return {**part, "id": dialect.pickup_id} if part["id"] == PICKUP else part


def _shipment(part: Json, dialect: Dialect) -> Json:
    return {**part, "fulfillment_type": None} if dialect.fulfillment_is_null else part


def _cart(part: Json, dialect: Dialect) -> Json:
    part = _renamed(part, {"coupons": dialect.promo_key})
    if dialect.notices == "strings" and "notices" in part:
        part["notices"] = [notice["code"] for notice in part["notices"]]
    return part


def _full_cart(part: Json, dialect: Dialect) -> Json:
    tax = part.pop("tax_total")
    return {**part, **dict.fromkeys(_tax_keys(dialect.cart_tax), tax)}


def _order(part: Json, dialect: Dialect) -> Json:
    tax = part.pop("tax")
    return {**part, **dict.fromkeys(_tax_keys(dialect.order_tax), tax)}


def _tax_keys(which: str) -> tuple[str, ...]:
    return ("tax", "tax_total") if which == "both" else (which,)


def _hit(part: Json, dialect: Dialect) -> Json:
    if dialect.luma_alias and part["domain"] == LUMA.domain:
        part["domain"] = "luma.gift"
    if dialect.hits_without_domain:
        del part["domain"]
    return part


def _product(part: Json, dialect: Dialect) -> Json:
    if dialect.accessor == "option":
        return part
    names = {f"option{place}": option["display_name"].lower() for place, option in enumerate(_options(part), 1)}
    for option in _options(part):
        option["property_accessor"] = option["display_name"].lower()
    return {**part, "variants": [_renamed(variant, names) for variant in part.get("variants", [])]}


def _options(part: Json) -> list[Json]:
    options: list[Json] = part.get("variant_option_values", [])
    return options


SHAPES: tuple[tuple[Callable[[Json], bool], Callable[[Json, Dialect], Json]], ...] = (
    (lambda part: part.keys() == MONEY, _money),
    (lambda part: "line_item_id" in part and "image" in part, _line),
    (lambda part: "address1" in part and "country" in part, _address),
    (lambda part: "estimated_delivery" in part and "price" in part, _method),
    (lambda part: part.keys() == {"id", "name", "description"}, _fulfillment),
    (lambda part: "shipment_id" in part and "line_item_ids" in part, _shipment),
    (lambda part: "cart_id" in part and "line_items" in part, _cart),
    (lambda part: "tax_total" in part and "shipments" in part, _full_cart),
    (lambda part: "tax" in part and "submitted_at" in part, _order),
    (lambda part: "price_range" in part and "domain" in part, _hit),
    (lambda part: "variant_option_values" in part, _product),
)
