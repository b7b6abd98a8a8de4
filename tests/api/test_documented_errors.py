"""Every error that these endpoints are documented to answer becomes its class of the tree, at each of its statuses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from firmly_mcp import errors
from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.error_codes import ERROR_CODES, PROOF_OF_REFUSAL, proves_not_placed
from firmly_mcp.api.payments import StreamError
from firmly_mcp.errors import FirmlyError, OutcomeUnknown, RateLimited, StoreError
from firmly_mcp.simulator import DECLINED_CARD, Simulator
from firmly_mcp.simulator.answers import STATUS
from tests.dialects import Dialect

from .documented_errors import CALLS, NAMED, UNNAMED, Call, Documented
from .shopping import ADDRESS, LUMA, TEE, client_of, client_on, sealed

VOLTA, HEARTH = "volta-electronics.example", "hearth-and-home.example"
ALL = (*NAMED, *UNNAMED)
CASES = [
    pytest.param(error, status, at, id=f"{error.name} {status} {at}")
    for error in ALL
    for status in error.statuses
    for at in error.at
]
Shared = tuple[Simulator, FirmlyClient]
# Section 10 names these too, and none of these endpoints answers them: log-ins by code, and the browser SDK itself.
ELSEWHERE = {"UserNotFound", "InvalidOtp", "NetworkError"}
OF_ORDERS = [error for error in ALL if "complete_order_v2" in error.at]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def ready(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    """A simulator and a client on it, for the many tests that change nothing there."""
    async with Simulator() as sim, client_on(sim, tmp_path_factory.mktemp("locks")) as client:
        yield sim, client


@pytest.fixture
def shared(ready: Shared) -> Iterator[Shared]:
    """The same, refusing nothing yet and speaking as it usually does."""
    yield ready
    ready[0].faults.clear()
    ready[0].world.encode = Dialect()


async def answered(call: Awaitable[object]) -> StoreError:
    """The refusal that a call ends with; an order's may be one that proves nothing."""
    with pytest.raises(FirmlyError) as raised:
        await call
    error = raised.value.answer if isinstance(raised.value, OutcomeUnknown) else raised.value
    assert isinstance(error, StoreError)
    assert isinstance(raised.value, OutcomeUnknown) is (error.money_moved == "unknown")
    return error


@pytest.mark.anyio
@pytest.mark.parametrize(
    "spoken", [Dialect(envelope="description"), Dialect(envelope="message")], ids=["C-22a", "C-22b"]
)
@pytest.mark.parametrize(("error", "status", "at"), CASES)
async def test_a_documented_error_becomes_its_class(
    shared: Shared, error: Documented, status: int, at: str, *, spoken: Dialect
) -> None:
    sim, client = shared
    sim.world.encode = spoken
    fault = sim.faults.add("refuse", at, times=None, error=error.name, status=status, description="The store's words")
    refused = await answered(CALLS[at](client))
    assert fault.hits
    assert type(refused) is error.kind
    assert (refused.status, refused.store_message) == (status, "The store's words")
    assert refused.name == ("" if " " in error.name else error.name)
    if at == "complete_order_v2":
        assert proves_not_placed(refused) is (error.name in PROOF_OF_REFUSAL and 400 <= status < 500)


@pytest.mark.anyio
@pytest.mark.parametrize("spoken", [Dialect(error_event="bare"), Dialect(error_event="wrapped")], ids=["U-3a", "U-3b"])
@pytest.mark.parametrize("error", OF_ORDERS, ids=lambda error: error.name)
async def test_a_documented_error_of_an_order_becomes_its_class_in_a_stream(
    shared: Shared, error: Documented, spoken: Dialect
) -> None:
    sim, client = shared
    sim.world.encode = spoken
    sim.faults.add("refuse-after", "place_order_v2", error=error.name, status=error.statuses[0])
    card = sealed(await client.payment_key())
    async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, card) as events:
        last = [event async for event in events][-1]
    assert isinstance(last, StreamError)
    assert (type(last.error), last.error.name) == (error.kind, error.name)
    assert proves_not_placed(last.error) is (error.name in PROOF_OF_REFUSAL)


async def filled(client: FirmlyClient, store: str = LUMA) -> str:
    """A cart with the first thing that the store has; gives its shipment."""
    ref: Mapping[str, object] = TEE
    if store != LUMA:
        page = await client.search_products("lamp rug tv", domains=[store], in_stock=True)
        variant = next(variant for hit in page.products for variant in hit.variants if variant.available)
        ref = variant.add_to_cart_ref or {}
    cart = await client.add_line_item(store, ref, 1)
    return cart.shipments[0].shipment_id or ""


def after_filling(call: Callable[[FirmlyClient, str], Awaitable[object]], store: str = LUMA) -> Call:
    """The call, with the shipment of a cart that was filled before."""

    async def both(client: FirmlyClient) -> object:
        return await call(client, await filled(client, store))

    return both


