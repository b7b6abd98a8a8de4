"""Promotions v2, contract section 5.5."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.dialects import Dialect
from tests.simulator.shopping import FERNHILL, HEARTH, HOODIE, LUMA, TEE, Clock, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def promote(shopper: Shopper, *codes: Any, store: str = LUMA, method: str = "POST") -> Any:
    return await shopper.cart(method, "/promo-codes", {"promo_codes": list(codes)}, store=store)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_code_takes_its_percent_off_the_goods_and_the_tax(shopper: Shopper, method: str) -> None:
    await shopper.add(TEE, 2)
    await shopper.ship()
    cart = (await promote(shopper, "save10", method=method)).json()
    assert cart["coupons"] == ["SAVE10"]
    assert cents(cart["cart_discount"]) == cents(cart["line_items"][0]["line_discount"]) == 440
    assert cents(cart["tax_total"]) == 396
    assert cents(cart["sub_total"]) == 4400
    assert cents(cart["total"]) == 4400 - 440 + 500 + 396


async def test_amounts_and_free_shipping_count_together(shopper: Shopper) -> None:
    await shopper.add(TEE, 2)
    await shopper.ship()
    cart = (await promote(shopper, "FIVEOFF", "FREESHIP")).json()
    assert (cents(cart["cart_discount"]), cents(cart["shipping_total"])) == (500, 0)
    assert cents(cart["total"]) == 4400 - 500 + 390


async def test_a_discounted_order_is_charged_discounted(shopper: Shopper) -> None:
    await shopper.add(TEE, 2)
    await shopper.ship()
    await promote(shopper, "SAVE10")
    order = (await shopper.complete()).json()
    assert shopper.sim.books.charges[0].amount == cents(order["total"]) == 4856


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["NOPE"], "ErrorInvalidPromoCode"),
        (["SPRING20"], "ErrorInvalidPromoCode"),
        (["BIG50"], "ErrorPromoNotAvailable"),
        (["NOPE", "BIG50"], "ErrorInvalidPromoCode"),
    ],
)
async def test_codes_of_which_none_is_good_are_refused(shopper: Shopper, codes: list[str], expected: str) -> None:
    before = (await shopper.add(TEE)).json()
    assert error(await promote(shopper, *codes)) == (422, expected)
    assert (await shopper.cart()).json() == before


async def test_an_expired_code_was_good_before(http: Any, clock: Clock) -> None:
    from firmly_mcp.simulator import Simulator

    clock.time = datetime(2025, 5, 31, 23, 59, tzinfo=UTC)
    async with Simulator(now=clock) as sim:
        shopper = Shopper(sim, http)
        await shopper.session()
        await shopper.add(TEE)
        assert cents((await promote(shopper, "SPRING20")).json()["cart_discount"]) == 440
        clock.tick(minutes=1)
        cart = (await shopper.cart()).json()
        assert cart["cart_status"] == "checkout_blocked"
        assert [notice["code"] for notice in cart["notices"]] == ["PROMO_EXPIRED"]
        assert cents(cart["total"]) == 2200


async def test_a_bad_code_among_good_ones_is_skipped_or_refuses_all(shopper: Shopper) -> None:
    await shopper.add(TEE)
    assert (await promote(shopper, "NOPE", "SAVE10", "BIG50")).json()["coupons"] == ["SAVE10"]
    shopper.sim.world.encode = Dialect(bad_promos="refused")
    assert error(await promote(shopper, "NOPE", "FIVEOFF")) == (422, "ErrorInvalidPromoCode")
    assert (await shopper.cart()).json()["coupons"] == ["SAVE10"]


async def test_new_codes_replace_the_old_ones_or_join_them(shopper: Shopper) -> None:
    await shopper.add(TEE)
    await promote(shopper, "SAVE10")
    assert (await promote(shopper, "FIVEOFF")).json()["coupons"] == ["FIVEOFF"]
    shopper.sim.world.encode = Dialect(promo_codes="add")
    assert (await promote(shopper, "SAVE10")).json()["coupons"] == ["FIVEOFF", "SAVE10"]


async def test_a_code_for_some_products_discounts_only_those(shopper: Shopper) -> None:
    await shopper.add(await shopper.buyable("trowel", FERNHILL), store=FERNHILL)
    refused = await promote(shopper, "ROSES15", store=FERNHILL)
    assert error(refused) == (422, "ErrorPromoNotAvailable")
    await shopper.add(await shopper.buyable("rose", FERNHILL), store=FERNHILL)
    cart = (await promote(shopper, "ROSES15", store=FERNHILL)).json()
    assert ["line_discount" in line for line in cart["line_items"]] == [False, True]


async def test_a_code_that_no_longer_applies_is_noticed(shopper: Shopper) -> None:
    await shopper.add(HOODIE, 10)
    cart = (await promote(shopper, "BIG50")).json()
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    cart = (await shopper.cart("PUT", line, {"quantity": 1})).json()
    assert [notice["code"] for notice in cart["notices"]] == ["PROMO_NOT_APPLICABLE"]
    assert (cart["cart_status"], cents(cart["total"])) == ("active", 5400)


async def test_no_discount_is_higher_than_the_goods(shopper: Shopper) -> None:
    shopper.sim.set_price(LUMA, "WS12-XS-Orange", 300)
    await shopper.add(TEE)
    cart = (await promote(shopper, "FIVEOFF")).json()
    assert (cents(cart["cart_discount"]), cents(cart["total"])) == (300, 0)


async def test_codes_can_be_cleared_where_the_store_allows_it(shopper: Shopper) -> None:
    await shopper.add(TEE)
    await promote(shopper, "SAVE10")
    cart = (await shopper.cart("DELETE", "/promo-codes")).json()
    assert (cart["coupons"], cents(cart["total"])) == ([], 2200)
    assert "line_discount" not in cart["line_items"][0]
    await shopper.add(await shopper.buyable("lamp", HEARTH), store=HEARTH)
    refused = await shopper.cart("DELETE", "/promo-codes", store=HEARTH)
    assert error(refused) == (422, "ErrorClearPromoCodeNotAllowed")


@pytest.mark.parametrize("codes", [None, "SAVE10", [], [7], [""], ["X"] * 11])
async def test_a_malformed_list_of_codes_is_an_invalid_body(shopper: Shopper, codes: Any) -> None:
    await shopper.add(TEE)
    assert error(await shopper.cart("POST", "/promo-codes", {"promo_codes": codes})) == (400, "ErrorInvalidInputBody")


async def test_codes_need_a_cart_with_something_in_it(shopper: Shopper) -> None:
    assert error(await promote(shopper, "SAVE10")) == (404, "ErrorCartNotFound")
    assert error(await shopper.cart("DELETE", "/promo-codes")) == (404, "ErrorCartNotFound")
    await shopper.cart()
    assert error(await promote(shopper, "SAVE10")) == (400, "ErrorCartEmpty")
