import sqlite3
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.app import open_services
from firmly_mcp.checkout.models import Attempt, Item, OrderIntent, State
from firmly_mcp.errors import CardNotFound, FirmlyError, InvalidRequest, NotAllowed, OrderInProgress, QuoteChanged
from firmly_mcp.redaction import OneUse
from firmly_mcp.settings import Settings
from tests.proofs import BY_PERSON, until_recorded
from tests.shop import STORE, TEE, Shop, open_shop

Order = Callable[[Shop], Awaitable[Attempt]]


async def pay_cart(shop: Shop, *, max_total: Decimal = Decimal(1000), **wish: Any) -> Attempt:
    placing = await (await shop.services.placement()).place(OrderIntent(STORE, **wish), max_total=max_total)
    assert isinstance(placing, Attempt)
    return placing


async def buy_items(shop: Shop, quantity: int = 2, *, max_total: Decimal = Decimal(1000), **wish: Any) -> Attempt:
    items = (Item(TEE, quantity),)
    placing = await (await shop.services.placement()).place(OrderIntent(STORE, items, **wish), max_total=max_total)
    assert isinstance(placing, Attempt)
    return placing


async def fill_cart(shop: Shop, quantity: int = 2) -> FirmlyClient:
    firmly = await shop.services.firmly()
    await firmly.add_line_item(STORE, {"variant_id": TEE}, quantity)
    address = await (await shop.services.vault()).address(None)
    await firmly.set_shipping_info(STORE, address.as_firmly())
    return firmly


async def ended(shop: Shop, placing: Attempt) -> State:
    """Wait for the outcome, and read it as anyone later would."""
    with anyio.fail_after(30):
        await until_recorded(await shop.services.placement(), placing)
    attempt = await (await shop.services.placement()).attempt(placing.id)
    assert attempt is not None
    return attempt.state


BOTH = pytest.mark.parametrize("order", [pay_cart, buy_items])


@pytest.fixture
async def ready(shop: Shop) -> Shop:
    """A shop with a full cart."""
    await fill_cart(shop)
    return shop


@BOTH
@pytest.mark.anyio
async def test_an_order_is_placed_and_the_books_have_one_charge(ready: Shop, order: Order) -> None:
    placing = await order(ready)
    assert await ended(ready, placing) is State.PLACED
    assert [amount for _, amount in ready.charges] == [5340]


@BOTH
@pytest.mark.anyio
async def test_the_same_order_again_joins_the_first(ready: Shop, order: Order) -> None:
    first = await order(ready)
    await ended(ready, first)
    again = await order(ready)
    assert not again.is_new
    assert again.id == first.id
    assert len(ready.charges) == 1


@pytest.mark.anyio
async def test_the_same_wish_through_the_other_tool_joins_too(ready: Shop) -> None:
    first = await buy_items(ready)
    await ended(ready, first)
    again = await pay_cart(ready)
    assert again.id == first.id
    assert len(ready.orders_sent()) == 1


@BOTH
@pytest.mark.anyio
async def test_calls_at_once_send_one_order(ready: Shop, order: Order) -> None:
    placings: list[Attempt] = []

    async def call() -> None:
        try:
            placings.append(await order(ready))
        except OrderInProgress:
            return

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)
    for placing in placings:
        await ended(ready, placing)
    assert len({placing.id for placing in placings}) == 1
    assert len(ready.charges) == 1
    assert len(ready.orders_sent()) == 1


DOUBTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "lost answer": ("lose-answer", {}, 1),
    "gateway timeout": ("gateway-timeout", {}, 1),
    "store unavailable after the charge": ("refuse-after", {}, 1),
    "truncated answer": ("truncate", {"keep": 0.3}, 1),
    "not json": ("not-json", {}, 1),
    "reset after the body": ("reset-after-body", {}, 0),
    "reset in the body": ("reset-in-body", {}, 0),
    "store unavailable": ("unavailable", {"error": "ErrorStoreUnavailable"}, 0),
    "a notice instead of an order": ("notice", {}, 0),
}


