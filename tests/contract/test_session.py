"""Sessions of a device, and what it has over all stores (contract rows 1 and 7 to 11)."""

import base64
import json
import time

import httpx2
import pytest

from .bodies import Handle, SetPostalCode, Transfer
from .cart_schemas import ActiveCarts, Cart, adds_up
from .schemas import ActiveDomains, PostalCode, read, refused
from .service import Service
from .shopper import Shopper

pytestmark = pytest.mark.anyio
BAD_TOKEN = {"InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized"}  # C-23
NO_TOKEN = {"MissingAuthHeader", "Unauthorized"}
GUARDED = [
    ("GET", "/api/v1/domains-products/{d}"),
    ("GET", "/api/v1/domains-products/{d}/{handle}"),
    ("POST", "/api/v1/discovery/search"),
    ("GET", "/api/v1/discovery/options"),
    ("GET", "/api/v2/carts/active-domains"),
    ("GET", "/api/v2/carts/active"),
    ("GET", "/api/v2/carts/postal-code"),
    ("POST", "/api/v2/carts/postal-code"),
    ("POST", "/api/v2/domains/{d}/session/transfer"),
    ("GET", "/api/v2/domains/{d}/cart/"),
    ("POST", "/api/v2/domains/{d}/cart/line-items"),
    ("PUT", "/api/v2/domains/{d}/cart/line-items/any"),
    ("DELETE", "/api/v2/domains/{d}/cart/line-items"),
    ("POST", "/api/v2/domains/{d}/cart/promo-codes"),
    ("DELETE", "/api/v2/domains/{d}/cart/promo-codes"),
    ("POST", "/api/v2/domains/{d}/cart/shipping-info"),
    ("POST", "/api/v2/domains/{d}/cart/billing-info"),
    ("POST", "/api/v2/domains/{d}/cart/shipments/fulfillment-type"),
    ("POST", "/api/v2/domains/{d}/cart/shipments/get-availability"),
    ("POST", "/api/v2/domains/{d}/cart/addons"),
    ("POST", "/api/v2/domains/{d}/cart/addons/_remove"),
    ("GET", "/api/v1/domains/{d}/cart"),
    ("DELETE", "/api/v1/domains/{d}/cart/line-items"),
    ("GET", "/api/v1/orders/domains/{d}/order/any/status"),
]


async def test_a_session_is_an_rs256_token_of_an_hour_on_a_new_device(shopper: Shopper) -> None:
    session = await shopper.session()
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in session.access_token.split(".")[:2])
    assert session.device_created
    assert header == {"alg": "RS256", "typ": "JWT"}
    assert (claims["device_id"], claims["app_id"]) == (session.device_id, shopper.service.app_id)
    assert claims["exp"] - claims["iat"] == session.expires_in == 3600
    assert claims["exp"] == session.expires
    assert abs(session.expires - time.time() - 3600) < 300


async def test_renewal_with_the_old_token_keeps_the_device_and_its_carts(shopper: Shopper) -> None:
    first = await shopper.session()
    cart = await shopper.filled()
    renewed = await shopper.session(first.access_token)
    assert not renewed.device_created
    assert renewed.device_id == first.device_id
    assert (await shopper.shown()).cart_id == cart.cart_id


async def test_a_session_without_the_old_token_is_a_new_device(shopper: Shopper) -> None:
    first = await shopper.session()
    await shopper.filled()
    assert (await shopper.session()).device_id != first.device_id
    assert read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains")).domains == []


@pytest.mark.parametrize("headers", [{}, {"x-firmly-app-id": "nobody-knows-this-app"}])
async def test_an_app_id_that_is_missing_or_unknown_gets_no_session(
    service: Service, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post(f"{service.api}/api/v1/browser-session", headers=headers, json={})
    assert refused(answer) == (400, "InvalidAppId")


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_call_without_a_token_or_with_a_bad_one_is_refused(shopper: Shopper, method: str, path: str) -> None:
    path = path.format(d=shopper.place.domain, handle=shopper.place.handle)
    without = refused(await shopper.api(method, path, x_firmly_authorization=None))
    assert without[0] == 401
    assert without[1] in NO_TOKEN
    bad = refused(await shopper.api(method, path, x_firmly_authorization="eyJhbGciOiJub25lIn0.e30.AAAA"))
    assert bad[0] == 401
    assert bad[1] in BAD_TOKEN


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v2/carts/active", "MissingAuthHeader"),
        ("/api/v2/carts/postal-code", "MissingAuthHeader"),
        ("/api/v2/carts/active-domains", "Unauthorized"),
    ],
)
async def test_a_missing_token_has_the_name_of_its_page(shopper: Shopper, path: str, name: str) -> None:
    assert refused(await shopper.api("GET", path, x_firmly_authorization=None)) == (401, name)


async def test_a_request_id_of_ones_own_is_taken(shopper: Shopper) -> None:
    read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains", x_firmly_request_id="req_123abc"))


