"""Promotions v2 (contract 5.5)."""

from collections.abc import Iterator

from firmly_mcp.simulator import promotions
from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.carts import Cart

MOST = 10


def set_promo_codes(call: Call) -> Answer:
    """Apply codes in the given order; several of which one is good are taken without the bad ones (C-28)."""
    cart, codes = call.open_cart(), _codes(call)
    if not cart.lines:
        raise Refusal("ErrorCartEmpty", "The cart is empty")
    refusals = [refusal for refusal in _refusals(call, cart, codes) if refusal is not None]
    dialect = call.world.dialect
    if refusals and (len(refusals) == len(codes) or dialect.bad_promos == "refused"):
        raise refusals[0]
    good = [code for code, refusal in zip(codes, _refusals(call, cart, codes), strict=True) if refusal is None]
    before = cart.coupons if dialect.promo_codes == "add" else []
    cart.coupons = list(dict.fromkeys((*before, *good)))
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def clear_promo_codes(call: Call) -> Answer:
    """Take all codes off, where the store lets one."""
    cart = call.open_cart()
    if not call.world.catalog.merchant(cart.store).clears_promos:
        raise Refusal("ErrorClearPromoCodeNotAllowed", "This merchant does not allow clearing promo codes")
    cart.coupons = []
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def _codes(call: Call) -> list[str]:
    codes = call.json().get("promo_codes")
    if not isinstance(codes, list) or not 1 <= len(codes) <= MOST:
        raise Refusal("ErrorInvalidInputBody", f"promo_codes must be a list of 1 to {MOST}")
    if not all(isinstance(code, str) and code.strip() for code in codes):
        raise Refusal("ErrorInvalidInputBody", "promo_codes must be strings")
    return list(dict.fromkeys(code.strip().upper() for code in codes))


def _refusals(call: Call, cart: Cart, codes: list[str]) -> Iterator[Refusal | None]:
    world = call.world
    priced = world.priced(cart)
    for code in codes:
        promo = world.till.valid_promo(priced.merchant, code, world.now())
        if promo is None:
            yield Refusal("ErrorInvalidPromoCode", f"Promo code '{code}' is invalid or expired")
        elif not promotions.applies(promo, priced.lines):
            yield Refusal("ErrorPromoNotAvailable", f"Promo code '{code}' is not available for this cart")
        else:
            yield None
