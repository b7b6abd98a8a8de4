"""Cart management v2, "Full Cart" (contract 5.4)."""

from typing import Any

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.catalog import Product, Variant
from firmly_mcp.simulator.speaking import OTHER_ADDRESS


def get_cart(call: Call) -> Answer:
    """The cart; one that was never filled is empty, or not there (U-6)."""
    store, slash = call.store, call.world.dialect.cart_slash
    if slash == ("refused" if call.path.endswith("/") else "required"):
        raise Refusal("RouteNotFound", f"No route {call.path} on this host")
    cart = call.world.carts.current(call.device.device_id, store)
    is_gone = cart is not None and cart.is_gone(call.world.now())
    if is_gone or (cart is None and call.world.dialect.no_cart == "not_found"):
        raise Refusal("ErrorCartNotFound", f"No cart at {store}")
    if cart is None:
        cart = call.world.carts.open(call.device.device_id, store, call.world.now())
    return Answer(call.world.view(cart))


def add_line_item(call: Call) -> Answer:
    """Put a variant in; the first add makes the cart, and the first after an order a new one."""
    store, body = call.store, call.json()
    if call.world.dialect.takes_old_add_body and "add_to_cart_ref" not in body:
        body["add_to_cart_ref"] = {"variant_id": body.get("variant_id", body.get("sku"))}
    ref = read_ref(body.get("add_to_cart_ref"))
    quantity = read_quantity(body.get("quantity"), least=1)
    return Answer(call.world.view(add(call, store, ref, quantity)))


def add(call: Call, store: str, ref: dict[str, Any], quantity: int) -> Cart:
    """Check and put in, with `flush_cart` as the query says."""
    world = call.world
    product, variant = world.catalog.shelf(store).of_ref(ref)
    return put_in(call, store, variant, quantity, product)


def put_in(call: Call, store: str, variant: Variant, quantity: int, product: Product) -> Cart:
    """The same for a variant that is known; stock is checked before anything changes."""
    world = call.world
    held = world.carts.current(call.device.device_id, store)
    flush = call.flag("flush_cart")
    here = held.line_of_sku(variant.sku) if held and not flush and not held.is_submitted(world.now()) else None
    check_stock(call, store, variant, quantity + (here.quantity if here else 0), product)
    cart = world.carts.open(call.device.device_id, store, world.now())
    if flush:
        cart.clear()
    cart.add(variant.sku, quantity, world.stock.price(store, variant))
    world.changed(cart)
    return cart


def update_line_item(call: Call) -> Answer:
    """Change a line's quantity; 0 removes it."""
    cart, body = call.open_cart(), call.json()
    line = next((line for line in cart.lines if line.line_item_id == call.params["line"]), None)
    if line is None:
        raise Refusal("ErrorLineItemNotFound", "This line item is not in the cart")
    quantity = read_new_quantity(body.get("quantity"))
    product, variant = call.world.catalog.shelf(cart.store).of_sku(line.sku)
    check_stock(call, cart.store, variant, quantity, product)
    cart.set_quantity(line, quantity)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def clear_cart(call: Call) -> Answer:
    """Empty the cart; it keeps its id and the shipping address (C-8), which one page names otherwise (C-7)."""
    dialect = call.world.dialect
    cart = call.world.carts.open(call.device.device_id, call.store, call.world.now())
    cart.clear(shipping=not dialect.clear_keeps_address)
    call.world.changed(cart)
    view = call.world.view(cart)
    if dialect.cleared_address == "other" and "shipping_info" in view:
        view["shipping_info"] = {OTHER_ADDRESS.get(key, key): value for key, value in view["shipping_info"].items()}
    return Answer(view)


def read_ref(ref: Any) -> dict[str, Any]:
    """The `add_to_cart_ref` of a body."""
    if not isinstance(ref, dict):
        raise Refusal("ErrorInvalidInputBody", "add_to_cart_ref is required")
    text_field(ref, "variant_id")
    handles = ref.get("variant_handles")
    if handles is not None and not (isinstance(handles, list) and all(isinstance(item, str) for item in handles)):
        raise Refusal("ErrorInvalidInputBody", "variant_handles must be a list of strings")
    return ref


def read_quantity(value: Any, *, least: int) -> int:
    """A whole number from `least`; 22.0 is one too, as in any JSON number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Refusal("ErrorInvalidInputBody", f"quantity must be a whole number from {least}")
    return value


def read_new_quantity(value: Any) -> int:
    """A line's new quantity: a number that makes no sense is 422, anything else 400."""
    fraction = isinstance(value, float) and not value.is_integer()
    if fraction or (isinstance(value, int | float) and value < 0):
        raise Refusal("InvalidQuantity", "quantity must be a whole number from 0")
    return read_quantity(value, least=0)


def check_stock(call: Call, store: str, variant: Variant, wanted: int, product: Product) -> None:
    """`ErrorNotEnoughStock` if the store has fewer."""
    left = call.world.stock.left(store, variant)
    if wanted > left:
        raise Refusal("ErrorNotEnoughStock", f"Only {left} of {product.title} left")
