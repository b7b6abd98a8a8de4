"""What Firmly's sources contradict each other about, as switches. The default is the contract's proposal.

A simulator speaks one dialect at a time; it changes how things are said and which of two forms is taken, never what is
charged. Each field names the row of the contract's section 14 (C) or 15 (U), or the schema, that it comes from.
"""

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak."""

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


DEFAULT = Dialect()