async def judged(shop: Shop, order: Order, first: Attempt) -> None:
    """A doubt is settled by reading where the cart proves an order, else stays one, and is never sent again."""
    assert "unknown" in await steps(shop, first)
    again = await order(shop)
    assert again.id == first.id
    assert again.state is (State.PLACED if shop.charges else State.UNKNOWN)
    assert len(shop.orders_sent()) == 1
    assert len(shop.charges) <= 1


async def steps(shop: Shop, placing: Attempt) -> list[str]:
    """What the journal says happened to an attempt, in order."""
    await ended(shop, placing)
    with sqlite3.connect(shop.settings.data_dir / "journal.sqlite3") as journal:
        query = "SELECT step FROM events WHERE attempt_id = ? ORDER BY id"
        return [step for (step,) in journal.execute(query, (placing.id,))]


@pytest.mark.parametrize("fault", DOUBTS.values(), ids=DOUBTS.keys())
@pytest.mark.anyio
async def test_what_proves_nothing_is_unknown_and_is_never_sent_again(
    ready: Shop, fault: tuple[str, dict[str, Any], int]
) -> None:
    action, options, charges = fault
    ready.simulator.faults.add(action, "complete_order_v2", **options)
    await judged(ready, pay_cart, await pay_cart(ready))
    assert len(ready.charges) == charges


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.anyio
async def test_a_stream_cut_after_any_event_is_unknown(ready: Shop, after: int, *, goes_on: bool) -> None:
    ready.simulator.faults.add("cut-stream", "place_order_v2", after=after, goes_on=goes_on)
    await judged(ready, buy_items, await buy_items(ready))
    assert len(ready.charges) == int(goes_on)


@BOTH
@pytest.mark.anyio
async def test_a_charge_that_the_cart_never_shows_stays_a_doubt_until_a_person_ends_it(
    ready: Shop, order: Order
) -> None:
    ready.simulator.faults.add("hide-order", "*_order_v2")
    ready.simulator.faults.add("lose-answer", "*_order_v2")
    placing = await order(ready)
    assert await ended(ready, placing) is State.UNKNOWN
    placement = await ready.services.placement()
    assert [attempt.id for attempt in await placement.settle_all()] == [placing.id]
    assert len(ready.charges) == 1
    settled = await placement.settle_manually(placing, ready.charges[0][0], proof=BY_PERSON)
    assert settled.state is State.PLACED
    assert len(ready.orders_sent()) == 1


@BOTH
@pytest.mark.parametrize("error", ["ErrorPaymentDeclined", "ErrorNotEnoughStock", "ErrorInvalidInputBody"])
@pytest.mark.anyio
async def test_a_proven_refusal_is_not_placed_and_frees_the_wish(ready: Shop, order: Order, error: str) -> None:
    ready.simulator.faults.add("refuse", "*_order_v2", error=error)
    refused = await order(ready)
    assert await ended(ready, refused) is State.NOT_PLACED
    again = await order(ready)
    assert again.is_new
    assert await ended(ready, again) is State.PLACED
    assert len(ready.charges) == 1


@BOTH
@pytest.mark.anyio
async def test_a_401_in_the_order_request_is_not_answered_by_sending_it_again(ready: Shop, order: Order) -> None:
    ready.simulator.faults.add("unauthorized", "*_order_v2")
    assert await ended(ready, await order(ready)) is State.NOT_PLACED
    assert len(ready.orders_sent()) == 1
    assert not ready.charges


@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("set-price", {"store": STORE, "sku": TEE, "cents": 2300}),
        ("change-terms", {"store": STORE, "shipping_added": 100}),
        ("change-terms", {"store": STORE, "tax_added": 1000}),
    ],
)
@pytest.mark.anyio
async def test_a_rise_right_before_paying_stops_the_order_and_says_what_rose(
    ready: Shop, action: str, options: dict[str, Any]
) -> None:
    # The second reading of the cart is the check.
    ready.simulator.faults.add(action, "get_cart_v2", n=2, **options)
    with pytest.raises(QuoteChanged) as caught:
        await pay_cart(ready)
    assert any(line.startswith("total: 53.40 USD → ") for line in caught.value.difference)
    assert not ready.orders_sent()


