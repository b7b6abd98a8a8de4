"""Promo codes of a Full Cart (contract rows 16 and 17)."""

from typing import Any

import pytest

from .bodies import PromoCodes
from .cart_schemas import Cart, adds_up
from .schemas import read, refused
from .shopper import Shopper

pytestmark = pytest.mark.anyio
NOBODYS = "NOBODY-GAVE-THIS-CODE"


async def applied(shopper: Shopper, *codes: str, method: str = "POST") -> Cart:
    return read(Cart, await shopper.cart(method, "/promo-codes", PromoCodes(promo_codes=list(codes))))


def good_code(shopper: Shopper) -> str:
    return shopper.told(shopper.service.known.promo_code, "a promo code")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_code_lowers_the_total_and_the_tax(shopper: Shopper, method: str) -> None:
    code = good_code(shopper)
    before = await shopper.shipped(quantity=2)
    cart = await applied(shopper, code, method=method)
    assert cart.coupons == [code]
    assert cart.cart_discount is not None
    assert cart.cart_discount.number > 0
    assert cart.tax_total.number < before.tax_total.number
    assert cart.total.number < before.total.number
    assert await shopper.shown() == cart
    adds_up(cart)


async def test_a_code_that_nobody_gave_is_invalid(shopper: Shopper) -> None:
    cart = await shopper.filled()
    answer = await shopper.cart("POST", "/promo-codes", PromoCodes(promo_codes=[NOBODYS]))
    assert refused(answer) == (422, "ErrorInvalidPromoCode")
    assert await shopper.shown() == cart


async def test_a_code_for_other_carts_is_not_available(shopper: Shopper) -> None:
    code = shopper.told(shopper.service.known.unfit_promo_code, "a promo code that is for other carts")
    await shopper.filled()
    answer = await shopper.cart("POST", "/promo-codes", PromoCodes(promo_codes=[code]))
    assert refused(answer) == (422, "ErrorPromoNotAvailable")


async def test_of_several_codes_the_good_one_counts_or_none_does(shopper: Shopper) -> None:
    code = good_code(shopper)
    await shopper.filled()
    answer = await shopper.cart("POST", "/promo-codes", PromoCodes(promo_codes=[NOBODYS, code]))
    if answer.status_code == 200:
        assert read(Cart, answer).coupons == [code]
    else:
        assert refused(answer) == (422, "ErrorInvalidPromoCode")
        assert (await shopper.shown()).coupons == []


@pytest.mark.parametrize(
    "body", [{}, {"promo_codes": []}, {"promo_codes": "A"}, {"promo_codes": [7]}, {"promo_codes": ["A"] * 11}]
)
async def test_one_to_ten_texts_are_codes_and_nothing_else_is(shopper: Shopper, body: dict[str, Any]) -> None:
    await shopper.filled()
    assert refused(await shopper.cart("POST", "/promo-codes", body)) == (400, "ErrorInvalidInputBody")


async def test_clearing_takes_every_discount_off(shopper: Shopper) -> None:
    code = good_code(shopper)
    before = await shopper.shipped()
    await applied(shopper, code)
    cart = read(Cart, await shopper.cart("DELETE", "/promo-codes"))
    assert cart.coupons == []
    assert cart.cart_discount is None or cart.cart_discount.number == 0
    assert all(line.line_discount is None for line in cart.line_items)
    assert cart.total == before.total


async def test_a_store_that_forbids_clearing_says_so(shopper: Shopper) -> None:
    for place in shopper.service.places:
        await shopper.filled(place)
        answer = await shopper.cart("DELETE", "/promo-codes", at=place)
        if answer.status_code != 200:
            assert refused(answer) == (422, "ErrorClearPromoCodeNotAllowed")
            return
    shopper.lacks("a store that forbids clearing promo codes")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_codes_need_a_cart(shopper: Shopper, method: str) -> None:
    body = PromoCodes(promo_codes=["A"]) if method == "POST" else None
    assert refused(await shopper.cart(method, "/promo-codes", body)) == (404, "ErrorCartNotFound")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_codes_need_a_token(shopper: Shopper, method: str) -> None:
    without = await shopper.cart(method, "/promo-codes", x_firmly_authorization=None)
    assert refused(without) == (401, "MissingAuthHeader")
    bad = await shopper.cart(method, "/promo-codes", x_firmly_authorization="not-a-token")
    assert refused(bad) == (401, "InvalidToken")
