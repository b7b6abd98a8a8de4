"""Whatever is sent, the answer is one of the contract's, and never a failure of the simulator."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import quote

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.app import ROUTES
from firmly_mcp.simulator.calls import Route
from tests.dialects import Dialect
from tests.simulator.shopping import ADDRESS, LUMA, TEE, Shopper

NAMES = (
    *("add_to_cart_ref", "variant_id", "quantity", "selections", "addon_id", "selected_line_item_ids", "promo_codes"),
    *(
        "shipment_id",
        "shipping_method_id",
        "fulfillment_type",
        "selected_date",
        "query",
        "filters",
        "page",
        "page_size",
    ),
    *(
        "min_price",
        "variants",
        "option",
        "values",
        "encrypted_card",
        "billing_info",
        "shipping_info",
        "items",
        "handle",
    ),
    *("token", "cookies", "postal_code", "access_token", "shipping_method", *ADDRESS),
)
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from([*ADDRESS.values(), "WS12-XS-Orange", "....", "e30.e30.e30.e30.e30"])
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
BODIES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), parts, max_size=6),
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ROUTES), BODIES, TEXTS), min_size=4, max_size=12))
def test_any_body_gets_an_answer_of_the_contract(sent: list[tuple[Route, Any, str]]) -> None:
    asyncio.run(sends(sent))


async def sends(sent: list[tuple[Route, Any, str]]) -> None:
    async with Simulator() as sim, httpx2.AsyncClient(trust_env=False, verify=False) as http:
        sim.world.encode = Dialect(shipping_method_path="both")
        shopper = Shopper(sim, http)
        await shopper.session()
        await shopper.add(TEE)
        for route, body, text in sent:
            path = re.sub(r"\{d\}", LUMA, route.path)
            path = re.sub(r"\{(\w+)(:path)?\}", quote(text or "x", safe="", errors="replace"), path)
            url = (sim.api_url if route.host == "api" else sim.payment_url) + path
            headers = {"x-firmly-authorization": shopper.token, "x-firmly-app-id": sim.app_id}
            answer = await http.request(route.method, url, headers=headers, content=json.dumps(body).encode())
            assert answer.status_code < 500, (route.name, body, answer.text)
            assert answer.headers["content-type"].startswith(("application/json", "text/event-stream"))


def test_a_body_nested_too_deep_is_malformed() -> None:
    async def nests() -> None:
        async with Simulator() as sim, httpx2.AsyncClient(trust_env=False, verify=False) as http:
            shopper = Shopper(sim, http)
            await shopper.session()
            headers = {"x-firmly-authorization": shopper.token}
            url = f"{sim.api_url}/api/v2/domains/{LUMA}/cart/line-items"
            answer = await http.post(url, headers=headers, content=b"[" * 100_000)
            assert answer.status_code == 400

    asyncio.run(nests())
