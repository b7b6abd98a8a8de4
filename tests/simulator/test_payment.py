"""The payment key, complete-order and place-order without a stream: contract sections 5.10, 6 and 8.9."""

import json
from typing import Any

import pytest
from jwcrypto import jwe, jwk

from firmly_mcp.simulator import DECLINED_CARD, TEST_CARD
from firmly_mcp.simulator.security import ACCEPTED, DECLINED, luhn
from tests.simulator.shopping import ADDRESS, HOODIE, LUMA, TEE, Clock, Shopper, cents, error, seal

pytestmark = pytest.mark.anyio
KEY = "/api/v1/payment/key"


async def filled(shopper: Shopper) -> dict[str, Any]:
    await shopper.add(TEE, 2)
    cart: dict[str, Any] = (await shopper.ship()).json()
    return cart


async def test_paying_for_a_cart_gives_the_order_and_one_charge(shopper: Shopper, clock: Clock) -> None:
    cart = await filled(shopper)
    order = (await shopper.complete()).json()
    assert order["platform_order_number"].startswith("SIM-")
    assert (order["cart_id"], order["cart_status"]) == (cart["cart_id"], "submitted")
    assert cents(order["total"]) == 5340
    assert cents(order["tax"]) == 440
    assert order["payment_summary"] == {
        "payment_type": "CreditCard",
        "last_four": "1111",
        "card_type": "visa",
        "month": 12,
        "year": 2034,
    }
    assert order["submitted_at"].endswith("Z")
    [charge] = shopper.sim.books.charges
    assert (charge.order_number, charge.store) == (order["platform_order_number"], LUMA)
    assert (charge.device_id, charge.cart_id) == (shopper.device_id, cart["cart_id"])
    assert (charge.amount, charge.currency, charge.last_four, charge.brand) == (5340, "USD", "1111", "visa")
    assert charge.placed_at == clock()
    assert [(line.sku, line.quantity, line.line_price) for line in charge.lines] == [("WS12-XS-Orange", 2, 4400)]
    assert shopper.sim.books.total() == shopper.sim.books.total(LUMA) == 5340


async def test_a_submitted_cart_shows_its_order_and_never_changes_again(shopper: Shopper) -> None:
    await filled(shopper)
    number = (await shopper.complete()).json()["platform_order_number"]
    cart = (await shopper.cart()).json()
    assert (cart["cart_status"], cart["platform_order_number"]) == ("submitted", number)
    line = cart["line_items"][0]["line_item_id"]
    shopper.sim.set_price(LUMA, "WS12-XS-Orange", 9900)
    for refused in (
        await shopper.cart("PUT", f"/line-items/{line}", {"quantity": 1}),
        await shopper.ship(),
        await shopper.cart("POST", "/billing-info", ADDRESS),
        await shopper.complete(),
    ):
        assert error(refused) == (409, "ErrorCartSubmitted")
    assert (await shopper.cart()).json() == cart
    assert len(shopper.sim.books.charges) == 1


async def test_the_next_add_opens_a_new_cart(shopper: Shopper) -> None:
    await filled(shopper)
    old = (await shopper.complete()).json()["cart_id"]
    new = (await shopper.add(HOODIE)).json()
    assert new["cart_id"] != old
    assert (new["cart_status"], len(new["line_items"])) == ("active", 1)


async def test_stock_goes_down_with_the_order(shopper: Shopper) -> None:
    await shopper.add({"variant_id": "WS12-L-Orange"})
    await shopper.ship()
    assert (await shopper.complete()).status_code == 200
    assert error(await shopper.add({"variant_id": "WS12-L-Orange"})) == (422, "ErrorNotEnoughStock")


async def test_what_is_missing_is_said_and_nothing_is_charged(shopper: Shopper) -> None:
    assert error(await shopper.complete()) == (404, "ErrorCartNotFound")
    await shopper.add(TEE)
    assert error(await shopper.complete()) == (422, "ErrorMissingRequiredParameters")
    await shopper.ship()
    await shopper.cart("DELETE", "/line-items")
    assert error(await shopper.complete()) == (422, "ErrorMissingRequiredParameters")
    assert shopper.sim.books.charges == []


async def test_a_cart_that_sold_out_meanwhile_is_not_charged(shopper: Shopper) -> None:
    await filled(shopper)
    shopper.sim.set_stock(LUMA, "WS12-XS-Orange", 1)
    assert error(await shopper.complete()) == (422, "ErrorNotEnoughStock")
    assert shopper.sim.books.charges == []