async def declined(client: FirmlyClient) -> object:
    await filled(client)
    await client.set_shipping_info(LUMA, ADDRESS)
    return await client.complete_order(LUMA, sealed(await client.payment_key(), DECLINED_CARD), ADDRESS)


async def not_ready(client: FirmlyClient) -> object:
    await filled(client)
    return await client.complete_order(LUMA, sealed(await client.payment_key()), ADDRESS)


async def page_of_hearth(client: FirmlyClient) -> object:
    page = await client.search_products("lamp", domains=[HEARTH])
    return await client.get_product_by_url(page.products[0].pdp_url or "")


NATURAL: dict[str, Call] = {
    "ErrorCartNotFound": lambda c: c.set_shipping_info(LUMA, ADDRESS),
    "ErrorProductNotFound": lambda c: c.get_product(LUMA, "nobody-sells-this"),
    "ErrorNotEnoughStock": lambda c: c.add_line_item(LUMA, {"variant_id": "WS12-M-Orange"}, 1),
    "AllProductsNotImplemented": lambda c: c.list_products(VOLTA),
    "ProductUrlNotImplemented": page_of_hearth,
    "ErrorShipmentNotFound": after_filling(lambda c, _: c.set_fulfillment_type(LUMA, "no", "SHIP_TO_ADDRESS")),
    "ErrorInvalidFulfillmentType": after_filling(lambda c, s: c.set_fulfillment_type(LUMA, s, "BY_PIGEON")),
    "ErrorInvalidShippingMethod": after_filling(lambda c, s: c.set_shipping_method(LUMA, s, "BY_PIGEON")),
    "ErrorCountryNotSupported": after_filling(lambda c, _: c.set_shipping_info(LUMA, {**ADDRESS, "country": "DE"})),
    "ErrorInvalidState": after_filling(lambda c, _: c.set_billing_info(LUMA, {**ADDRESS, "state_or_province": "ZZ"})),
    "ErrorInvalidPromoCode": after_filling(lambda c, _: c.add_promo_codes(LUMA, ["SPRING20"])),
    "ErrorPromoNotAvailable": after_filling(lambda c, _: c.add_promo_codes(LUMA, ["BIG50"])),
    "ErrorClearPromoCodeNotAllowed": after_filling(lambda c, _: c.clear_promo_codes(HEARTH), HEARTH),
    "ErrorAddonNotFound": after_filling(lambda c, _: c.add_addon(VOLTA, "nobody_offers_this"), VOLTA),
    "ErrorPaymentDeclined": declined,
    "ErrorMissingRequiredParameters": not_ready,
    "ErrorInvalidInputBody": lambda c: c.complete_order(LUMA, "a.b", ADDRESS),
    "ValidationError": lambda c: c.set_postal_code("?"),
    "InvalidRequest": lambda c: c.search_products(""),
    "ErrorLineItemNotFound": after_filling(lambda c, _: c.update_line_item(LUMA, "no", 1)),
    "ErrorOrderNotFound": lambda c: c.order_status(LUMA, "nobody-ordered-this"),
    "ErrorDomainNotFound": lambda c: c.get_cart("nobody-knows.example"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", NATURAL)
async def test_the_simulators_stores_refuse_so_by_themselves(sim: Simulator, client: FirmlyClient, name: str) -> None:
    [error] = [error for error in ALL if error.name == name]
    refused = await answered(NATURAL[name](client))
    assert (type(refused), refused.name) == (error.kind, name)
    assert refused.status in error.statuses
    assert sim.books.charges == []


@pytest.mark.anyio
async def test_an_app_id_that_nobody_knows_opens_no_session(sim: Simulator, tmp_path: Path) -> None:
    async with client_of(sim.api_url, tmp_path, payment_url=sim.payment_url, app_id="nobodys") as client:
        refused = await answered(client.get_active_domains())
    assert (type(refused), refused.name) == (errors.Unauthorized, "InvalidAppId")


@pytest.mark.anyio
async def test_a_rate_limit_says_how_long_to_wait(sim: Simulator, client: FirmlyClient) -> None:
    sim.faults.add("rate-limit", "search", retry_after=7)
    refused = await answered(client.search_products("tee"))
    assert isinstance(refused, RateLimited)
    assert refused.retry_after == 7


def test_every_documented_name_has_its_sentence_and_no_other_name_has() -> None:
    names = [error.name for error in NAMED]
    assert set(names) == set(ERROR_CODES)
    assert len(names) == len(set(names))
    assert not {error.name for error in UNNAMED} & set(ERROR_CODES)
    assert not ELSEWHERE & set(ERROR_CODES)


def test_every_class_of_refusal_is_produced() -> None:
    classes = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StoreError)}
    assert {error.kind for error in ALL} == classes - {StoreError}


def test_the_simulators_own_status_is_a_documented_one() -> None:
    known = [error for error in ALL if error.name in STATUS]
    assert len(known) > 40
    assert [error.name for error in known if STATUS[error.name] not in error.statuses] == []