async def test_stores_with_something_in_the_cart_are_active(shopper: Shopper) -> None:
    assert read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains")).domains == []
    cart = await shopper.filled()
    assert read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains")).domains == [cart.shop_id]
    await shopper.cart("DELETE", "/line-items")
    assert read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains")).domains == []


async def test_active_carts_come_whole_and_some_can_be_left_out(shopper: Shopper) -> None:
    filled = [await shopper.filled(place) for place in shopper.service.places[:2]]
    active = read(ActiveCarts, await shopper.api("GET", "/api/v2/carts/active"))
    assert {cart.cart_id for cart in active.carts} == {cart.cart_id for cart in filled}
    assert set(active.domains) == {cart.shop_id for cart in filled}
    rest = read(ActiveCarts, await shopper.api("GET", f"/api/v2/carts/active?excludes={filled[0].shop_id}"))
    assert [cart.cart_id for cart in rest.carts] == [cart.cart_id for cart in filled[1:]]


async def test_a_postal_code_is_empty_until_it_is_set_for_all_stores(shopper: Shopper) -> None:
    assert read(PostalCode, await shopper.api("GET", "/api/v2/carts/postal-code")).postal_code == ""
    for code in ("90210", "K1A 0B1", "SW1A 1AA"):
        body = SetPostalCode(postal_code=code)
        assert read(PostalCode, await shopper.api("POST", "/api/v2/carts/postal-code", body)).postal_code == code
        assert read(PostalCode, await shopper.api("GET", "/api/v2/carts/postal-code")).postal_code == code


async def test_a_postal_code_has_shipping_computed_in_active_carts(shopper: Shopper) -> None:
    await shopper.filled()
    await shopper.api("POST", "/api/v2/carts/postal-code", SetPostalCode(postal_code="98101"))
    cart = await shopper.shown()
    assert all(shipment.shipping_method_options for shipment in cart.shipments)
    adds_up(cart)


@pytest.mark.parametrize("body", [{}, {"postal_code": None}, {"postal_code": 98101}, {"postal_code": "?"}, []])
async def test_what_is_no_postal_code_is_refused(shopper: Shopper, body: dict[str, object]) -> None:
    assert refused(await shopper.api("POST", "/api/v2/carts/postal-code", body)) == (400, "ValidationError")


def transfer(shopper: Shopper) -> str:
    return f"/api/v2/domains/{shopper.place.domain}/session/transfer"


async def test_a_merchants_own_cart_is_taken_over(shopper: Shopper) -> None:
    handle = shopper.told(shopper.service.known.native_cart, "a merchant's own cart")
    cart = read(Cart, await shopper.api("POST", transfer(shopper), Transfer(handle=handle, cookies=[])))
    assert cart.line_items
    assert (await shopper.shown()).cart_id == cart.cart_id
    adds_up(cart)


async def test_a_merchants_own_cart_can_be_named_in_the_long_form(shopper: Shopper) -> None:
    handle = shopper.told(shopper.service.known.native_cart, "a merchant's own cart")
    body = Transfer(handle=Handle(handle=handle, token="t" * 36))
    assert read(Cart, await shopper.api("POST", transfer(shopper), body)).line_items


async def test_a_cart_that_nobody_has_is_not_taken_over_and_leaves_nothing(shopper: Shopper) -> None:
    body = Transfer(handle="nobody-has-a-cart-of-this-name")
    assert refused(await shopper.api("POST", transfer(shopper), body)) == (422, "ErrorCannotTransferSession")
    assert read(ActiveDomains, await shopper.api("GET", "/api/v2/carts/active-domains")).domains == []


async def test_an_empty_cart_is_not_taken_over(shopper: Shopper) -> None:
    handle = shopper.told(shopper.service.known.empty_native_cart, "a merchant's own cart that is empty")
    assert refused(await shopper.api("POST", transfer(shopper), Transfer(handle=handle))) == (422, "ErrorNoLineItem")


async def test_a_cart_of_what_is_sold_out_is_not_taken_over(shopper: Shopper) -> None:
    handle = shopper.told(shopper.service.known.sold_out_native_cart, "a merchant's own cart that is sold out")
    answer = await shopper.api("POST", transfer(shopper), Transfer(handle=handle))
    assert refused(answer) == (422, "ErrorNotEnoughStock")


@pytest.mark.parametrize("body", [{}, {"handle": 7}, {"handle": {"handle": "long-enough-a-name", "token": "short"}}])
async def test_a_handle_that_is_none_is_refused(shopper: Shopper, body: dict[str, object]) -> None:
    assert refused(await shopper.api("POST", transfer(shopper), body)) == (400, "ErrorInvalidInputBody")


async def test_a_transfer_without_a_token_says_so(shopper: Shopper) -> None:
    answer = await shopper.api("POST", transfer(shopper), {}, x_firmly_authorization=None)
    assert refused(answer) == (401, "MissingAuthHeader")
