"""An order to an address that came through a tool asks a person, whatever the rules allow, until one said yes."""

import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from firmly_mcp.api.models import Address as CartAddress
from firmly_mcp.app import open_services, simulator_dir
from firmly_mcp.checkout.flow import Review
from firmly_mcp.checkout.models import Approval, Attempt, Item, OrderIntent
from firmly_mcp.checkout.quote import address_hash, as_sent, recipient
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.addresses import FIELDS, Address, new_address
from tests.proofs import BY_PERSON, until_recorded
from tests.shop import STORE, TEE, Shop, announce

MAX = Decimal(1000)
WishFor = Callable[[Shop, str], Awaitable[OrderIntent]]


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


async def fill_cart_for(shop: Shop, label: str) -> OrderIntent:
    """The cart, shipped there; the wish to pay it."""
    firmly = await shop.services.firmly()
    await firmly.add_line_item(STORE, {"variant_id": TEE}, 1)
    entry = await (await shop.services.vault()).address(label)
    await firmly.set_shipping_info(STORE, entry.as_firmly())
    return OrderIntent(STORE)


async def items_for(shop: Shop, label: str) -> OrderIntent:
    """The wish to buy items for there."""
    return OrderIntent(STORE, (Item(TEE, 1),), address=label)


BOTH = pytest.mark.parametrize("wish_for", [fill_cart_for, items_for])


@BOTH
@pytest.mark.anyio
async def test_an_address_from_a_tool_is_asked_about_and_a_persons_is_not(lent: Shop, wish_for: WishFor) -> None:
    placement = await lent.services.placement()
    asked = await placement.place(await wish_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Approval)
    assert asked.rule == "addresses.unknown"
    assert not lent.orders_sent()
    placed = await placement.place(await wish_for(lent, "home"), max_total=MAX)
    assert isinstance(placed, Attempt)


@BOTH
@pytest.mark.anyio
async def test_once_a_person_approved_an_order_to_it_the_rules_may_allow_the_next(
    lent: Shop, wish_for: WishFor
) -> None:
    placement = await lent.services.placement()
    asked = await placement.place(await wish_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Approval)
    placing = await placement.approve(await placement.review(asked.id), SecretStr("123"), BY_PERSON)
    await until_recorded(placement, placing)
    assert (await (await lent.services.vault()).address("Rosa")).origin == "person"
    more = OrderIntent(STORE, (Item(TEE, 2),), address="Rosa")
    assert isinstance(await placement.place(more, max_total=MAX), Attempt)


@pytest.mark.anyio
async def test_a_declined_order_leaves_the_address_a_tools(lent: Shop) -> None:
    placement = await lent.services.placement()
    asked = await placement.place(await items_for(lent, "Rosa"), max_total=MAX)
    assert isinstance(asked, Approval)
    await placement.decline(await placement.review(asked.id), "terminal")
    assert (await (await lent.services.vault()).address("Rosa")).origin == "tool"


OWN = new_address(
    label="home",
    origin="person",
    first_name="Ana",
    last_name="Lima",
    company="Acme, Inc.",
    email="ana@example.com",
    phone="+1 206-555-0100",
    address1="11/2 Elm Street",
    address2="50 0",
    city="Seattle",
    state_or_province="WA",
    postal_code="98101",
    country="US",
)
# Each differs from the person's own in one field, in its letters, its punctuation, its spaces or by being left out.
OTHERS = [
    {"first_name": "Anna"},
    {"last_name": "Li-ma"},
    {"company": "Acme Inc"},
    {"company": None},
    {"email": "an.a@example.com"},
    {"email": None},
    {"phone": "1 206-555-0100"},
    {"phone": None},
    {"address1": "1/12 Elm Street"},
    {"address1": "11-2 Elm Street"},
    {"address1": "112 Elm Street"},
    {"address1": "11/2 Élm Street"},
    {"address2": "500"},
    {"address2": "5 00"},
    {"address2": None},
    {"city": "Seattle."},
    {"state_or_province": "OR"},
    {"state_or_province": None},
    {"postal_code": "9810-1"},
    {"country": "CA"},
    {"country": "United States"},
]
SAME = [
    {},
    {"first_name": "ANA", "city": "  seattle "},
    {"address1": "11/2   Elm\u00a0Street"},
    {"email": "Ana@Example.com"},
    {"state_name": "Washington"},
]


def cart_address(**changed: str | None) -> CartAddress:
    """The person's own address as a cart holds it, but for these fields."""
    return CartAddress.model_validate({**OWN.as_firmly(), **changed})


@pytest.mark.parametrize("changed", OTHERS, ids=str)
def test_an_address_that_differs_in_any_field_is_not_the_persons_own(changed: dict[str, str | None]) -> None:
    found = recipient([OWN], cart_address(**changed))
    assert (found.is_own, found.origin, found.shipped_to) == (False, None, None)
    assert address_hash(b"key", cart_address(**changed)) != address_hash(b"key", cart_address())


@pytest.mark.parametrize("changed", SAME, ids=str)
def test_case_and_spaces_are_no_difference(changed: dict[str, str | None]) -> None:
    found = recipient([OWN], cart_address(**changed))
    assert (found.is_own, found.shipped_to) == (True, OWN)
    assert address_hash(b"key", cart_address(**changed)) == address_hash(b"key", cart_address())


