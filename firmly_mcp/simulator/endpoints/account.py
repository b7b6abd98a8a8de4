"""Sessions (contract 3.1), what a device has over all stores (5.3), and carts taken over from a store's own site."""

from firmly_mcp.simulator.answers import Answer, Json, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.carts import Cart
from firmly_mcp.simulator.endpoints.cart import add
from firmly_mcp.simulator.geography import country_of_postal_code

SHORTEST_HANDLE, SHORTEST_TOKEN = 8, 36


def browser_session(call: Call) -> Answer:
    """Start a session on a new device, or renew the session of the token in the body."""
    if call.headers.get("x-firmly-app-id") != call.world.app_id:
        raise Refusal("InvalidAppId", "Application ID is invalid or not found")
    body = call.any_json("BadRequest") if call.body.strip() else {}
    token = body.get("access_token") if isinstance(body, dict) else None
    tokens = call.world.tokens
    return Answer(tokens.renew(token) if token and isinstance(token, str) else tokens.create())


def get_active_domains(call: Call) -> Answer:
    """Return the stores with a cart that is not empty."""
    return Answer({"domains": [cart.store for cart in _active(call)]})


def get_active_carts(call: Call) -> Answer:
    """Return the carts that are not empty, without those of the stores in `excludes`."""
    excluded = {domain.strip() for domain in call.query.get("excludes", "").split(",")}
    carts = [cart for cart in _active(call) if cart.store not in excluded]
    return Answer({"domains": [cart.store for cart in carts], "carts": [call.world.view(cart) for cart in carts]})


def _active(call: Call) -> list[Cart]:
    now = call.world.now()
    carts = call.world.carts.of_device(call.device.device_id)
    return [cart for cart in carts if cart.lines and not cart.is_submitted(now)]


def get_postal_code(call: Call) -> Answer:
    """Return the device's postal code; unset is empty (C-15)."""
    return Answer({"postal_code": call.device.postal_code})


def set_postal_code(call: Call) -> Answer:
    """Set one postal code for all stores; carts without an address get their shipping from it."""
    code = call.json("ValidationError").get("postal_code")
    if not isinstance(code, str) or country_of_postal_code(code) is None:
        raise Refusal("ValidationError", "postal_code must be a postal code")
    call.device.postal_code = code.strip()
    call.world.tokens.save(call.device)
    return Answer({"postal_code": call.device.postal_code})


def transfer_session(call: Call) -> Answer:
    """Take over a cart from the store's own site. A failed transfer changes nothing."""
    store = call.store
    handle = _handle(call.json())
    lines = dict(call.world.catalog.merchant(store).native_carts).get(handle)
    if lines is None:
        raise Refusal("ErrorCannotTransferSession", "The session cannot be transferred")
    if not lines:
        raise Refusal("ErrorNoLineItem", "The transferred cart is empty")
    found = [(*call.world.catalog.shelf(store).of_sku(sku), quantity) for sku, quantity in lines]
    for product, variant, quantity in found:
        if call.world.stock.left(store, variant) < quantity:
            raise Refusal("ErrorNotEnoughStock", f"Not enough of {product.title} left")
    cart = call.new_or_open_cart()
    cart.clear()
    for product, variant, quantity in found:
        cart = add(call, product, variant, quantity)
    return Answer(call.world.view(cart))


def _handle(body: Json) -> str:
    handle = body.get("handle")
    if isinstance(handle, dict):
        token = handle.get("token")
        if not isinstance(token, str) or len(token) < SHORTEST_TOKEN:
            raise Refusal("ErrorInvalidInputBody", f"handle.token needs at least {SHORTEST_TOKEN} characters")
        handle = handle.get("handle")
    if not isinstance(handle, str) or len(handle) < SHORTEST_HANDLE:
        raise Refusal("ErrorInvalidInputBody", f"handle needs at least {SHORTEST_HANDLE} characters")
    if not isinstance(body.get("cookies", []), list):
        raise Refusal("ErrorInvalidInputBody", "cookies must be a list")
    return handle
