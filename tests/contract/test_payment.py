"""The payment key, and both ways to order in v2 (contract rows 31, 33 and 35)."""

from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwcrypto import jwk

from .bodies import CompleteOrder, Item, PlaceOrder
from .cart_schemas import Cart, Order, adds_up
from .schemas import plain, read, refused
from .service import Service
from .shopper import CARD, Shopper, events

pytestmark = pytest.mark.anyio
NOT_READY = {400, 422}  # U-4
OLD_KEY = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoib2xkIn0.AAAA.AAAA.AAAA.AAAA"
STEPS = ["creating-cart", "item-added", "shipping-updated", "order-placed"]


@pytest.mark.parametrize(
    ("form", "armor"),
    [("", None), ("?format=JWK", None), ("?format=PEM", "PUBLIC KEY"), ("?format=RSA", "RSA PUBLIC KEY")],
)
async def test_the_key_is_public_and_comes_in_three_forms(
    service: Service, http: httpx2.AsyncClient, form: str, armor: str | None
) -> None:
    answer = await http.get(f"{service.payment}/api/v1/payment/key{form}")
    whole = (await http.get(f"{service.payment}/api/v1/payment/key")).json()
    assert answer.status_code == 200
    assert answer.headers["x-firmly-kid"] == whole["kid"]
    assert (whole["kty"], whole["use"]) == ("RSA", "enc")
    public = jwk.JWK(kty="RSA", n=whole["n"], e=whole["e"])
    if armor is None:
        assert answer.json() == whole
        return
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith(f"-----BEGIN {armor}-----")
    read_key = load_pem_public_key(answer.content)
    assert isinstance(read_key, RSAPublicKey)
    assert read_key.public_numbers() == load_public(public)


def load_public(key: jwk.JWK) -> Any:
    numbers = load_pem_public_key(key.export_to_pem())
    assert isinstance(numbers, RSAPublicKey)
    return numbers.public_numbers()


async def test_paying_a_cart_orders_it_for_its_total(shopper: Shopper) -> None:
    cart = await shopper.shipped(quantity=2)
    order = read(Order, await shopper.complete())
    assert (order.cart_id, order.total) == (cart.cart_id, cart.total)
    assert [(line.sku, line.quantity) for line in order.line_items] == [
        (line.sku, line.quantity) for line in cart.line_items
    ]
    assert order.shipments == cart.shipments
    assert order.payment_summary is not None
    assert (order.payment_summary.last_four, order.payment_summary.month) == (CARD.number[-4:], int(CARD.month))


async def test_every_store_can_be_paid(shopper: Shopper) -> None:
    shopper.may_order()
    for place in shopper.service.places:
        cart = await shopper.shipped(place)
        answer = await shopper.complete(at=place)
        if answer.status_code != 200:
            status, name = refused(answer)
            assert (status in NOT_READY, name) == (True, "ErrorMissingRequiredParameters")
            assert cart.addons.offers
        else:
            assert read(Order, answer).total == cart.total


async def test_an_ordered_cart_is_submitted_and_does_not_change_any_more(shopper: Shopper) -> None:
    line = (await shopper.shipped()).line_items[0]
    order = read(Order, await shopper.complete())
    cart = await shopper.shown()
    assert (cart.cart_status, cart.platform_order_number) == ("submitted", order.platform_order_number)
    answer = await shopper.cart("PUT", f"/line-items/{line.line_item_id}", {"quantity": 2})
    assert refused(answer)[0] in {400, 404, 409, 422}  # U-20
    again = await shopper.complete()
    assert refused(again)[0] in {400, 404, 409, 422}


async def test_the_next_add_after_an_order_opens_another_cart(shopper: Shopper) -> None:
    await shopper.shipped()
    order = read(Order, await shopper.complete())
    cart = await shopper.filled()
    assert (cart.cart_status, len(cart.line_items)) == ("active", 1)
    assert cart.cart_id != order.cart_id


async def test_a_declined_card_orders_nothing(shopper: Shopper) -> None:
    number = shopper.told(shopper.service.known.declined_card, "a card that is declined")
    cart = await shopper.shipped()
    answer = await shopper.complete(card=CARD.model_copy(update={"number": number}))
    assert refused(answer)[1] == "ErrorPaymentDeclined"
    assert await shopper.shown() == cart


async def test_a_cart_without_an_address_is_not_ready(shopper: Shopper) -> None:
    await shopper.filled()
    status, name = refused(await shopper.complete())
    assert (status in NOT_READY, name) == (True, "ErrorMissingRequiredParameters")


async def test_a_cart_without_a_required_addon_is_not_ready(shopper: Shopper) -> None:
    shopper.may_order()
    for place in shopper.service.places:
        await shopper.shipped(place)
        answer = await shopper.complete(at=place)
        if answer.status_code != 200:
            assert refused(answer)[1] == "ErrorMissingRequiredParameters"
            return
    shopper.lacks("a store with a required addon")