@pytest.mark.parametrize("number", DECLINED)
async def test_declining_cards_are_declined_and_another_can_pay(shopper: Shopper, number: str) -> None:
    await filled(shopper)
    declined = await shopper.complete(encrypted_card=await shopper.sealed({**DECLINED_CARD, "number": number}))
    assert error(declined) == (422, "ErrorPaymentDeclined")
    assert shopper.sim.books.charges == []
    assert (await shopper.complete()).status_code == 200


@pytest.mark.parametrize(("number", "brand"), ACCEPTED.items())
async def test_published_test_cards_are_taken(shopper: Shopper, number: str, brand: str) -> None:
    await filled(shopper)
    cvv = "1234" if brand == "amex" else "123"
    card = {**TEST_CARD, "number": number, "verification_value": cvv}
    order = (await shopper.complete(encrypted_card=await shopper.sealed(card))).json()
    assert (order["payment_summary"]["card_type"], order["payment_summary"]["last_four"]) == (brand, number[-4:])


@pytest.mark.parametrize(
    "change",
    [
        {"number": "4539578763621486"},  # a valid number that nobody published for tests
        {"month": "01", "year": "2026"},
        {"month": "12", "year": "2025"},
    ],
)
async def test_an_unpublished_number_or_an_expired_card_is_declined(shopper: Shopper, change: dict[str, str]) -> None:
    await filled(shopper)
    card = await shopper.sealed({**TEST_CARD, **change})
    assert error(await shopper.complete(encrypted_card=card)) == (422, "ErrorPaymentDeclined")


async def test_a_card_works_through_the_month_it_expires_in(shopper: Shopper) -> None:
    await filled(shopper)
    card = await shopper.sealed({**TEST_CARD, "month": "03", "year": "2026"})
    assert (await shopper.complete(encrypted_card=card)).status_code == 200


@pytest.mark.parametrize(
    "card",
    [
        {},
        [],
        "4111111111111111",
        {**TEST_CARD, "number": "4111111111111112"},
        {**TEST_CARD, "number": "4111 1111 1111 1111"},
        {**TEST_CARD, "number": 4111111111111111},
        {**TEST_CARD, "month": 12},
        {**TEST_CARD, "month": "8"},
        {**TEST_CARD, "month": "13"},
        {**TEST_CARD, "month": "00"},
        {**TEST_CARD, "year": "34"},
        {**TEST_CARD, "verification_value": ""},
        {**TEST_CARD, "verification_value": "12"},
        {**TEST_CARD, "verification_value": "1234"},
        {**TEST_CARD, "number": "378282246310005"},
        {**TEST_CARD, "name": ""},
        {**TEST_CARD, "extra": "x"},
        {name: value for name, value in TEST_CARD.items() if name != "name"},
        {"number": "4111111111111111", "exp_month": "12", "exp_year": "34", "verification_value": "123"},
    ],
)
async def test_a_card_that_is_not_the_five_strings_is_an_invalid_body(shopper: Shopper, card: Any) -> None:
    await filled(shopper)
    answer = await shopper.complete(encrypted_card=await shopper.sealed(card))
    assert error(answer) == (400, "ErrorInvalidInputBody")
    assert "4111111111111111" not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RSA-OAEP"},
        {"enc": "A128GCM"},
        {"enc": "A256CBC-HS512"},
        {"kid": "old"},
        {"kid": None},
        {"typ": "JWE"},
        {"zip": "DEF"},
    ],
)
async def test_the_protected_header_is_exactly_the_contracts(shopper: Shopper, header: dict[str, Any]) -> None:
    await filled(shopper)
    sealed = await shopper.sealed(**header)
    assert error(await shopper.complete(encrypted_card=sealed)) == (400, "ErrorInvalidInputBody")
    assert shopper.sim.books.charges == []


@pytest.mark.parametrize("sealed", ["x", "a.b.c.d.e", "....", 7, ["x"]])
async def test_what_is_no_jwe_is_an_invalid_body(shopper: Shopper, sealed: Any) -> None:
    await filled(shopper)
    assert error(await shopper.complete(encrypted_card=sealed)) == (400, "ErrorInvalidInputBody")


async def test_a_plaintext_that_is_no_json_is_an_invalid_body(shopper: Shopper) -> None:
    await filled(shopper)
    key = (await shopper.pay("GET", KEY)).json()
    public = jwk.JWK(**{name: key[name] for name in ("kty", "n", "e")})
    sealed = jwe.JWE(b"4111111111111111", json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key["kid"]}))
    sealed.add_recipient(public)
    answer = await shopper.complete(encrypted_card=sealed.serialize(compact=True))
    assert error(answer) == (400, "ErrorInvalidInputBody")
    assert "4111111111111111" not in answer.text


