"""Addons v2, contract sections 5.8 and 8.7."""

from typing import Any

import pytest

from tests.simulator.shopping import HEARTH, LUMA, TEE, VOLTA, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def choose(shopper: Shopper, addon_id: Any, *, store: str, **more: Any) -> Any:
    body = {"selections": [{"addon_id": addon_id, **more}]}
    return await shopper.cart("POST", "/addons", body, store=store)


async def give_up(shopper: Shopper, *, store: str, **body: Any) -> Any:
    return await shopper.cart("POST", "/addons/_remove", body, store=store)


async def with_sofa(shopper: Shopper) -> dict[str, Any]:
    await shopper.add(await shopper.buyable("sofa", HEARTH), store=HEARTH)
    cart: dict[str, Any] = (await shopper.ship(store=HEARTH)).json()
    return cart


async def with_television(shopper: Shopper) -> dict[str, Any]:
    await shopper.add(await shopper.buyable("oled tv", VOLTA), 2, store=VOLTA)
    await shopper.add(await shopper.buyable("earbuds", VOLTA), store=VOLTA)
    cart: dict[str, Any] = (await shopper.ship(store=VOLTA)).json()
    return cart


async def test_a_plain_store_offers_nothing(shopper: Shopper) -> None:
    assert (await shopper.add(TEE)).json()["addons"] == {"offers": [], "selections": []}
    assert error(await choose(shopper, "warranty", store=LUMA)) == (404, "ErrorAddonNotFound")


async def test_offers_tell_scope_price_and_what_is_required(shopper: Shopper) -> None:
    offers = {offer["addon_id"]: offer for offer in (await with_sofa(shopper))["addons"]["offers"]}
    assert set(offers) == {"shipping_protection", "room_delivery", "curb_delivery"}
    room = offers["room_delivery"]
    assert (room["scope"], room["required"], room["selection_type"]) == ("GROUP", True, "SINGLE")
    assert room["choice_group"] == offers["curb_delivery"]["choice_group"]
    assert (cents(room["price"]), cents(offers["curb_delivery"]["price"])) == (4900, 0)
    assert offers["shipping_protection"]["required"] is False


async def test_a_required_choice_must_be_made_before_the_payment(shopper: Shopper) -> None:
    before = await with_sofa(shopper)
    assert error(await shopper.complete(store=HEARTH)) == (422, "ErrorMissingRequiredParameters")
    after = (await choose(shopper, "room_delivery", store=HEARTH)).json()
    assert cents(after["addon_total"]) == 4900
    assert cents(after["total"]) == cents(before["total"]) + 4900
    assert (await shopper.complete(store=HEARTH)).status_code == 200
    assert shopper.sim.books.charges[0].amount == cents(after["total"])


async def test_place_order_cannot_choose_and_so_cannot_buy_what_requires_it(shopper: Shopper) -> None:
    seen = await shopper.stream(await shopper.buyable("sofa", HEARTH), store=HEARTH)
    assert (seen[-1][0], seen[-1][1]["error"]) == ("error", "ErrorMissingRequiredParameters")
    assert shopper.sim.books.charges == []


async def test_a_single_choice_replaces_the_other(shopper: Shopper) -> None:
    await with_sofa(shopper)
    await choose(shopper, "room_delivery", store=HEARTH)
    cart = (await choose(shopper, "curb_delivery", store=HEARTH)).json()
    assert [picked["addon_id"] for picked in cart["addons"]["selections"]] == ["curb_delivery"]
    assert cents(cart["addon_total"]) == 0


async def test_an_item_addon_covers_all_it_can_or_the_lines_one_names(shopper: Shopper) -> None:
    cart = await with_television(shopper)
    television, earbuds = [line["line_item_id"] for line in cart["line_items"]]
    offer = next(offer for offer in cart["addons"]["offers"] if offer["addon_id"] == "extended_warranty")
    assert (offer["scope"], offer["eligible_line_item_ids"]) == ("ITEM", [television, earbuds])
    one = (await choose(shopper, "extended_warranty", store=VOLTA, selected_line_item_ids=[earbuds])).json()
    assert cents(one["addon_total"]) == cents(offer["line_item_pricing"][earbuds])
    both = (await choose(shopper, "extended_warranty", store=VOLTA)).json()
    assert cents(both["addon_total"]) == cents(offer["price"])
    left = (await give_up(shopper, store=VOLTA, addon_id="extended_warranty", deselected_line_item_id=earbuds)).json()
    assert cents(left["addon_total"]) == cents(offer["line_item_pricing"][television])