async def test_without_a_cart_there_is_nothing_to_pay(shopper: Shopper) -> None:
    assert refused(await shopper.complete()) == (404, "ErrorCartNotFound")


@pytest.mark.parametrize(
    "wrong", [{"encrypted_card": None}, {"encrypted_card": "a.b"}, {"encrypted_card": OLD_KEY}, {"billing_info": None}]
)
async def test_what_cannot_be_opened_or_billed_is_refused(shopper: Shopper, wrong: dict[str, Any]) -> None:
    cart = await shopper.shipped()
    sealed = OLD_KEY if "billing_info" in wrong else ""
    body = {**CompleteOrder(encrypted_card=sealed).sent(), **wrong}
    answer = await shopper.completed_with({key: value for key, value in body.items() if value is not None})
    assert refused(answer) == (400, "ErrorInvalidInputBody")
    assert await shopper.shown() == cart


@pytest.mark.parametrize("way", ["complete-order", "place-order"])
async def test_paying_needs_a_token(shopper: Shopper, way: str) -> None:
    path = f"/api/v2/payment/domains/{shopper.place.domain}/{way}"
    assert refused(await shopper.pay("POST", path, {}, x_firmly_authorization=None))[0] == 401


async def test_the_api_host_takes_no_payments(shopper: Shopper) -> None:
    path = f"/api/v2/payment/domains/{shopper.place.domain}/complete-order"
    assert refused(await shopper.api("POST", path, CompleteOrder(encrypted_card=OLD_KEY)))[0] in {403, 404}


async def items(shopper: Shopper, *quantities: int) -> list[Item]:
    variants = (await shopper.variants())[: len(quantities)]
    return [
        Item(add_to_cart_ref=plain(variant.add_to_cart_ref), quantity=quantity)
        for variant, quantity in zip(variants, quantities, strict=True)
    ]


async def test_items_are_bought_in_one_call(shopper: Shopper) -> None:
    order = read(Order, await shopper.place_order(await items(shopper, 2, 1)))
    assert [line.quantity for line in order.line_items] == [2, 1]
    assert all(shipment.shipping_method for shipment in order.shipments)


async def test_items_are_bought_in_one_stream_that_tells_each_step(shopper: Shopper) -> None:
    answer = await shopper.place_order(await items(shopper, 2, 1), sse=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert list(dict.fromkeys(name for name, _ in told)) == STEPS
    carts = [Cart.model_validate(data["cart"], strict=False) for _, data in told if "cart" in data]
    assert len(carts) >= 2
    assert carts[-1].shipping_info is not None
    for cart in carts:
        adds_up(cart)
    order = Order.model_validate(told[-1][1]["order"], strict=False)
    assert (order.cart_id, order.total) == (carts[-1].cart_id, carts[-1].total)


WRONG = [
    ([Item(add_to_cart_ref={"variant_id": "NOBODY-SELLS-THIS"}, quantity=1)], "ErrorProductNotFound"),
    ([], "ErrorInvalidInputBody"),
]


@pytest.mark.parametrize(("wrong", "name"), WRONG)
async def test_items_that_cannot_be_bought_are_refused(shopper: Shopper, wrong: list[Item], name: str) -> None:
    answer = await shopper.place_order(wrong)
    assert refused(answer) == ({"ErrorProductNotFound": 404}.get(name, 400), name)


async def test_more_than_there_are_cannot_be_bought(shopper: Shopper) -> None:
    answer = await shopper.place_order(await items(shopper, 99_999_999))
    assert (refused(answer)[0] in NOT_READY, refused(answer)[1]) == (True, "ErrorNotEnoughStock")


@pytest.mark.parametrize("name", ["ErrorProductNotFound", "ErrorNotEnoughStock", "ErrorPaymentDeclined"])
async def test_a_stream_tells_an_error_as_its_last_event(shopper: Shopper, name: str) -> None:
    bought, card = await items(shopper, 99_999_999 if name == "ErrorNotEnoughStock" else 1), CARD
    if name == "ErrorProductNotFound":
        bought = WRONG[0][0]
    if name == "ErrorPaymentDeclined":
        number = shopper.told(shopper.service.known.declined_card, "a card that is declined")
        card = CARD.model_copy(update={"number": number})
    answer = await shopper.place_order(bought, card=card, sse=True)
    if answer.status_code != 200:
        assert refused(answer)[1] == name
        return
    *_, (last, data) = events(answer.text)
    envelope = data["error"] if isinstance(data.get("error"), dict) else data
    assert (last, envelope["error"]) == ("error", name)


@pytest.mark.parametrize("missing", ["encrypted_card", "billing_info", "shipping_info", "items"])
async def test_placing_needs_all_of_its_parts(shopper: Shopper, missing: str) -> None:
    body = PlaceOrder(encrypted_card=OLD_KEY, items=await items(shopper, 1)).sent()
    del body[missing]
    path = f"/api/v2/payment/domains/{shopper.place.domain}/place-order"
    assert refused(await shopper.pay("POST", path, body)) == (400, "ErrorInvalidInputBody")
