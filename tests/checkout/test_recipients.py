"""An order to an address that came through a tool asks a person, whatever the rules allow, until one said yes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.placement import Asked
from firmly_mcp.checkout.sending import Placing
from firmly_mcp.checkout.wishes import Item, Wish
from firmly_mcp.services import open_services, simulator_dir
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.addresses import new_address
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE, Shop, announce

MAX = Decimal(1000)
WishFor = Callable[[Shop, str], Awaitable[Wish]]


@pytest.fixture
async def lent(settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose address book has an entry that a tool made; the wallet is in memory."""
    from firmly_mcp.simulator import Simulator

    async with Simulator(simulator_dir(settings)) as simulator:
        announce(simulator_dir(settings), simulator)
        async with open_services(settings, demo=True) as services:
            await (await services.vault()).add_address(
                new_address(
                    label="Rosa",
                    origin="tool",
                    first_name="Rosa",
                    last_name="Lima",
                    email="rosa@example.com",
                    phone="512-555-0100",
                    address1="2 Oak Lane",
                    city="Austin",
                    state_or_province="TX",
                    postal_code="78701",
                    country="US",
                )
            )
            yield Shop(services, simulator, settings)


async def fill_cart_for(shop: Shop, label: str) -> Wish:
    """The cart, shipped there; the wish to pay it."""
    firmly = await shop.services.firmly()
    await firmly.add_line_item(STORE, {"variant_id": TEE}, 1)
    entry = await (await shop.services.vault()).address(label)
    await firmly.set_shipping_info(STORE, entry.as_firmly())
    return Wish(STORE)


async def items_for(shop: Shop, label: str) -> Wish:
    """The wish to buy items for there."""
    return Wish(STORE, (Item(TEE, 1),), address=label)


BOTH = pytest.mark.parametrize("wish_for", [fill_cart_for, items_for])


@BOTH
@pytest.mark.anyio
async def test_an_address_from_a_tool_is_asked_about_and_a_persons_is_not(lent: Shop, wish_for: WishFor) -> None:
    placement = await lent.services.placement()
    asked = await placement.order(await wish_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Asked)
    assert asked.approval.rule == "addresses.unknown"
    assert not lent.orders_sent()
    placed = await placement.order(await wish_for(lent, "home"), max_total=MAX)
    assert isinstance(placed, Placing)


@BOTH
@pytest.mark.anyio
async def test_once_a_person_approved_an_order_to_it_the_rules_may_allow_the_next(
    lent: Shop, wish_for: WishFor
) -> None:
    placement = await lent.services.placement()
    asked = await placement.order(await wish_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Asked)
    placing = await placement.desk.approve(await placement.desk.review(asked.approval.id), SecretStr("123"), BY_PERSON)
    assert placing.feed is not None
    while not placing.feed.ended:
        await placing.feed.more_than(len(placing.feed.steps))
    assert (await (await lent.services.vault()).address("Rosa")).origin == "person"
    more = Wish(STORE, (Item(TEE, 2),), address="Rosa")
    assert isinstance(await placement.order(more, max_total=MAX), Placing)


@pytest.mark.anyio
async def test_a_declined_order_leaves_the_address_a_tools(lent: Shop) -> None:
    placement = await lent.services.placement()
    asked = await placement.order(await items_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Asked)
    await placement.desk.decline(await placement.desk.review(asked.approval.id), "terminal")
    assert (await (await lent.services.vault()).address("Rosa")).origin == "tool"
