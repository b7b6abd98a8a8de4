"""Payment on the cc host (contract 5.10), and order status (5.12). The card is decrypted before anything else."""

from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.endpoints.cart import read_quantity, read_ref
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.payments import Item, complete, place, read_payment
from firmly_mcp.simulator.stream import Stream
from firmly_mcp.simulator.tracking import order_status


def get_key(call: Call) -> Answer:
    """Return the public key in one of three formats; its kid is in the header too."""
    keys = call.world.keys
    headers = {"x-firmly-kid": keys.kid}
    form = call.query.get("format", "JWK").upper()
    if form == "JWK":
        return Answer(keys.jwk(), headers=headers)
    if form in {"PEM", "RSA"}:
        return Answer(body=keys.pem(form).encode(), media_type="text/plain; charset=utf-8", headers=headers)
    raise Refusal("InvalidRequest", "format must be JWK, PEM or RSA")


def complete_order_v2(call: Call) -> Answer:
    """Pay for the cart as it is."""
    return _complete(call, simple=False)


def complete_order_v1(call: Call) -> Answer:
    """Pay for the cart, and answer in the Simple Cart's form."""
    return _complete(call, simple=True)


def place_order_v2(call: Call) -> Answer | Stream:
    """Make a cart, fill it, set its address and pay, in one call; `sse=true` streams the steps."""
    return _place(call, simple=False)


def place_order_v1(call: Call) -> Answer | Stream:
    """Do the same with v1's items, whose shape is inferred: `variant_id` and `quantity` (U-1)."""
    return _place(call, simple=True)


def _complete(call: Call, *, simple: bool) -> Answer:
    store, body = call.store, call.json()
    payment, cart = read_payment(call, body), call.open_cart()
    assert cart.store == store
    return Answer(complete(call, cart, payment, simple=simple))


def _place(call: Call, *, simple: bool) -> Answer | Stream:
    body = call.json()
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise Refusal("ErrorInvalidInputBody", "items must be a list with at least one item")
    if not all(isinstance(item, dict) for item in items):
        raise Refusal("ErrorInvalidInputBody", "each item must be an object")
    wanted = [_item(item, simple) for item in items]
    store, payment, address = call.store, read_payment(call, body), body.get("shipping_info")
    read_address(address, what="shipping_info")  # a malformed one is refused before a stream opens
    steps = place(call, wanted, address, payment, simple=simple)
    if call.flag("sse"):
        return Stream(store, steps)
    *_, placed = steps
    return Answer(placed.data["order"])


def _item(item: dict[str, Any], simple: bool) -> Item:
    sku = text_field(item, "variant_id") if simple else None
    ref = {} if simple else read_ref(item.get("add_to_cart_ref"))
    return Item(sku, ref, read_quantity(item.get("quantity"), least=1))


def get_order_status(call: Call) -> Answer:
    """Return how far an order has come."""
    order = call.world.orders.find(call.store, call.params["order"])
    returns = call.world.catalog.merchant(order.store).returns_first_line
    return Answer(order_status(order, call.world.now(), returns=returns))
