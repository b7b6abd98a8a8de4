"""Two base URLs: everything but payment on one, payment on the other (contract section 1)."""

import re

import pytest

from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.app import ROUTES
from firmly_mcp.simulator.calls import Route
from tests.dialects import Dialect
from tests.simulator.shopping import Shopper, error

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_route_is_on_one_host_only(shopper: Shopper, route: Route) -> None:
    shopper.sim.world.encode = Dialect(shipping_method_path="both")
    path = re.sub(r"\{(\w+)(:path)?\}", "1", route.path)
    right, wrong = (shopper.api, shopper.pay) if route.host == "api" else (shopper.pay, shopper.api)
    assert error(await wrong(route.method, path)) == (404, "RouteNotFound")
    answer = await right(route.method, path)
    assert answer.status_code == 200 or answer.json()["error"] != "RouteNotFound"


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PATCH", "/api/v1/browser-session"), ("GET", "/api/v3/x")])
async def test_what_is_not_served_is_not_found(shopper: Shopper, method: str, path: str) -> None:
    assert error(await shopper.api(method, path)) == (404, "RouteNotFound")


async def test_both_hosts_are_on_loopback(sim: Simulator) -> None:
    assert sim.api_url.startswith("http://127.0.0.1:")
    assert sim.payment_url.startswith("http://127.0.0.1:")
    assert sim.api_url != sim.payment_url


async def test_a_trailing_slash_does_not_matter(shopper: Shopper) -> None:
    assert (await shopper.cart("GET", "/")).status_code == 200


async def test_an_unknown_store_is_not_found(shopper: Shopper) -> None:
    assert error(await shopper.cart(store="nowhere.example")) == (404, "ErrorDomainNotFound")


async def test_the_request_log_has_methods_paths_hosts_and_statuses_and_nothing_else(shopper: Shopper) -> None:
    await shopper.cart()
    await shopper.pay("GET", "/api/v1/payment/key?format=PEM")
    logged = [(r.method, r.path, r.host, r.status) for r in shopper.sim.requests][-2:]
    assert logged == [
        ("GET", "/api/v2/domains/staging.luma.gift/cart", "api", 200),
        ("GET", "/api/v1/payment/key", "payment", 200),
    ]
    assert shopper.token not in repr(shopper.sim.requests)
