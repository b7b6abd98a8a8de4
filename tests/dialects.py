"""What Firmly's sources contradict each other about, as switches; and stores that word their texts otherwise.

A test sets `simulator.world.encode = Dialect(...)`, or `Wording(...)`. A dialect changes how an answer is written and
which of two documented ways an endpoint takes, never what is charged.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import parse_qs, urlencode, urlsplit

from firmly_mcp.simulator.answers import Answer, Json, Refusal
from firmly_mcp.simulator.calls import AUTH, BEARER, Call
from firmly_mcp.simulator.endpoints.cart import set_shipping_method
from firmly_mcp.simulator.geography import COUNTRIES
from firmly_mcp.simulator.merchants import LUMA, PICKUP
from firmly_mcp.simulator.stream import C, Encoder, Event, Stream

OTHER_ADDRESS = {
    "address1": "address_line_1",
    "address2": "address_line_2",
    "state_or_province": "state_code",
    "postal_code": "zip",
    "country": "country_code",
}
BAD_TOKENS = {"InvalidToken", "InvalidJWTToken", "Unauthorized"}
MONEY = {"currency", "value", "number", "symbol"}
COMMENT = b": still working\n\n"


@dataclass(frozen=True, slots=True)
class Dialect(Encoder):
    """One dialect. Each field names its row of the contract's section 14 (C) or 15 (U), or the schema it comes from.

    The defaults are the contract's proposal, which is what the simulator does without a dialect.
    """

    bearer: Literal["either", "required", "refused"] = "either"
    """C-1: the prefix `Bearer ` in x-firmly-authorization."""
    pdp_by_app_id: bool = True
    """C-2: domains-pdp also answers to an App ID without a token."""
    pickup_id: Literal["PICKUP_IN_STORE", "IN_STORE_PICKUP"] = "PICKUP_IN_STORE"
    """C-3: what pickup is called; requests may use either."""
    shipping_method_path: Literal["documented", "other", "both", "neither"] = "documented"
    """C-4: which path sets a shipping method; the rest is RouteNotFound."""
    cart_slash: Literal["either", "required", "refused"] = "either"
    """C-5: the trailing slash of GET v2 cart."""
    takes_old_add_body: bool = False
    """C-6: add also takes the older body with `sku`."""
    cleared_address: Literal["usual", "other"] = "usual"
    """C-7: the address names in the answer to a v2 clear."""
    clear_keeps_address: bool = True
    """C-8: whether a v2 clear keeps the shipping address (v1 never does)."""
    countries: Literal["by_version", "codes", "names"] = "by_version"
    """C-9: countries in answers: names in v1 and codes in v2, or one form everywhere."""
    statuses: tuple[tuple[str, int], ...] = ()
    """C-10, C-18, C-19, C-20, U-4: other HTTP statuses of errors, by name."""
    image_key: Literal["url", "src"] = "url"
    """C-13: the key of a cart image's address."""
    cart_tax: Literal["tax_total", "tax", "both"] = "tax_total"
    """C-14: the tax of a v2 cart."""
    order_tax: Literal["tax", "tax_total", "both"] = "tax"
    """C-14: the tax of an order."""
    no_postal_code: Literal["empty", "null"] = "empty"
    """C-15: a postal code that was never set."""
    promo_key: Literal["coupons", "promo_codes"] = "coupons"
    """C-17: where a cart lists its promo codes."""
    no_cart_error: Literal["ErrorCartNotFound", "CartNotFound"] = "ErrorCartNotFound"
    """C-21: the name of a missing cart."""
    envelope: Literal["by_page", "description", "message"] = "by_page"
    """C-22: `{code, error, description}` or `{error, message}` everywhere."""
    auth_error: Literal["by_page", "InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized"] = "by_page"
    """C-23: the name of a bad token."""
    method_key: Literal["by_version", "id", "sku", "both"] = "by_version"
    """C-25: the key of a shipping method: `sku` in v1 and `id` in v2, or one form everywhere."""
    bad_promos: Literal["skipped", "refused"] = "skipped"
    """C-28: one bad code among several."""
    accessor: Literal["option", "name"] = "option"
    """C-29: `property_accessor` and the variant's fields: option1, or the option's name."""
    error_event: Literal["bare", "wrapped"] = "bare"
    """U-3: the data of a stream's error: the envelope, or `{"error": envelope}`."""
    items_at_once: bool = False
    """U-3: one item-added for all items instead of one for each."""
    comments: bool = False
    """U-3: comment lines between events, as a keep-alive."""
    crlf: bool = False
    """U-3: lines of a stream end in CR LF."""
    no_cart: Literal["empty", "not_found"] = "empty"
    """U-6: GET v2 of a cart that was never filled."""
    notices: Literal["objects", "strings"] = "objects"
    """U-7: the elements of `notices`."""
    next_page_method: Literal["GET", "POST"] = "GET"
    """U-17: how the next page is asked for; the other method is RouteNotFound."""
    cursor_keeps_filters: bool = True
    """U-17: whether the next page still honours the filters."""
    placed_cart: Literal["separate", "replaces"] = "separate"
    """U-21: whether place-order leaves a filled cart alone."""
    promo_codes: Literal["replace", "add"] = "replace"
    """5.5.1: whether a POST of promo codes replaces those that were there."""
    money: Literal["whole", "value", "bare"] = "whole"
    """2.6: all four fields; `{currency, value}`; `{value}`."""
    strips_empty: bool = False
    """Section 8: empty values are left out, as adapters do; only `line_items` is always there."""
    fulfillment_is_null: bool = False
    """8.6: shipments show `fulfillment_type: null`."""
    hits_without_domain: bool = False
    """8.12: discovery hits lack `domain`."""
    luma_alias: bool = False
    """Section 1: discovery calls the demo store `luma.gift`."""

    def __post_init__(self) -> None:
        """Refuse a word that no dialect has."""
        for field, kind in zip(fields(self), get_type_hints(Dialect).values(), strict=True):
            known = get_args(kind) if get_origin(kind) is Literal else ((True, False) if kind is bool else None)
            if known is not None and getattr(self, field.name) not in known:
                raise ValueError(f"{field.name} must be one of {known}")

    def respond(self, handler: Callable[[C], Answer | Stream], call: C) -> Answer | Stream:
        """Run the endpoint as this dialect does, after its checks of the header and the path."""
        assert isinstance(call, Call)
        _check_authorization(call, self)
        return RESPONSES.get(call.route.name, _unchanged)(call, self)

    def body(self, body: Any) -> Any:
        """Write every part of a JSON body in this dialect. Parts are recognized by their fields."""
        return body if self == DEFAULT else _written(body, self)

    def refusal(self, refusal: Refusal) -> Refusal:
        """Return the refusal with this dialect's name, status and envelope."""
        name = self.no_cart_error if refusal.error == "ErrorCartNotFound" else refusal.error
        if refusal.error in BAD_TOKENS and self.auth_error != "by_page":
            name = self.auth_error
        return Refusal(
            name,
            refusal.description,
            status=dict(self.statuses).get(refusal.error, refusal.status),
            retry_after=refusal.retry_after,
            envelope=refusal.form if self.envelope == "by_page" else self.envelope,
        )

    def error_data(self, refusal: Refusal) -> Json:
        """Return the data of a stream's error event."""
        envelope = self.refusal(refusal).envelope()
        return envelope if self.error_event == "bare" else {"error": envelope}

    def frames(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames of one event as they are sent."""
        whole = [COMMENT, *frames] if self.comments else frames
        return [frame.replace(b"\n", b"\r\n") for frame in whole] if self.crlf else whole


DEFAULT = Dialect()


class Wording(Encoder):
    """Stores that write other texts: `word` gets the name of a field and its text, and returns the text that is sent.

    Ids, amounts, addresses and the words that Firmly itself defines stay, so that a hostile store still sells.
    """

    def __init__(self, word: Callable[[str, str], str]) -> None:
        self._word = word

    def body(self, body: Any) -> Any:
        """Word every text that a store wrote."""
        return self._worded(body, "")

    def _worded(self, body: Any, field: str) -> Any:
        if isinstance(body, dict):
            fields = {key: f"{field}.name" if key == "name" else key for key in body}
            return {key: self._worded(value, fields[key]) for key, value in body.items()}
        if isinstance(body, list):
            return [self._worded(part, field) for part in body]
        return self._word(field, body) if isinstance(body, str) and _is_by_store(field) else body


_BY_STORE = re.compile(
    r"title|description|display_name|brand|domain_name|product_type|tags|text|alt|message|variant_description"
    r"|estimated_delivery|carrier|variant_option_list|option\d+|l1|l2"
)
# `name` is a person's in an address, and a place's or an addon's elsewhere.
_NAMED = {"display", "selected_location", "fulfillment_type", "fulfillment_type_options"}


def _is_by_store(field: str) -> bool:
    return bool(_BY_STORE.fullmatch(field)) or (field.removesuffix(".name") in _NAMED and field.endswith(".name"))


# Behaviour: what a dialect does where it takes the other of two documented ways.


def _check_authorization(call: Call, dialect: Dialect) -> None:
    (missing, invalid), header = AUTH[call.route.auth], call.headers.get("x-firmly-authorization", "")
    by_token = bool(call.device.device_id)
    if by_token and dialect.bearer == ("refused" if header.startswith(BEARER) else "required"):
        raise Refusal(invalid, "The x-firmly-authorization header has the wrong form")
    if call.route.auth == "page" and not by_token and not dialect.pdp_by_app_id:
        raise Refusal(missing, "The x-firmly-authorization header is missing")


def _unchanged(call: Call, dialect: Dialect) -> Answer | Stream:
    return call.route.handler(call)


def _answer(call: Call) -> Answer:
    answer = call.route.handler(call)
    assert isinstance(answer, Answer)
    return answer


def _no_route(call: Call) -> Refusal:
    return Refusal("RouteNotFound", f"No route {call.route.method} {call.path} on this host")


def _get_cart(call: Call, dialect: Dialect) -> Answer:
    if dialect.cart_slash == ("refused" if call.path.endswith("/") else "required"):
        raise _no_route(call)
    if dialect.no_cart == "not_found" and call.world.carts.current(call.device.device_id, call.store) is None:
        raise Refusal("ErrorCartNotFound", f"No cart at {call.store}")
    return _answer(call)


def _add_line_item(call: Call, dialect: Dialect) -> Answer:
    if not dialect.takes_old_add_body:
        return _answer(call)
    body = call.json()
    body.setdefault("add_to_cart_ref", {"variant_id": body.get("variant_id", body.get("sku"))})
    return _answer(replace(call, body=json.dumps(body).encode()))


def _clear_cart(call: Call, dialect: Dialect) -> Answer:
    if not dialect.clear_keeps_address:
        call.world.carts.open(call.device.device_id, call.store, call.world.now()).clear(addresses=True)
    view = _answer(call).json
    if dialect.cleared_address == "other" and "shipping_info" in view:
        view["shipping_info"] = _renamed(view["shipping_info"], OTHER_ADDRESS)
    return Answer(view)


def _set_shipping_method(call: Call, dialect: Dialect) -> Answer:
    path = "other" if call.route.name == "other_shipping_method_v2" else "documented"
    if dialect.shipping_method_path not in {path, "both"}:
        raise _no_route(call)
    return set_shipping_method(call)


def _set_promo_codes(call: Call, dialect: Dialect) -> Answer:
    cart = call.open_cart()
    before = cart.coupons
    answer = _answer(call)
    bad = [code for code in call.json()["promo_codes"] if code.strip().upper() not in cart.coupons]
    if bad and dialect.bad_promos == "refused":
        cart.coupons = before
        call.world.save(cart)
        return _answer(replace(call, body=json.dumps({"promo_codes": bad[:1]}).encode()))
    if dialect.promo_codes == "add":
        cart.coupons = list(dict.fromkeys((*before, *cart.coupons)))
        call.world.save(cart)
        answer = Answer(call.world.view(cart))
    return answer


def _get_postal_code(call: Call, dialect: Dialect) -> Answer:
    code = _answer(call).json["postal_code"]
    return Answer({"postal_code": code or (None if dialect.no_postal_code == "null" else "")})


def _search(call: Call, dialect: Dialect) -> Answer:
    if call.route.name == "search_next" and dialect.next_page_method == "POST":
        raise _no_route(call)
    page = _answer(call).json
    if page["next_page"] and not dialect.cursor_keeps_filters:
        page["next_page"] = _without_filters(page["next_page"])
    return Answer(page)


def _without_filters(link: str) -> str:
    base, _, query = link.partition("?")
    parts = {name: values[0] for name, values in parse_qs(urlsplit(f"?{query}").query).items()}
    cursor = json.loads(base64.urlsafe_b64decode(parts["cursor"] + "=" * (-len(parts["cursor"]) % 4)))
    bare = base64.urlsafe_b64encode(json.dumps({**cursor, "filters": {}}).encode()).decode().rstrip("=")
    return f"{base}?{urlencode({**parts, 'cursor': bare})}"


def _place_order(call: Call, dialect: Dialect) -> Answer | Stream:
    stream = call.route.handler(replace(call, query={**call.query, "sse": "true"}))
    assert isinstance(stream, Stream)
    steps = _steps(call, stream.steps, dialect)
    if call.flag("sse"):
        return Stream(stream.store, steps)
    *_, placed = steps
    return Answer(placed.data["order"])


def _steps(call: Call, steps: Iterator[Event], dialect: Dialect) -> Iterator[Event]:
    yield next(steps)
    if dialect.placed_cart == "replaces":
        call.world.carts._current.pop((call.device.device_id, call.store), None)
    left_out = len(call.json()["items"]) - 1 if dialect.items_at_once else 0
    for step in steps:
        if step.name == "item-added" and left_out:
            left_out -= 1
        else:
            yield step


RESPONSES: dict[str, Callable[[Call, Dialect], Answer | Stream]] = {
    "get_cart_v2": _get_cart,
    "add_line_item_v2": _add_line_item,
    "clear_cart_v2": _clear_cart,
    "set_shipping_method_v2": _set_shipping_method,
    "other_shipping_method_v2": _set_shipping_method,
    "add_promo_codes_v2": _set_promo_codes,
    "set_promo_codes_v2": _set_promo_codes,
    "get_postal_code": _get_postal_code,
    "search": _search,
    "search_next": _search,
    "place_order_v1": _place_order,
    "place_order_v2": _place_order,
}


# Form: how a dialect writes what it does.


def _written(part: Any, dialect: Dialect) -> Any:
    if isinstance(part, list):
        return [_written(item, dialect) for item in part]
    if not isinstance(part, dict):
        return part
    whole = {key: _written(value, dialect) for key, value in part.items()}
    for is_shape, write in SHAPES:
        if is_shape(part):
            whole = write(whole, dialect)
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