async def test_a_rotated_key_opens_only_what_is_sealed_anew(shopper: Shopper) -> None:
    await filled(shopper)
    old_key = (await shopper.pay("GET", KEY)).json()
    new_kid = shopper.sim.rotate_key()
    assert error(await shopper.complete(encrypted_card=seal(old_key, TEST_CARD))) == (400, "ErrorInvalidInputBody")
    forged = seal(old_key, TEST_CARD, kid=new_kid)
    assert error(await shopper.complete(encrypted_card=forged)) == (400, "ErrorInvalidInputBody")
    assert (await shopper.complete()).status_code == 200


async def test_a_payment_needs_a_billing_address(shopper: Shopper) -> None:
    await filled(shopper)
    for billing in (None, {}, {**ADDRESS, "phone": ""}):
        assert error(await shopper.complete(billing_info=billing)) == (400, "ErrorInvalidInputBody")
    assert (await shopper.complete(billing_info={**ADDRESS, "company": "X"})).status_code == 200


async def test_what_was_received_is_known_by_shape_and_never_by_value(shopper: Shopper) -> None:
    await filled(shopper)
    await shopper.complete()
    [received] = shopper.sim.received
    assert received.path == f"/api/v2/payment/domains/{LUMA}/complete-order"
    assert set(received.protected_header) == {"alg", "enc", "kid"}
    assert received.part_lengths[1:3] + received.part_lengths[4:] == (256, 12, 16)
    assert received.fields == ("number", "name", "verification_value", "month", "year")
    assert "4111111111111111" not in repr(received)


async def test_no_number_is_kept_anywhere(shopper: Shopper) -> None:
    await filled(shopper)
    order = await shopper.complete()
    kept = [order.text, (await shopper.cart()).text, repr(shopper.sim.books.charges), repr(list(shopper.sim.requests))]
    assert not any("4111111111111111" in text for text in kept)


async def test_place_order_makes_its_own_cart_and_pays_for_it(shopper: Shopper) -> None:
    order = (await shopper.place(TEE, HOODIE)).json()
    assert [line["sku"] for line in order["line_items"]] == ["WS12-XS-Orange", "MH07-XS-Gray"]
    assert cents(order["total"]) == 7600 + 500 + 760
    assert shopper.sim.books.of_order(order["platform_order_number"])[0].amount == 8860
    assert (await shopper.cart()).json()["platform_order_number"] == order["platform_order_number"]


async def test_place_order_leaves_a_filled_cart_alone(shopper: Shopper) -> None:
    before = (await shopper.add(HOODIE)).json()
    order = (await shopper.place(TEE)).json()
    assert order["cart_id"] != before["cart_id"]
    assert (await shopper.cart()).json() == before
    assert shopper.sim.books.of_cart(order["cart_id"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"items": None}, (400, "ErrorInvalidInputBody")),
        ({"items": []}, (400, "ErrorInvalidInputBody")),
        ({"items": [7]}, (400, "ErrorInvalidInputBody")),
        ({"items": [{"add_to_cart_ref": TEE}]}, (400, "ErrorInvalidInputBody")),
        ({"items": [{"add_to_cart_ref": TEE, "quantity": 0}]}, (400, "ErrorInvalidInputBody")),
        ({"items": [{"add_to_cart_ref": {"variant_id": "nope"}, "quantity": 1}]}, (404, "ErrorProductNotFound")),
        (
            {"items": [{"add_to_cart_ref": {"variant_id": "WS12-S-Orange"}, "quantity": 4}]},
            (422, "ErrorNotEnoughStock"),
        ),
        ({"shipping_info": None}, (400, "ErrorInvalidInputBody")),
        ({"shipping_info": {**ADDRESS, "country": "DE", "postal_code": "10115"}}, (400, "ErrorCountryNotSupported")),
        ({"billing_info": None}, (400, "ErrorInvalidInputBody")),
        ({"captcha_token": 7}, (400, "ErrorInvalidInputBody")),
        ({"encrypted_card": "x"}, (400, "ErrorInvalidInputBody")),
    ],
)
async def test_a_wrong_place_order_is_refused_and_charges_nothing(
    shopper: Shopper, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error(await shopper.place(TEE, **body)) == expected
    assert shopper.sim.books.charges == []


async def test_a_declined_place_order_leaves_its_cart_unpaid(shopper: Shopper) -> None:
    declined = await shopper.place(TEE, encrypted_card=await shopper.sealed(DECLINED_CARD))
    assert error(declined) == (422, "ErrorPaymentDeclined")
    cart = (await shopper.cart()).json()
    assert (cart["cart_status"], "platform_order_number" in cart) == ("active", False)


def test_every_published_number_has_its_check_digit() -> None:
    assert all(luhn(number) for number in (*ACCEPTED, *DECLINED))
    assert not luhn("4111111111111112")
