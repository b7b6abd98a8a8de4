"""What each tool asks of Firmly: nothing that the contract does not need, once the shopper has a session."""

from collections import Counter
from typing import Any

import pytest
from mcp import Client

from tests.shop import STORE, TEE, Shop, call, fill_cart

CART = f"/api/v2/domains/{STORE}/cart"
PAY = f"/api/v2/payment/domains/{STORE}"
KEY = "GET /api/v1/payment/key"
SESSION = "POST /api/v1/browser-session"
ITEMS = [{"ref": TEE, "quantity": 3}, {"ref": "MH07-XS-Gray", "quantity": 1}]
# A cart of the items on a device of its own, to learn what they cost; it is emptied again.
PRICED = [SESSION, *2 * [f"POST {CART}/line-items"], f"POST {CART}/shipping-info"]
EMPTIED = f"DELETE {CART}/line-items"

# By tool: its arguments, and what reaches Firmly.
ASKED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("search_products", {"query": "tee"}, ["POST /api/v1/discovery/search"]),
    ("list_products", {"store": STORE}, [f"GET /api/v1/domains-products/{STORE}"]),
    ("get_product", {"store": STORE, "handle": "radiant-tee"}, [f"GET /api/v1/domains-products/{STORE}/radiant-tee"]),
    ("get_cart", {"store": STORE}, [f"GET {CART}"]),
    ("get_cart", {}, ["GET /api/v2/carts/active"]),
    ("add_line_item", {"store": STORE, "ref": TEE}, [f"POST {CART}/line-items"]),
    ("clear_cart", {"store": STORE}, [EMPTIED]),
    ("set_promo_codes", {"store": STORE, "promo_codes": ["SAVE10"]}, [f"POST {CART}/promo-codes"]),
    ("set_postal_code", {"postal_code": "98101"}, ["POST /api/v2/carts/postal-code"]),
    ("set_shipping_info", {"store": STORE}, [f"POST {CART}/shipping-info"]),
    ("list_payment_cards", {}, []),
    ("list_addresses", {}, []),
    ("list_orders", {}, []),
    ("preview_order", {"store": STORE}, [f"GET {CART}"]),
    ("preview_order", {"store": STORE, "items": ITEMS}, [*PRICED, EMPTIED]),
    # The cart is read for the quote, and once more when nothing is left to fetch before the send.
    ("complete_order", {"store": STORE}, [f"GET {CART}", KEY, f"GET {CART}", f"POST {PAY}/complete-order"]),
    (
        "place_order",
        {"store": STORE, "items": ITEMS},
        [*PRICED, KEY, SESSION, f"GET {CART}", f"POST {PAY}/place-order", EMPTIED],
    ),
]


@pytest.mark.parametrize(
    ("tool", "arguments", "asked"), ASKED, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.anyio
async def test_a_tool_asks_firmly_for_no_more_than_it_needs(
    client: Client, shop: Shop, tool: str, arguments: dict[str, Any], asked: list[str]
) -> None:
    await fill_cart(client)
    before = len(shop.simulator.requests)
    await call(client, tool, **arguments)
    # What was made only to learn a price is cleared up behind the answer.
    await (await shop.services.placement()).drain(10)
    requests = list(shop.simulator.requests)[before:]
    assert Counter(f"{request.method} {request.path}" for request in requests) == Counter(asked)
