"""Rules over real orders: what the journal says of the store, the address, the card and the hour decides with them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.models import Attempt, Item, OrderIntent, State
from firmly_mcp.checkout.requests import request_for
from firmly_mcp.errors import RuleDenied
from firmly_mcp.wallet.cards import new_card
from tests.checkout.gate import ALLOW, BOTH, CODE, ITEMS, MUCH, Gate
from tests.checkout.histories import no_history
from tests.checkout.journal.test_journal import DECLINED, DRAFT, PERMIT
from tests.proofs import BY_PERSON
from tests.shop import STORE, TEE


async def rule_of(gate: Gate, wish: OrderIntent) -> str:
    """The rule that asks about an order or refuses it."""
    try:
        return (await gate.asked(wish)).rule
    except RuleDenied as denied:
        return denied.rule


async def placed_unasked(gate: Gate, wish: OrderIntent) -> bool:
    """Whether the rules let an order go by themselves, and it was placed."""
    answer = await gate.placement.place(wish, max_total=MUCH)
    return isinstance(answer, Attempt) and (await gate.ended(answer)).state is State.PLACED


RULES = [
    (f'[stores]\nrefused = ["{STORE}"]', "stores.refused"),
    ('[stores]\nallowed = ["other.example"]', "stores.allowed"),
    ('[stores]\nwithout_asking = ["other.example"]', "stores.without_asking"),
    ('[stores]\ncooling_off = "1h"', "stores.cooling_off"),
    ('[addresses]\ncooling_off = "1h"', "addresses.cooling_off"),
    ("[orders]\nlargest_quantity = 1", "orders.largest_quantity"),
    ('[hours]\nzone = "UTC"\nfrom = "13:00"\nto = "11:59"', "hours"),
    (f'[USD.stores."{STORE}"]\nrefuse_above_a_week = "53.39"', f'USD.stores."{STORE}".refuse_above_a_week'),
    ('[USD.cards.test-visa]\nask_above_a_month = "53.39"', "USD.cards.test-visa.ask_above_a_month"),
]


@BOTH
@pytest.mark.parametrize(("text", "rule"), RULES)
@pytest.mark.anyio
async def test_every_kind_of_rule_meets_a_real_order(gate: Gate, wish: OrderIntent, text: str, rule: str) -> None:
    gate.rules(ALLOW + text)
    assert await rule_of(gate, wish) == rule
    assert not gate.orders_sent()


@pytest.mark.anyio
async def test_a_store_that_states_a_smaller_quantity_than_the_call_asks_for_passes_no_rule(gate: Gate) -> None:
    gate.rules(ALLOW + "[orders]\nlargest_quantity = 1")
    deps = gate.placement._deps
    request = await request_for(ITEMS, deps)
    cart = await request.price()
    quoted = await gate.placement._quote(request, ITEMS, cart)
    policy, facts = await deps.policy.load(), await gate.placement._facts(ITEMS, cart, replace(quoted, quantities=(1,)))
    assert policy.decide(facts, no_history("USD", gate.clock())).rule == "orders.largest_quantity"


@pytest.mark.anyio
async def test_place_order_can_be_forbidden_while_the_cart_is_paid(gate: Gate) -> None:
    gate.rules(ALLOW + "[orders]\nplace_order = false")
    assert await rule_of(gate, ITEMS) == "orders.place_order"
    assert await placed_unasked(gate, OrderIntent(STORE))


@pytest.mark.parametrize("where", ["stores", "addresses"])
@pytest.mark.anyio
async def test_what_a_person_let_be_used_goes_unasked_once_it_has_cooled_off(gate: Gate, where: str) -> None:
    gate.rules(ALLOW + f'[{where}]\ncooling_off = "24h"')
    assert (await gate.bought(ITEMS)).state is State.PLACED
    another = OrderIntent(STORE, (Item(TEE, 1),))
    gate.clock.time += timedelta(hours=23)
    assert await rule_of(gate, another) == f"{where}.cooling_off"
    gate.clock.time += timedelta(hours=1)
    assert await placed_unasked(gate, another)


@pytest.mark.anyio
async def test_two_declined_payments_lock_the_card_for_everyone_until_a_person_unlocks_it(gate: Gate) -> None:
    vault = await gate.services.vault()
    await vault.add_card(
        new_card(
            label="Turned down",
            number=SecretStr("4000000000000002"),
            name="Ana Lima",
            month="12",
            year="2029",
            billing_address="home",
            environment="simulator",
            now=gate.clock(),
        )
    )
    wishes = [OrderIntent(STORE, (Item(TEE, quantity),), card="Turned down") for quantity in (1, 2, 3)]
    for wish in wishes[:2]:
        assert (await gate.bought(wish)).outcome.error_name == "ErrorPaymentDeclined"
    sent = gate.orders_sent()
    gate.rules(ALLOW)
    gate.clock.time += timedelta(days=30)
    with pytest.raises(RuleDenied, match="firmly-mcp cards unlock 'Turned down'") as caught:
        await gate.placement.place(wishes[2], max_total=MUCH)
    assert (caught.value.rule, gate.orders_sent()) == ("card_locked", sent)
    gate.rules("")
    assert (await gate.bought(replace(ITEMS, card="test-visa"))).state is State.PLACED
    async with gate.another() as other:
        assert await other.unlock_card("Turned down", BY_PERSON)
    assert (await gate.bought(wishes[2])).outcome.error_name == "ErrorPaymentDeclined"


@pytest.mark.anyio
async def test_a_question_asked_before_the_card_was_locked_cannot_be_said_yes_to(gate: Gate) -> None:
    review = await gate.reviewed(ITEMS)
    journal = gate.placement.journal
    for number in (1, 2):
        draft = replace(DRAFT, purchase_key=f"k{number}", cart_id=None, card=review.quote.payer.card)
        await journal.end(await journal.begin(replace(draft, id=f"att_{number}"), PERMIT), DECLINED)
    with pytest.raises(RuleDenied) as caught:
        await gate.placement.approve(review, CODE, BY_PERSON)
    assert (caught.value.rule, gate.orders_sent()) == ("card_locked", 0)


@pytest.mark.anyio
async def test_no_file_of_the_journal_holds_where_an_order_went(gate: Gate) -> None:
    attempt = await gate.bought(ITEMS)
    assert attempt.address_hash
    for fragment in ("1 Test Street", "1teststreet", "98101", "ana@example.com"):
        assert [file for file in journals(gate.settings.data_dir) if fragment.encode() in file.read_bytes()] == []


def journals(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("journal.sqlite3*"))
