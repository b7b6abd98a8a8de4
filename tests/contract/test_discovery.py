"""The search over all stores (contract rows 5 and 6)."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from .bodies import Filters, Search, VariantFilter
from .schemas import Found, Options, read, refused
from .shopper import Shopper

pytestmark = pytest.mark.anyio
SEARCH, OPTIONS = "/api/v1/discovery/search", "/api/v1/discovery/options"


async def found(shopper: Shopper, query: str = "tee", page_size: int | None = None, **filters: Any) -> Found:
    body = Search(query=query, filters=Filters(**filters) if filters else None, page_size=page_size)
    return read(Found, await shopper.api("POST", SEARCH, body))


async def test_a_search_finds_products_with_prices_in_cents(shopper: Shopper) -> None:
    page = await found(shopper)
    assert 0 < len(page.products) <= page.page_size == 20
    for hit in page.products:
        prices = [variant.price.number for variant in hit.variants]
        assert not prices or (hit.price_range.min, hit.price_range.max) == (min(prices), max(prices))


async def test_a_hits_variant_goes_into_the_cart_as_it_came(shopper: Shopper) -> None:
    page = await found(shopper, domains=[shopper.place.domain], in_stock=True)
    variant = next(variant for hit in page.products for variant in hit.variants if variant.available)
    cart = await shopper.add(variant.add_to_cart_ref)
    assert cart.line_items[0].sku == variant.sku


async def test_a_search_that_finds_nothing_is_an_empty_page(shopper: Shopper) -> None:
    page = await found(shopper, "qqqzzzxxx")
    assert (page.products, page.next_page) == ([], None)


async def test_a_page_is_as_large_as_was_asked_for(shopper: Shopper) -> None:
    page = await found(shopper, page_size=3)
    assert len(page.products) == page.page_size == 3


async def test_the_next_page_is_followed_as_it_stands_until_there_is_none(shopper: Shopper) -> None:
    page = await found(shopper, page_size=40)
    handles = [hit.pdp_url for hit in page.products]
    while page.next_page is not None:
        link = urlsplit(page.next_page)
        assert f"{link.scheme}://{link.netloc}" == shopper.service.api
        page = read(Found, await shopper.api("GET", f"{link.path}?{link.query}"))
        assert page.products
        handles += [hit.pdp_url for hit in page.products]
        assert len(set(handles)) == len(handles)
    assert len(handles) > 40


async def test_a_search_keeps_to_the_stores_it_names(shopper: Shopper) -> None:
    hits = (await found(shopper, domains=[shopper.place.domain])).products
    assert hits
    assert {hit.domain for hit in hits} == {shopper.place.domain}


async def test_a_store_that_is_not_enabled_gives_nothing_and_no_error(shopper: Shopper) -> None:
    assert (await found(shopper, domains=["not-enabled.example"])).products == []


async def test_a_search_keeps_to_a_range_of_prices(shopper: Shopper) -> None:
    hits = (await found(shopper, min_price=2000, max_price=3000)).products
    assert hits
    assert all(hit.price_range.min <= 3000 and hit.price_range.max >= 2000 for hit in hits)
    assert any(not 2000 <= hit.price_range.min <= 3000 for hit in (await found(shopper, page_size=100)).products)


async def test_a_search_can_leave_out_what_is_sold_out(shopper: Shopper) -> None:
    hits = (await found(shopper, in_stock=True)).products
    assert hits
    assert all(hit.has_available_variants for hit in hits)


async def test_options_name_their_values_and_searches_match_them_exactly(shopper: Shopper) -> None:
    options = read(Options, await shopper.api("GET", OPTIONS)).options.variant_options
    size = next(option for option in options if "XS" in option.values)
    exact = VariantFilter(option=size.option, values=["XS"])
    hits = (await found(shopper, variants=[exact])).products
    assert hits
    assert all("XS" in variant for hit in hits for variant in [_values(hit.variants)])
    assert (await found(shopper, variants=[VariantFilter(option=size.option, values=["xs"])])).products == []


def _values(variants: list[Any]) -> set[str]:
    return {value for variant in variants for value in variant.variant_option_list}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": None},
        {"query": 7},
        {"query": "tee", "page_size": 101},
        {"query": "tee", "page_size": 0},
        {"query": "tee", "filters": {"min_price": "9.99"}},
        {"query": "tee", "filters": {"domains": "staging.luma.gift"}},
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(shopper: Shopper, body: dict[str, Any]) -> None:
    assert refused(await shopper.api("POST", SEARCH, body)) == (400, "InvalidRequest")


@pytest.mark.parametrize(("method", "path"), [("POST", SEARCH), ("GET", OPTIONS)])
async def test_discovery_without_a_token_is_unauthorized(shopper: Shopper, method: str, path: str) -> None:
    assert refused(await shopper.api(method, path, x_firmly_authorization=None)) == (401, "Unauthorized")


async def test_a_server_searches_with_its_secret_for_a_device_it_names(shopper: Shopper) -> None:
    secret = shopper.told(shopper.service.known.server_secret, "a server's secret")
    for method, path, body in (("POST", SEARCH, Search(query="tee")), ("GET", OPTIONS, None)):
        answer = await shopper.api(method, path, body, x_firmly_authorization=secret, x_firmly_device_id="shopper_7-b")
        read(Found if body else Options, answer)


async def test_a_server_without_a_device_is_refused(shopper: Shopper) -> None:
    secret = shopper.told(shopper.service.known.server_secret, "a server's secret")
    answer = await shopper.api("POST", SEARCH, Search(query="tee"), x_firmly_authorization=secret)
    assert refused(answer) == (400, "BadRequest")


@pytest.mark.parametrize("device", ["a.b", "a b", "x" * 257])
async def test_a_server_with_a_device_of_another_form_is_refused(shopper: Shopper, device: str) -> None:
    secret = shopper.told(shopper.service.known.server_secret, "a server's secret")
    asked = await shopper.api("GET", OPTIONS, x_firmly_authorization=secret, x_firmly_device_id=device)
    assert refused(asked) == (400, "BadRequest")


async def test_a_server_with_another_secret_is_refused(shopper: Shopper) -> None:
    asked = await shopper.api("GET", OPTIONS, x_firmly_authorization="nobodys-secret", x_firmly_device_id="shopper_7")
    assert refused(asked) == (401, "InvalidAPIToken")