@pytest.mark.anyio
async def test_a_fall_right_before_paying_does_not_stop_the_order(ready: Shop) -> None:
    ready.simulator.faults.add("set-price", "get_cart_v2", n=2, store=STORE, sku=TEE, cents=2000)
    placing = await pay_cart(ready)
    assert await ended(ready, placing) is State.PLACED
    attempt = await (await ready.services.placement()).attempt(placing.id)
    assert attempt is not None
    assert attempt.outcome.charged is not None
    assert attempt.outcome.charged.plain == f"{ready.charges[0][1] / 100:.2f}"


@pytest.mark.anyio
async def test_a_rise_inside_the_payment_is_recorded_with_both_amounts(ready: Shop) -> None:
    ready.simulator.faults.add("set-price", "complete_order_v2", store=STORE, sku=TEE, cents=3000, inside=True)
    placing = await pay_cart(ready)
    assert await ended(ready, placing) is State.PLACED
    attempt = await (await ready.services.placement()).attempt(placing.id)
    assert attempt is not None
    assert attempt.outcome.charged is not None
    assert attempt.outcome.charged > attempt.total
    assert attempt.outcome.charged.amount * 100 == ready.charges[0][1]


@BOTH
@pytest.mark.anyio
async def test_the_row_is_on_disk_before_the_order_request_arrives(ready: Shop, order: Order) -> None:
    journal = ready.settings.data_dir / "journal.sqlite3"
    ready.simulator.faults.add("delay", "*_order_v2", seconds=0.2)
    placing = await order(ready)
    with sqlite3.connect(journal) as other:
        assert other.execute("SELECT state FROM attempts").fetchall() == [("sending",)]
    assert not ready.charges
    assert await ended(ready, placing) is State.PLACED


@pytest.mark.anyio
async def test_without_a_journal_nothing_is_sent(ready: Shop) -> None:
    (ready.settings.data_dir / "journal.sqlite3").write_bytes(b"damaged beyond use " * 100)
    with pytest.raises(NotAllowed, match="journal"):
        await pay_cart(ready)
    assert not ready.orders_sent()


@BOTH
@pytest.mark.anyio
async def test_a_total_above_max_total_is_refused_and_below_it_is_placed(ready: Shop, order: Any) -> None:
    with pytest.raises(NotAllowed, match=r"53\.40 USD.*53\.39 USD"):
        await order(ready, max_total=Decimal("53.39"))
    assert not ready.orders_sent()
    assert await ended(ready, await order(ready, max_total=Decimal("53.40"))) is State.PLACED


@BOTH
@pytest.mark.anyio
async def test_an_unknown_card_is_answered_with_those_there_are(ready: Shop, order: Any) -> None:
    with pytest.raises(CardNotFound) as caught:
        await order(ready, card="no such card")
    assert caught.value.known == ("test-visa",)
    assert not ready.orders_sent()


@pytest.mark.anyio
async def test_buying_items_leaves_no_cart_behind(ready: Shop) -> None:
    await ended(ready, await buy_items(ready))
    with pytest.raises(NotAllowed):
        await buy_items(ready, quantity=3, max_total=Decimal(1))
    carts = [path for path in _requests(ready) if path.startswith("DELETE")]
    assert len(carts) == 2


@pytest.mark.anyio
async def test_a_send_goes_on_when_the_call_that_asked_is_cancelled(ready: Shop) -> None:
    with ready.simulator.hold_events() as gate:
        placement = await ready.services.placement()
        placing = await buy_items(ready)
        log = placement.progress(placing)
        assert log is not None
        with anyio.move_on_after(0):
            await log.more_than(100)
        for _ in range(4):
            await gate.release()
    assert await ended(ready, placing) is State.PLACED
    assert (await placement.attempt(placing.id)) is not None


@pytest.mark.anyio
async def test_closing_the_rooms_lets_a_send_end(settings: Settings) -> None:
    async with open_shop(settings) as shop:
        from firmly_mcp.wallet.memory import fill

        await fill(await shop.services.vault())
        shop.simulator.faults.add("delay", "place_order_v2", seconds=0.5)
        placing = await buy_items(shop)
        log = (await shop.services.placement()).progress(placing)
        assert log is not None
        assert not log.ended
        await shop.services.close()
        assert log.ended
        assert len(shop.charges) == 1


