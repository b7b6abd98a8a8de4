"""Who may call: tokens with and without a prefix, servers, and an App ID alone (contract 2.2, 3.2, C-1, C-2)."""

from typing import Any

import pytest

from tests.dialects import Dialect
from tests.simulator.shopping import LUMA, Shopper, error

pytestmark = pytest.mark.anyio
SEARCH = "/api/v1/discovery/search"
PAGE = f"/api/v1/domains-pdp?url=https://{LUMA}/radiant-tee.html"


@pytest.mark.parametrize(
    ("bearer", "raw", "prefixed"), [("either", 200, 200), ("required", 401, 200), ("refused", 200, 401)]
)
async def test_the_prefix_is_required_refused_or_neither(
    shopper: Shopper, bearer: Any, raw: int, prefixed: int
) -> None:
    shopper.sim.world.encode = Dialect(bearer=bearer)
    token = shopper.token
    assert (await shopper.cart()).status_code == raw
    shopper.token = f"Bearer {token}"
    assert (await shopper.cart()).status_code == prefixed


async def search(shopper: Shopper, secret: str, device: str | None) -> Any:
    headers = {"x-firmly-authorization": secret}
    if device is not None:
        headers["x-firmly-device-id"] = device
    return await shopper.api("POST", SEARCH, {"query": "tee"}, headers=headers)


async def test_a_server_may_search_with_its_secret_for_a_device(shopper: Shopper) -> None:
    secret = shopper.sim.server_secret
    assert (await search(shopper, secret, "any_device-1")).status_code == 200
    assert error(await search(shopper, secret, None)) == (400, "BadRequest")
    assert error(await search(shopper, "wrong", "any_device-1")) == (401, "InvalidAPIToken")
    assert error(await search(shopper, shopper.sim.app_id, "any_device-1")) == (401, "InvalidAPIToken")


@pytest.mark.parametrize("device", ["", "a b", "a.b", "x" * 257])
async def test_a_servers_device_id_has_a_form(shopper: Shopper, device: str) -> None:
    assert error(await search(shopper, shopper.sim.server_secret, device)) == (400, "BadRequest")


async def test_a_servers_secret_opens_nothing_else(shopper: Shopper) -> None:
    shopper.token = shopper.sim.server_secret
    assert error(await shopper.cart()) == (401, "InvalidToken")


async def test_a_page_may_be_looked_up_with_the_app_id_alone(shopper: Shopper) -> None:
    url = shopper.sim.api_url + PAGE
    assert (await shopper.http.get(url, headers={"x-firmly-app-id": shopper.sim.app_id})).status_code == 200
    assert error(await shopper.http.get(url, headers={"x-firmly-app-id": "x"})) == (401, "MissingAuthHeader")
    shopper.sim.world.encode = Dialect(pdp_by_app_id=False)
    refused = await shopper.http.get(url, headers={"x-firmly-app-id": shopper.sim.app_id})
    assert error(refused) == (401, "MissingAuthHeader")
