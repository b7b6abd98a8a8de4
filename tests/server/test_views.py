"""What a model is shown of payloads that were really observed, and of amounts that contradict each other."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firmly_mcp.api.fields import read
from firmly_mcp.api.models import Cart
from firmly_mcp.api.products import Product, product_page, search_page
from firmly_mcp.server.views.cart import CartView
from firmly_mcp.server.views.catalog import ProductView, SearchView, rows_of
from tests.checkout.test_quote import cart_json
from tests.server.hostile_bodies import cart

OBSERVED = Path(__file__).parents[1] / "api" / "observed"


def observed(name: str) -> Any:
    return json.loads((OBSERVED / name).read_text("utf-8"), parse_float=Decimal)


def test_the_price_that_is_shown_is_the_variants_and_not_the_indexs() -> None:
    view = ProductView.of(read(Product, observed("product-detail.json")), "samsung.com")
    shown = {variant.ref: variant.price.amount for variant in view.variants if variant.price}
    assert shown["QN55LS03FAFXZA"] == "799.99"
    hit = SearchView.of(search_page({"products": [observed("discovery-hit.json")]}), None).products[0]
    assert hit.price is not None
    assert (hit.price.amount, hit.price.currency) == ("699.99", "USD")


def test_no_image_and_no_undefined_reaches_the_model() -> None:
    view = ProductView.of(read(Product, observed("product-detail.json")), "samsung.com")
    assert "undefined" not in json.dumps(view.structured()) + view.text()


def test_stock_is_what_the_store_says_now() -> None:
    view = ProductView.of(read(Product, observed("product-detail.json")), "samsung.com")
    assert next(variant for variant in view.variants if variant.ref == "QN43LS03FAFXZA").available is False


CONTRADICTIONS: list[Callable[[dict[str, Any]], object]] = [
    lambda cart: cart["total"].update(number=1),
    lambda cart: cart["total"].update(value=1, number=100),
    lambda cart: cart["line_items"][0]["line_price"].update(value=1, number=100),
]


@pytest.mark.parametrize("contradict", CONTRADICTIONS)
def test_amounts_that_contradict_each_other_are_shown_with_a_warning(
    contradict: Callable[[dict[str, Any]], object],
) -> None:
    sent = cart_json()
    contradict(sent)
    view = CartView.of("staging.luma.gift", read(Cart, json.loads(json.dumps(sent), parse_float=Decimal)))
    assert view.warnings
    assert "Warning: " in view.text()


def test_a_long_cart_is_shown_by_pages() -> None:
    lines = [{"line_item_id": f"line-{number}", "sku": "S", "quantity": 1} for number in range(90)]
    cart = read(Cart, {"cart_id": "c", "line_items": lines})
    first, second, last = (CartView.of("luma.gift", cart, page=page) for page in (1, 2, 3))
    shown = [line.line_item_id for view in (first, second, last) for line in view.lines]
    assert shown == [f"line-{number}" for number in range(90)]
    assert (first.next_page, second.next_page, last.next_page) == (2, 3, None)
    assert "More lines: get_cart with page 2" in first.text()


def test_a_product_of_many_variants_is_read_and_shown_by_pages() -> None:
    sent = observed("product-detail.json")
    sent["variants"] = [{**sent["variants"][0], "sku": f"S-{number}"} for number in range(90)]
    pages = [product_page(sent, rows_of(number)) for number in (1, 2, 3)]
    assert [variant.sku for page in pages for variant in page.variants] == [f"S-{number}" for number in range(90)]
    views = [ProductView.of(page, "samsung.com", page=number) for number, page in enumerate(pages, 1)]
    assert [view.next_page for view in views] == [2, 3, None]


def test_what_a_product_says_of_more_variants_is_not_the_stores_to_say() -> None:
    assert not product_page(observed("product-detail.json") | {"more_variants": True}, rows_of(1)).more_variants


def _grown(value: Any, times: int) -> Iterator[tuple[str, Any]]:
    """An answer with one of its lists grown, for each of them: where, and the answer."""

    def lists(part: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if isinstance(part, dict):
            for name, inner in part.items():
                yield from lists(inner, (*place, name))
        elif isinstance(part, list) and part:
            yield place
            yield from lists(part[0], (*place, 0))

    for place in lists(value, ()):
        grown = json.loads(json.dumps(value))
        inside = grown
        for step in place[:-1]:
            inside = inside[step]
        text = json.dumps(inside[place[-1]][0])
        inside[place[-1]] = [json.loads(text.replace("words", f"words{number}")) for number in range(times)]
        yield ".".join(map(str, place)), grown


def test_no_list_of_a_store_fills_the_answer_about_a_cart() -> None:
    for place, answer in _grown(cart("words"), 2_000):
        view = CartView.of("s.example", read(Cart, answer))
        assert len(view.text()) < 10_000, place
        assert len(json.dumps(view.structured())) < 20_000, place


def test_of_contradictions_without_end_some_are_told() -> None:
    amount = {"currency": "USD", "value": 1}
    lines = [
        {"line_item_id": str(number), "quantity": 2, "price": amount, "line_price": {**amount, "value": 5 + number}}
        for number in range(2_000)
    ]
    assert 0 < len(read(Cart, {"line_items": lines}).inconsistencies) <= 10
