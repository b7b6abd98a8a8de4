import pytest
from mcp import Client

from tests.shop import STORE, TEE, Shop, call, fill_cart


@pytest.mark.anyio
async def test_a_client_searches_fills_a_cart_and_pays_it(client: Client, shop: Shop) -> None:
    found = await call(client, "search_products", query="orange tee xs under 30")
    handle = found["products"][0]["handle"]
    assert handle == "radiant-tee"
    product = await call(client, "get_product", store=STORE, handle=handle)
    wanted = next(v for v in product["variants"] if set(v["options"]) == {"XS", "Orange"})
    assert wanted["ref"] == TEE
    assert product["price"] == {"amount": "22.00", "currency": "USD"}
    await call(client, "add_line_item", store=STORE, ref=wanted["ref"], quantity=2)
    cart = await call(client, "set_shipping_info", store=STORE)
    order = await call(client, "complete_order", store=STORE, max_total=cart["total"]["amount"])
    assert order["status"] == "placed"
    assert order["money_moved"] == "yes"
    assert order["total"] == cart["total"] == order["charged"]
    assert shop.charges == [(order["order_number"], round(float(cart["total"]["amount"]) * 100))]


@pytest.mark.anyio
async def test_a_client_buys_items_without_touching_the_cart(client: Client, shop: Shop) -> None:
    cart = await fill_cart(client, quantity=1)
    order = await call(client, "place_order", store=STORE, items=[{"ref": TEE, "quantity": 3}], address="home")
    assert order["status"] == "placed"
    assert len(shop.charges) == 1
    assert (await call(client, "get_cart", store=STORE))["carts"][0]["lines"] == cart["lines"]