async def test_children_cost_extra_and_can_be_given_up(shopper: Shopper) -> None:
    await with_television(shopper)
    cart = (await choose(shopper, "installation", store=VOLTA, selected_child_ids=["wall_mount"])).json()
    assert cents(cart["addon_total"]) == 2 * (9900 + 4900)
    cart = (await give_up(shopper, store=VOLTA, addon_id="installation", deselected_child_id="wall_mount")).json()
    assert cents(cart["addon_total"]) == 2 * 9900
    again = await give_up(shopper, store=VOLTA, addon_id="installation", deselected_child_id="wall_mount")
    assert error(again) == (422, "ErrorAddonNotFound")


async def test_an_addon_goes_with_the_line_it_was_for(shopper: Shopper) -> None:
    cart = await with_television(shopper)
    await choose(shopper, "installation", store=VOLTA)
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    left = (await shopper.cart("PUT", line, {"quantity": 0}, store=VOLTA)).json()
    assert left["addons"]["selections"] == []
    assert cents(left["addon_total"]) == 0
    assert "installation" not in {offer["addon_id"] for offer in left["addons"]["offers"]}


async def test_a_choice_made_for_what_is_gone_has_to_be_made_again(shopper: Shopper) -> None:
    cart = await with_sofa(shopper)
    await choose(shopper, "room_delivery", store=HEARTH)
    line = f"/line-items/{cart['line_items'][0]['line_item_id']}"
    await shopper.cart("PUT", line, {"quantity": 0}, store=HEARTH)
    await with_sofa(shopper)
    assert error(await shopper.complete(store=HEARTH)) == (422, "ErrorMissingRequiredParameters")


async def test_giving_up_all_of_an_addon_and_what_was_never_chosen(shopper: Shopper) -> None:
    await with_sofa(shopper)
    await choose(shopper, "shipping_protection", store=HEARTH)
    cart = (await give_up(shopper, store=HEARTH, addon_id="shipping_protection")).json()
    assert cents(cart["addon_total"]) == 0
    assert error(await give_up(shopper, store=HEARTH, addon_id="shipping_protection")) == (422, "ErrorAddonNotFound")
    assert error(await give_up(shopper, store=HEARTH)) == (400, "ErrorInvalidInputBody")
    assert error(await give_up(shopper, store=LUMA, addon_id="x")) == (404, "ErrorCartNotFound")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "ErrorInvalidInputBody")),
        ({"selections": []}, (400, "ErrorInvalidInputBody")),
        ({"selections": [{"addon_id": "a"}, {"addon_id": "b"}]}, (400, "ErrorInvalidInputBody")),
        ({"selections": [{}]}, (400, "ErrorInvalidInputBody")),
        ({"selections": [{"addon_id": "nope"}]}, (404, "ErrorAddonNotFound")),
        ({"selections": [{"addon_id": "installation", "selected_line_item_ids": "x"}]}, (400, "ErrorInvalidInputBody")),
        ({"selections": [{"addon_id": "installation", "selected_line_item_ids": ["x"]}]}, (422, "ErrorInvalidAddon")),
        ({"selections": [{"addon_id": "installation", "selected_child_ids": ["x"]}]}, (422, "ErrorInvalidAddon")),
    ],
)
async def test_a_wrong_choice_changes_nothing(shopper: Shopper, body: Any, expected: tuple[int, str]) -> None:
    cart = await with_television(shopper)
    assert error(await shopper.cart("POST", "/addons", body, store=VOLTA)) == expected
    assert (await shopper.cart(store=VOLTA)).json() == cart
