"""Addons of a Full Cart (contract rows 23 and 24)."""

from typing import Any

import pytest

from .bodies import AddAddon, RemoveAddon, Selected, UpdateLineItem
from .cart_schemas import Cart, Offer, adds_up
from .schemas import read, refused
from .service import Place
from .shopper import Shopper

pytestmark = pytest.mark.anyio


async def offered(shopper: Shopper, *, children: bool = False) -> tuple[Place, Cart, Offer]:
    """A cart at a store that offers an addon which costs something, by itself or with children."""

    def fits(offer: Offer) -> bool:
        return bool(offer.child_offers) is children and offer.price.number > 0

    place, cart = await shopper.somewhere(
        lambda cart: any(fits(offer) for offer in cart.addons.offers), "a store that offers addons"
    )
    return place, cart, next(offer for offer in cart.addons.offers if fits(offer))


async def chosen(shopper: Shopper, place: Place, addon_id: str, **more: list[str]) -> Cart:
    body = AddAddon(selections=[Selected(addon_id=addon_id, **more)])
    return read(Cart, await shopper.cart("POST", "/addons", body, at=place))


async def test_an_addon_is_chosen_for_what_its_offer_says(shopper: Shopper) -> None:
    place, before, offer = await offered(shopper)
    cart = await chosen(shopper, place, offer.addon_id)
    assert [selection.addon_id for selection in cart.addons.selections] == [offer.addon_id]
    assert cart.addon_total == offer.price
    assert cart.total.number == before.total.number + offer.price.number
    assert await shopper.shown(place) == cart
    adds_up(cart)


async def test_an_addon_is_chosen_for_one_line_of_two(shopper: Shopper) -> None:
    place, _, _ = await offered(shopper)
    variants = await shopper.variants(place)
    cart = await shopper.add(variants[-1].add_to_cart_ref, 1, at=place)
    offer = next((offer for offer in cart.addons.offers if len(offer.line_item_pricing) > 1), None)
    if offer is None:
        shopper.lacks("an addon that is chosen line by line")
    line_id, price = next(iter(offer.line_item_pricing.items()))
    cart = await chosen(shopper, place, offer.addon_id, selected_line_item_ids=[line_id])
    [selection] = cart.addons.selections
    assert selection.selected_line_item_ids == [line_id]
    assert cart.addon_total == price
    adds_up(cart)


async def test_an_addon_has_children_that_are_chosen_with_it(shopper: Shopper) -> None:
    place, _, offer = await offered(shopper, children=True)
    child = offer.child_offers[0]
    cart = await chosen(shopper, place, offer.addon_id, selected_child_ids=[child.addon_id])
    [selection] = cart.addons.selections
    assert selection.selected_child_ids == [child.addon_id]
    assert cart.addon_total.number == offer.price.number + child.price.number
    body = RemoveAddon(addon_id=offer.addon_id, deselected_child_id=child.addon_id)
    cart = read(Cart, await shopper.cart("POST", "/addons/_remove", body, at=place))
    assert cart.addon_total == offer.price
    adds_up(cart)


async def test_a_line_that_goes_takes_its_addons_along(shopper: Shopper) -> None:
    place, before, offer = await offered(shopper)
    await chosen(shopper, place, offer.addon_id)
    path = f"/line-items/{before.line_items[0].line_item_id}"
    cart = read(Cart, await shopper.cart("PUT", path, UpdateLineItem(quantity=0), at=place))
    assert (cart.addons.offers, cart.addons.selections, cart.addon_total.number) == ([], [], 0)


async def test_an_addon_that_is_given_up_costs_nothing_any_more(shopper: Shopper) -> None:
    place, before, offer = await offered(shopper)
    await chosen(shopper, place, offer.addon_id)
    body = RemoveAddon(addon_id=offer.addon_id)
    cart = read(Cart, await shopper.cart("POST", "/addons/_remove", body, at=place))
    assert (cart.addons.selections, cart.addon_total.number, cart.total) == ([], 0, before.total)


async def test_an_addon_is_given_up_for_one_line(shopper: Shopper) -> None:
    place, before, offer = await offered(shopper)
    if not offer.line_item_pricing:
        shopper.lacks("an addon that is chosen line by line")
    await chosen(shopper, place, offer.addon_id)
    body = RemoveAddon(addon_id=offer.addon_id, deselected_line_item_id=before.line_items[0].line_item_id)
    cart = read(Cart, await shopper.cart("POST", "/addons/_remove", body, at=place))
    assert (cart.addons.selections, cart.addon_total.number) == ([], 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"selections": []},
        {"selections": [{}]},
        {"selections": [{"addon_id": "a"}, {"addon_id": "b"}]},
        {"selections": {"addon_id": "a"}},
    ],
)
async def test_exactly_one_addon_is_chosen_at_a_time(shopper: Shopper, body: dict[str, Any]) -> None:
    await shopper.filled()
    status, _ = refused(await shopper.cart("POST", "/addons", body))
    assert status in {400, 422}


async def test_an_addon_that_is_not_offered_is_not_found(shopper: Shopper) -> None:
    await shopper.filled()
    body = AddAddon(selections=[Selected(addon_id="nobody_offers_this")])
    assert refused(await shopper.cart("POST", "/addons", body)) == (404, "ErrorAddonNotFound")


async def test_an_addon_that_was_not_chosen_cannot_be_given_up(shopper: Shopper) -> None:
    place, _, offer = await offered(shopper)
    status, _ = refused(await shopper.cart("POST", "/addons/_remove", RemoveAddon(addon_id=offer.addon_id), at=place))
    assert status == 422


async def test_an_addon_to_give_up_has_to_be_named(shopper: Shopper) -> None:
    await shopper.filled()
    assert refused(await shopper.cart("POST", "/addons/_remove", {}))[0] == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/addons", AddAddon(selections=[Selected(addon_id="a")])),
        ("/addons/_remove", RemoveAddon(addon_id="a")),
    ],
)
async def test_addons_need_a_cart(shopper: Shopper, path: str, body: AddAddon | RemoveAddon) -> None:
    assert refused(await shopper.cart("POST", path, body))[0] == 404