def test_what_one_field_ends_with_and_the_next_begins_with_is_no_matter_of_where_it_is_cut() -> None:
    one = cart_address(address1="1 Elm Street 5", address2="0 A")
    other = cart_address(address1="1 Elm Street", address2="5 0 A")
    assert address_hash(b"key", one) != address_hash(b"key", other)


TEXT = st.text(max_size=6)


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXT)), st.sampled_from(list(FIELDS)), TEXT)
def test_two_addresses_have_one_hash_only_if_each_field_is_equal_but_for_case_and_spaces(
    fields: dict[str, str], changed: str, text: str
) -> None:
    def plain(value: str) -> str:
        return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", value).casefold().split()))

    one, other = CartAddress(**fields), CartAddress(**{**fields, changed: text})
    same = plain(fields[changed]) == plain(text)
    assert (address_hash(b"key", one) == address_hash(b"key", other)) == same


def copy_of(entry: Address, label: str) -> Address:
    """What a tool makes of it under another label."""
    return entry.model_copy(update={"label": label, "origin": "tool"})


@pytest.mark.parametrize("label", [None, "home", "Twin"])
def test_a_tools_twin_of_the_persons_own_makes_it_unknown(label: str | None) -> None:
    twin = copy_of(OWN, "Twin")
    for book in ([OWN, twin], [twin, OWN]):
        found = recipient(book, as_sent(OWN), label)
        assert (found.is_own, found.origin) == (False, "tool")
        assert found.shipped_to == {None: None, "home": OWN, "Twin": twin}[label]


async def approved(shop: Shop, wish: OrderIntent) -> None:
    """A person's yes to an order that is asked about, to its end."""
    placement = await shop.services.placement()
    asked = await placement.place(wish, max_total=MAX)
    assert isinstance(asked, Approval)
    placing = await placement.approve(await placement.review(asked.id), SecretStr("123"), BY_PERSON)
    await until_recorded(placement, placing)


async def add_near(shop: Shop, label: str, **changed: str | None) -> None:
    """A tool's entry that is the person's own but for these fields."""
    vault = await shop.services.vault()
    await vault.add_address(copy_of(await vault.address("home"), label).model_copy(update=changed))


# Fields in which two recipients differ, and which a comparison of letters and digits in some of them overlooks.
NEAR = [{"company": "Acme"}, {"state_or_province": "OR"}, {"address1": "1 Test-Street"}, {"last_name": "Li ma"}]


@BOTH
@pytest.mark.parametrize("changed", NEAR, ids=str)
@pytest.mark.anyio
async def test_a_tools_address_near_the_persons_own_is_asked_about(
    lent: Shop, wish_for: WishFor, changed: dict[str, str]
) -> None:
    await add_near(lent, "Near", **changed)
    asked = await (await lent.services.placement()).place(await wish_for(lent, "Near"), max_total=MAX)
    assert isinstance(asked, Approval)
    assert asked.rule == "addresses.unknown"
    assert not lent.orders_sent()


@pytest.mark.anyio
async def test_an_approved_order_to_the_persons_own_leaves_a_tools_twin_a_tools(lent: Shop) -> None:
    await add_near(lent, "Twin")
    for wish in (await fill_cart_for(lent, "home"), OrderIntent(STORE, (Item(TEE, 2),), address="home")):
        await approved(lent, wish)
        vault = await lent.services.vault()
        assert {label: (await vault.address(label)).origin for label in ("home", "Twin")} == {
            "home": "person",
            "Twin": "tool",
        }


@pytest.mark.anyio
async def test_an_approved_order_trusts_the_entry_that_it_was_made_with_and_no_twin_of_it(lent: Shop) -> None:
    vault = await lent.services.vault()
    await vault.add_address((await vault.address("Rosa")).model_copy(update={"label": "Rosa again"}))
    await approved(lent, await items_for(lent, "Rosa"))
    assert (await vault.address("Rosa")).origin == "person"
    assert (await vault.address("Rosa again")).origin == "tool"


@pytest.mark.anyio
async def test_an_entry_that_took_the_label_of_the_approved_one_is_not_trusted(lent: Shop) -> None:
    vault = await lent.services.vault()
    shipped_to = await vault.address("Rosa")
    await vault.remove_address("Rosa")
    await vault.add_address(shipped_to.model_copy(update={"address1": "9 Elsewhere"}))
    await vault.accept_address(shipped_to)
    assert (await vault.address("Rosa")).origin == "tool"


@pytest.mark.anyio
async def test_an_order_of_items_goes_where_it_is_sent_whatever_the_stores_cart_says(lent: Shop) -> None:
    placement = await lent.services.placement()
    review = await reviewed(lent, await items_for(lent, "Rosa"))
    cart = review.cart
    assert cart is not None
    lying = cart.model_copy(update={"shipping_info": as_sent(await (await lent.services.vault()).address("home"))})
    quoted = await placement._quote(review.request, review.approval.intent, lying)
    assert {term.label: term.value for term in quoted.terms}["ship to address1"] == "2 Oak Lane"
    assert (quoted.address_hash, quoted.digest) == (review.quote.address_hash, review.quote.digest)
    found = await placement._recipient(review.approval.intent, lying, quoted.payer)
    assert (found.is_own, found.shipped_to) == (False, await (await lent.services.vault()).address("Rosa"))


async def reviewed(shop: Shop, wish: OrderIntent) -> Review:
    """What a person is shown of an order."""
    placement = await shop.services.placement()
    asked = await placement.place(wish, max_total=MAX)
    assert isinstance(asked, Approval)
    return await placement.review(asked.id)
