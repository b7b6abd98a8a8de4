"""The suite speaks to the service that the environment names, or to a simulator that it starts for each file.

FIRMLY_CONTRACT_API, _PAYMENT, _APP_ID and _STORE name a service; _PRODUCT is a handle in that store (both may be lists
with commas, for stores that have what the first lacks), `service.Known` holds what else can be told. What is known to
differ there is in differences.toml. Nothing is ordered without FIRMLY_CONTRACT_ORDERS=yes.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2
import pytest

from firmly_mcp.simulator import DECLINED_CARD, Simulator
from tests.dialects import Dialect

from . import service as services
from .differences import expected_to_fail
from .service import Known, Place, Service
from .shopper import Shopper

ELSEWHERE = services.named(os.environ)
PLACES = (
    Place("staging.luma.gift", "radiant-tee"),
    Place("volta-electronics.example", "/us/tvs/horizon-oled-smart-tv-sku-ol109"),
    Place("hearth-and-home.example", "keaton-sectional-sofa"),
    Place("fernhill-garden.example", "somerset-climbing-rose", "GB"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test whose difference is known is expected to fail, but never at the suite's own simulator."""
    if ELSEWHERE is None:
        return
    for item in items:
        mark = expected_to_fail(item)
        if mark is not None:
            item.add_marker(mark)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def service(anyio_backend: str) -> AsyncIterator[Service]:
    """Where the suite shops."""
    if ELSEWHERE is not None:
        yield ELSEWHERE
        return
    async with Simulator() as simulator:
        yield of(simulator)


@pytest.fixture(scope="module")
async def http(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    # A cookie would carry one device's session into the next one's.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    trust = not services.is_local(service.api)
    async with httpx2.AsyncClient(timeout=60, trust_env=trust, cookies=none) as http:
        yield http


@pytest.fixture
async def shopper(service: Service, http: httpx2.AsyncClient) -> Shopper:
    """A new device with a session."""
    shopper = Shopper(service, http)
    await shopper.session()
    return shopper


@pytest.fixture
async def another(service: Service, http: httpx2.AsyncClient) -> Shopper:
    """Another one."""
    shopper = Shopper(service, http)
    await shopper.session()
    return shopper


@pytest.fixture
async def as_others_found_it(anyio_backend: str) -> AsyncIterator[Simulator]:
    """A simulator that differs from the pages as differences.toml says."""
    dialect = Dialect(cart_slash="required", statuses=(("ErrorInvalidPromoCode", 400),), no_cart_error="CartNotFound")
    async with Simulator(encode=dialect) as simulator:
        yield simulator


def of(simulator: Simulator) -> Service:
    """The suite's own simulator, with all that can be known of it."""
    return Service(simulator.api_url, simulator.payment_url, simulator.app_id, PLACES, known(simulator), True, True)


def known(simulator: Simulator) -> Known:
    """What the simulator's stores have."""
    return Known(
        promo_code="SAVE10",
        unfit_promo_code="BIG50",
        declined_card=DECLINED_CARD["number"],
        pickup_location="volta-seattle",
        server_secret=simulator.server_secret,
        native_cart="luma-native-cart-two",
        empty_native_cart="luma-native-cart-empty",
        sold_out_native_cart="luma-native-cart-sold-out",
    )
