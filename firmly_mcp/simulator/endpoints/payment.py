"""Payment on the cc host (contract 5.10). The sealed card is opened before anything else happens."""

from collections.abc import Sequence
from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.endpoints.cart import read_quantity, read_ref
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.payments import Item, complete, place, read_payment
from firmly_mcp.simulator.stream import Stream
from firmly_mcp.simulator.tracking import tracked


def get_key(call: Call) -> Answer:
    """The public key in one of three formats; its kid is in the header too."""
    keys = call.world.keys
    headers = {"x-firmly-kid": keys.kid}
    form = call.query.get("format", "JWK").upper()
    if form == "JWK":
        return Answer(keys.jwk(), headers=headers)
    if form in {"PEM", "RSA"}:
        text = keys.pem() if form == "PEM" else keys.rsa()
        return Answer(body=text.encode(), media_type="text/plain; charset=utf-8", headers=headers)
    raise Refusal("InvalidRequest", "format must be JWK, PEM or RSA")


def complete_order_v2(call: Call) -> Answer:
    """Pay for the cart as it is."""
    return _complete(call, simple=False)


def complete_order_v1(call: Call) -> Answer:
    """The same, answered in the Simple Cart's form."""
    return _complete(call, simple=True)


def place_order_v2(call: Call) -> Answer | Stream:
    """Make a cart, fill it, send it and pay, in one call; `sse=true` streams the steps."""
    return _place(call, [_item(item) for item in _items(call)], simple=False)


def place_order_v1(call: Call) -> Answer | Stream:
    """The same with v1's items, whose shape is inferred: `variant_id` and `quantity` (U-1)."""
    return _place(call, [_simple_item(item) for item in _items(call)], simple=True)


def _complete(call: Call, *, simple: bool) -> Answer:
    store, body = call.store, call.json()
    payment = read_payment(call, body)
    cart = call.open_cart()
    assert cart.store == store
    return Answer(complete(call, cart, payment, simple))


def _place(call: Call, items: Sequence[Item], *, simple: bool) -> Answer | Stream:
    store, body = call.store, call.json()
    payment = read_payment(call, body)
    shipping = body.get("shipping_info")
    read_address(shipping, what="shipping_info")  # what is malformed is refused before a stream opens
    steps = place(call, items, shipping, payment, simple=simple)
    if call.flag("sse"):
        return Stream(store, steps)
    *_, placed = steps
    return Answer(placed.data["order"])


def _items(call: Call) -> list[Any]:
    items = call.json().get("items")
    if not isinstance(items, list) or not items:
        raise Refusal("ErrorInvalidInputBody", "items must be a list with at least one item")
    if not all(isinstance(item, dict) for item in items):
        raise Refusal("ErrorInvalidInputBody", "each item must be an object")
    return items


def _item(item: dict[str, Any]) -> Item:
    return Item(None, read_ref(item.get("add_to_cart_ref")), read_quantity(item.get("quantity"), least=1))


def _simple_item(item: dict[str, Any]) -> Item:
    return Item(text_field(item, "variant_id"), {}, read_quantity(item.get("quantity"), least=1))


def get_order_status(call: Call) -> Answer:
    """How far an order has come by now."""
    order = call.world.orders.find(call.store, call.params["order"])
    merchant = call.world.catalog.merchant(order.store)
    return Answer(tracked(order, call.world.now(), returns=merchant.returns_first_line))