@pytest.mark.anyio
async def test_an_attempt_whose_sender_is_gone_is_in_doubt(ready: Shop) -> None:
    placing = await pay_cart(ready)
    await ended(ready, placing)
    # As a process leaves it that was killed while it waited for the answer.
    with sqlite3.connect(ready.settings.data_dir / "journal.sqlite3") as other:
        other.execute("UPDATE attempts SET state = 'sending', ended_at = NULL, order_number = NULL")
    await fill_cart(ready)
    again = await pay_cart(ready)
    assert not again.is_new
    assert again.state is State.UNKNOWN
    assert len(ready.orders_sent()) == 1


@pytest.mark.anyio
async def test_another_process_does_not_judge_a_live_send(ready: Shop) -> None:
    with ready.simulator.hold_events():
        placing = await buy_items(ready)
        async with open_services(ready.settings) as second_host:
            seen = await (await second_host.placement()).attempt(placing.id)
            assert seen is not None
            assert seen.state is State.SENDING
    assert await ended(ready, placing) is State.PLACED


@pytest.mark.anyio
async def test_a_cart_that_is_being_paid_is_not_changed_meanwhile(ready: Shop) -> None:
    ready.simulator.faults.add("delay", "complete_order_v2", seconds=0.5)
    placing = await pay_cart(ready)
    with pytest.raises(OrderInProgress):
        await (await ready.services.firmly()).add_line_item(STORE, {"variant_id": TEE}, 1)
    again = await pay_cart(ready)
    assert again.id == placing.id
    assert await ended(ready, placing) is State.PLACED


@BOTH
@pytest.mark.anyio
async def test_a_wrong_security_code_is_no_order(settings: Settings, order: Order, tmp_path: Any) -> None:
    script = tmp_path / "code.py"
    script.write_text("print('12')", "utf-8")
    command = (settings.cvv_command[0], str(script))
    async with open_shop(settings.model_copy(update={"cvv_command": command})) as shop:
        from firmly_mcp.wallet.memory import fill

        await fill(await shop.services.vault())
        await fill_cart(shop)
        with pytest.raises(FirmlyError):
            await order(shop)
        assert not shop.orders_sent()


@pytest.mark.parametrize("environment", ["sandbox", "production", "custom"])
@pytest.mark.anyio
async def test_outside_the_simulator_no_order_is_sent(settings: Settings, environment: str) -> None:
    urls = {"api_url": "https://a.example", "payment_url": "https://b.example"} if environment == "custom" else {}
    real = Settings.model_validate({**settings.model_dump(), "environment": environment, "app_id": "app", **urls})
    async with open_services(real) as services:
        placement = await services.placement()
        for wish in (OrderIntent(STORE), OrderIntent(STORE, (Item(TEE, 1),))):
            with pytest.raises(NotAllowed, match="approval PIN"):
                await placement.place(wish)


@pytest.mark.parametrize("store", ["", "a b", "staging.luma.gift/../x", "https://staging.luma.gift", "x" * 300])
@pytest.mark.anyio
async def test_what_is_no_host_name_is_no_store(ready: Shop, store: str) -> None:
    placement = await ready.services.placement()
    with pytest.raises(InvalidRequest):
        await placement.place(OrderIntent(store))


@pytest.mark.anyio
async def test_the_journal_holds_no_secret(ready: Shop) -> None:
    await ended(ready, await pay_cart(ready))
    everything = b"".join(path.read_bytes() for path in ready.settings.data_dir.glob("journal*") if path.is_file())
    assert b"SIM-" in everything
    for secret in (b"4111111111111111", b"eyJ", b"1 Test Street", b"ana@example.com", b"206-555-0100"):
        assert secret not in everything


def _requests(shop: Shop) -> list[str]:
    return [f"{request.method} {request.path}" for request in shop.simulator.requests]


def test_a_payment_does_not_show_its_code() -> None:
    code = OneUse(SecretStr("80468046"), "a security code")
    assert "80468046" not in f"{code} {code!r} {[code]}"
