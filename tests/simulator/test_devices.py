"""What a device has over all stores: contract section 5.3."""

from typing import Any

import pytest

from tests.dialects import Dialect
from tests.simulator.shopping import FERNHILL, HOODIE, LUMA, TEE, VOLTA, Shopper, cents, error

pytestmark = pytest.mark.anyio
ACTIVE, DOMAINS, POSTAL = "/api/v2/carts/active", "/api/v2/carts/active-domains", "/api/v2/carts/postal-code"


async def test_active_carts_are_those_with_something_in_them(shopper: Shopper) -> None:
    assert (await shopper.api("GET", DOMAINS)).json() == {"domains": []}
    await shopper.cart(store=VOLTA)
    await shopper.add(TEE)
    await shopper.add(await shopper.buyable("rose", FERNHILL), store=FERNHILL)
    assert (await shopper.api("GET", DOMAINS)).json() == {"domains": [LUMA, FERNHILL]}
    active = (await shopper.api("GET", ACTIVE)).json()
    assert active["carts"] == [(await shopper.cart(store=store)).json() for store in active["domains"]]
    left_out = (await shopper.api("GET", f"{ACTIVE}?excludes={LUMA},{VOLTA}")).json()
    assert left_out["domains"] == [FERNHILL]


async def test_an_ordered_cart_is_not_active_any_more(shopper: Shopper) -> None:
    await shopper.place(TEE)
    assert (await shopper.api("GET", ACTIVE)).json() == {"domains": [], "carts": []}


async def test_each_of_the_pages_has_its_names_for_a_bad_token(shopper: Shopper) -> None:
    for path, missing, invalid in (
        (DOMAINS, "Unauthorized", "Unauthorized"),
        (ACTIVE, "MissingAuthHeader", "InvalidJWTToken"),
        (POSTAL, "MissingAuthHeader", "InvalidJWTToken"),
    ):
        assert error(await shopper.api("GET", path, headers={"x-firmly-authorization": ""})) == (401, missing)
        assert error(await shopper.api("GET", path, headers={"x-firmly-authorization": "x"})) == (401, invalid)


async def test_an_unset_postal_code_is_empty_or_null(shopper: Shopper) -> None:
    assert (await shopper.api("GET", POSTAL)).json() == {"postal_code": ""}
    shopper.sim.world.encode = Dialect(no_postal_code="null")
    assert (await shopper.api("GET", POSTAL)).json() == {"postal_code": None}


@pytest.mark.parametrize("code", ["98101", "98101-1234", "M5V 2T6", "BA1 1AA"])
async def test_a_postal_code_is_kept_for_the_device(shopper: Shopper, other: Shopper, code: str) -> None:
    assert (await shopper.api("POST", POSTAL, {"postal_code": code})).json() == {"postal_code": code}
    assert (await shopper.api("GET", POSTAL)).json() == {"postal_code": code}
    assert (await other.api("GET", POSTAL)).json() == {"postal_code": ""}


async def test_a_postal_code_brings_shipping_but_no_tax(shopper: Shopper) -> None:
    await shopper.add(TEE)
    await shopper.api("POST", POSTAL, {"postal_code": "98101"})
    cart = (await shopper.cart()).json()
    assert (cents(cart["shipping_total"]), cents(cart["tax_total"])) == (500, 0)
    assert cart["shipments"][0]["shipping_method"]["id"] == "STANDARD"


@pytest.mark.parametrize("body", [{}, {"postal_code": 98101}, {"postal_code": "?"}, [], {"postal_code": ""}])
async def test_what_is_no_postal_code_is_refused(shopper: Shopper, body: Any) -> None:
    assert error(await shopper.api("POST", POSTAL, body)) == (400, "ValidationError")


async def transfer(shopper: Shopper, body: Any, store: str = LUMA) -> Any:
    return await shopper.api("POST", f"/api/v2/domains/{store}/session/transfer", body)


@pytest.mark.parametrize(
    "handle", ["luma-native-cart-two", {"handle": "luma-native-cart-two", "token": "x" * 36, "version": "1.0"}]
)
async def test_a_native_cart_is_taken_over(shopper: Shopper, handle: Any) -> None:
    cart = (await transfer(shopper, {"handle": handle, "cookies": []})).json()
    assert [line["sku"] for line in cart["line_items"]] == [TEE["variant_id"], HOODIE["variant_id"]]
    assert (await shopper.cart()).json() == cart


@pytest.mark.parametrize(
    ("body", "store", "expected"),
    [
        ({"handle": "luma-native-cart-empty"}, LUMA, (422, "ErrorNoLineItem")),
        ({"handle": "luma-native-cart-sold-out"}, LUMA, (422, "ErrorNotEnoughStock")),
        ({"handle": "nobody-knows-this"}, LUMA, (422, "ErrorCannotTransferSession")),
        ({"handle": "luma-native-cart-two"}, VOLTA, (422, "ErrorCannotTransferSession")),
        ({}, LUMA, (400, "ErrorInvalidInputBody")),
        ({"handle": "short"}, LUMA, (400, "ErrorInvalidInputBody")),
        ({"handle": {"handle": "luma-native-cart-two", "token": "x"}}, LUMA, (400, "ErrorInvalidInputBody")),
        ({"handle": "luma-native-cart-two", "cookies": "x"}, LUMA, (400, "ErrorInvalidInputBody")),
    ],
)
async def test_a_failed_transfer_leaves_nothing_behind(
    shopper: Shopper, body: Any, store: str, expected: tuple[int, str]
) -> None:
    before = (await shopper.add(HOODIE)).json()
    assert error(await transfer(shopper, body, store)) == expected
    assert (await shopper.cart()).json() == before
