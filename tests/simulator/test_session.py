"""Device sessions, contract section 3."""

import httpx2
import jwt
import pytest

from firmly_mcp.simulator import Simulator
from tests.simulator.shopping import TEE, Clock, Shopper, error

pytestmark = pytest.mark.anyio


async def test_a_session_is_an_rs256_token_of_an_hour_on_a_new_device(shopper: Shopper, clock: Clock) -> None:
    session = (await shopper.session()).json()
    now = int(clock().timestamp())
    assert session["device_created"] is True
    assert (session["expires_in"], session["expires"]) == (3600, now + 3600)
    assert jwt.get_unverified_header(session["access_token"]) == {"alg": "RS256", "typ": "JWT"}
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert claims == {
        "device_id": session["device_id"],
        "app_id": shopper.sim.app_id,
        "exp": now + 3600,
        "iat": now,
    }


@pytest.mark.parametrize("headers", [{}, {"x-firmly-app-id": "somebody-else"}])
async def test_an_unknown_app_gets_no_session(
    sim: Simulator, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post(f"{sim.api_url}/api/v1/browser-session", headers=headers)
    assert error(answer) == (400, "InvalidAppId")
    assert set(answer.json()) == {"error", "message"}


async def test_a_session_needs_no_body(sim: Simulator, http: httpx2.AsyncClient) -> None:
    answer = await http.post(f"{sim.api_url}/api/v1/browser-session", headers={"x-firmly-app-id": sim.app_id})
    assert answer.status_code == 200


async def test_a_body_that_is_no_json_gets_no_session(sim: Simulator, http: httpx2.AsyncClient) -> None:
    headers = {"x-firmly-app-id": sim.app_id}
    answer = await http.post(f"{sim.api_url}/api/v1/browser-session", headers=headers, content=b"{")
    assert answer.status_code == 400


@pytest.mark.parametrize("late", [{"minutes": 59}, {"hours": 1}, {"hours": 1, "weeks": 1}])
async def test_renewal_keeps_the_device_and_its_cart_up_to_a_week_past_expiry(
    shopper: Shopper, clock: Clock, late: dict[str, int]
) -> None:
    await shopper.add(TEE)
    device = shopper.device_id
    clock.tick(**late)
    renewed = (await shopper.session(shopper.token)).json()
    assert renewed["device_created"] is False
    assert renewed["device_id"] == device
    assert len((await shopper.cart()).json()["line_items"]) == 1


async def test_renewal_ends_a_week_after_expiry(shopper: Shopper, clock: Clock) -> None:
    clock.tick(hours=1, weeks=1, seconds=1)
    assert error(await shopper.session(shopper.token)) == (401, "TokenExpired")


async def test_a_forged_token_does_not_renew(shopper: Shopper) -> None:
    forged = jwt.encode({"device_id": shopper.device_id, "exp": 9_999_999_999}, "x" * 32, algorithm="HS256")
    assert error(await shopper.session(forged)) == (401, "InvalidToken")


async def test_a_session_without_the_old_token_is_a_new_device_without_carts(shopper: Shopper) -> None:
    await shopper.add(TEE)
    device = shopper.device_id
    await shopper.session()
    assert shopper.device_id != device
    assert (await shopper.cart()).json()["line_items"] == []


async def test_an_expired_token_is_refused_everywhere_until_it_is_renewed(shopper: Shopper, clock: Clock) -> None:
    clock.tick(hours=1)
    assert error(await shopper.cart()) == (401, "TokenExpired")
    assert error(await shopper.api("POST", "/api/v1/discovery/search", {"query": "tee"})) == (401, "TokenExpired")
    assert error(await shopper.complete()) == (401, "TokenExpired")
    await shopper.session(shopper.token)
    assert (await shopper.cart()).status_code == 200


@pytest.mark.parametrize(
    ("path", "missing", "invalid"),
    [
        ("/api/v2/domains/staging.luma.gift/cart", "MissingAuthHeader", "InvalidToken"),
        ("/api/v1/discovery/options", "Unauthorized", "Unauthorized"),
        ("/api/v1/domains-products/staging.luma.gift", "MissingAuthHeader", "InvalidToken"),
    ],
)
async def test_each_group_has_its_names_for_a_missing_and_a_bad_token(
    shopper: Shopper, path: str, missing: str, invalid: str
) -> None:
    assert error(await shopper.api("GET", path, headers={"x-firmly-authorization": ""})) == (401, missing)
    assert error(await shopper.api("GET", path, headers={"x-firmly-authorization": "x.y.z"})) == (401, invalid)


async def test_a_token_of_another_simulator_is_refused(shopper: Shopper, http: httpx2.AsyncClient) -> None:
    async with Simulator() as elsewhere:
        stranger = Shopper(elsewhere, http)
        await stranger.session()
        shopper.token = stranger.token
        assert error(await shopper.cart()) == (401, "InvalidToken")


async def test_the_bearer_prefix_is_tolerated(shopper: Shopper) -> None:
    shopper.token = f"Bearer {shopper.token}"
    assert (await shopper.cart()).status_code == 200


async def test_the_same_token_works_on_both_hosts(shopper: Shopper) -> None:
    await shopper.add(TEE)
    await shopper.ship()
    assert (await shopper.complete()).status_code == 200
