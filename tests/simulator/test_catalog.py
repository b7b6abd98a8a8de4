"""Catalog, contract sections 5.1, 8.10 and 8.11; and what the generated shelves promise."""

from typing import Any
from urllib.parse import quote

import pytest

from firmly_mcp.simulator.catalog import Catalog
from firmly_mcp.simulator.generator import generate
from firmly_mcp.simulator.merchants import merchants
from tests.simulator.shopping import FERNHILL, HEARTH, LUMA, VOLTA, Shopper, cents, error

pytestmark = pytest.mark.anyio


async def product(shopper: Shopper, store: str, handle: str) -> dict[str, Any]:
    answer = await shopper.api("GET", f"/api/v1/domains-products/{store}/{quote(handle, safe='')}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def first_hit(shopper: Shopper, query: str, store: str) -> dict[str, Any]:
    body = {"query": query, "filters": {"domains": [store]}}
    hit: dict[str, Any] = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"][0]
    return hit


async def test_the_list_is_a_bare_array_whose_entries_lead_to_the_products(shopper: Shopper) -> None:
    listed = (await shopper.api("GET", f"/api/v1/domains-products/{LUMA}?size=100")).json()
    assert len(listed) == 100
    assert set(listed[0]) == {"loc", "handle", "title", "image"}
    answer = await shopper.http.get(listed[0]["loc"], headers={"x-firmly-authorization": shopper.token})
    assert answer.json()["title"] == listed[0]["title"]


async def test_pages_end_with_a_short_one(shopper: Shopper) -> None:
    path = f"/api/v1/domains-products/{LUMA}?size=500&page="
    first, second, third = [(await shopper.api("GET", f"{path}{page}")).json() for page in (1, 2, 3)]
    assert (len(first), 0 < len(second) < 500, third) == (500, True, [])
    assert len({entry["handle"] for entry in first + second}) == len(first + second)


async def test_only_four_sizes_are_allowed(shopper: Shopper) -> None:
    assert error(await shopper.api("GET", f"/api/v1/domains-products/{LUMA}?size=20")) == (400, "SizeInvalid")
    assert error(await shopper.api("GET", f"/api/v1/domains-products/{LUMA}?page=0")) == (400, "InvalidRequest")


async def test_one_store_cannot_list_and_another_cannot_look_up_pages(shopper: Shopper) -> None:
    listed = await shopper.api("GET", f"/api/v1/domains-products/{VOLTA}")
    assert error(listed) == (404, "AllProductsNotImplemented")
    page = quote((await first_hit(shopper, "sofa", HEARTH))["pdp_url"], safe="")
    looked_up = await shopper.api("GET", f"/api/v1/domains-pdp?url={page}")
    assert error(looked_up) == (404, "ProductUrlNotImplemented")


async def test_the_documentations_products_are_there(shopper: Shopper) -> None:
    for handle, sku, price in [
        ("radiant-tee", "WS12-XS-Orange", 2200),
        ("hero-hoodie", "MH07-XS-Gray", 5400),
        ("juno-jacket", "WJ06-S-Blue", 7700),
    ]:
        variants = {variant["sku"]: variant for variant in (await product(shopper, LUMA, handle))["variants"]}
        assert cents(variants[sku]["price"]) == price
        assert variants[sku]["add_to_cart_ref"] == {"variant_id": sku}


async def test_a_handle_may_hold_slashes_and_a_page_address_doubled_ones(shopper: Shopper) -> None:
    hit = await first_hit(shopper, "oled smart tv", VOLTA)
    assert hit["handle"].startswith("/us/tvs/")
    page = await product(shopper, VOLTA, hit["handle"])
    assert f"{VOLTA}//us/tvs/" in page["pdp_url"]
    assert {"url": "undefined", "type": "default"} in page["images"]


@pytest.mark.parametrize(("store", "query"), [(LUMA, "radiant tee"), (VOLTA, "oled smart tv"), (FERNHILL, "rose")])
async def test_a_page_address_leads_to_its_product(shopper: Shopper, store: str, query: str) -> None:
    hit = await first_hit(shopper, query, store)
    for url in (hit["pdp_url"], hit["pdp_url"] + "?utm_source=x", hit["pdp_url"].replace("https://www.", "https://")):
        found = (await shopper.api("GET", f"/api/v1/domains-pdp?url={quote(url, safe='')}")).json()
        assert found["base_sku"] == hit["base_sku"]


async def test_what_is_not_there_is_not_found(shopper: Shopper) -> None:
    missing = await shopper.api("GET", f"/api/v1/domains-products/{LUMA}/no-such-tee")
    assert error(missing) == (404, "ErrorProductNotFound")
    lost = await shopper.api("GET", f"/api/v1/domains-pdp?url=https://{LUMA}/no-such-tee.html")
    assert error(lost) == (404, "ErrorProductNotFound")
    elsewhere = await shopper.api("GET", "/api/v1/domains-pdp?url=https://nowhere.example/x")
    assert error(elsewhere) == (404, "ErrorDomainNotFound")
    assert error(await shopper.api("GET", "/api/v1/domains-pdp")) == (400, "InvalidRequest")


async def test_little_stock_is_said_and_none_makes_a_variant_unavailable(shopper: Shopper) -> None:
    page = await product(shopper, LUMA, "radiant-tee")
    variants = {variant["sku"]: variant for variant in page["variants"]}
    assert variants["WS12-S-Orange"]["messages"] == [{"type": "stock", "text": "Only 3 left"}]
    assert variants["WS12-M-Orange"]["available"] is False
    sizes = page["variant_option_values"][0]
    assert (sizes["display_name"], sizes["property_accessor"], sizes["position"]) == ("Size", "option1", 0)


async def test_a_price_change_shows_on_the_page_at_once_and_not_in_the_index(shopper: Shopper) -> None:
    shopper.sim.set_price(LUMA, "WS12-XS-Orange", 2500)
    page = await product(shopper, LUMA, "radiant-tee")
    assert cents(next(v for v in page["variants"] if v["sku"] == "WS12-XS-Orange")["price"]) == 2500
    hit = await first_hit(shopper, "radiant tee", LUMA)
    assert hit["price_range"] == {"min": 2200, "max": 2200}


async def test_some_prices_of_the_index_lag_behind_the_page(shopper: Shopper) -> None:
    body = {"query": "headphones", "page_size": 40, "filters": {"domains": [VOLTA]}}
    hits = (await shopper.api("POST", "/api/v1/discovery/search", body)).json()["products"]
    pages = [await product(shopper, VOLTA, hit["handle"]) for hit in hits]
    prices = [
        (h["variants"][0]["price"]["number"], p["variants"][0]["price"]["number"])
        for h, p in zip(hits, pages, strict=True)
    ]
    assert any(index != page for index, page in prices)
    assert any(index == page for index, page in prices)


async def test_stores_name_their_variants_in_three_ways(shopper: Shopper) -> None:
    luma, hearth, fernhill = [
        (await first_hit(shopper, query, store))["variants"][0]["add_to_cart_ref"]
        for query, store in [("tee", LUMA), ("lamp", HEARTH), ("rose", FERNHILL)]
    ]
    assert set(luma) == {"variant_id"}
    assert set(hearth) == {"variant_id", "product_id"}
    assert set(fernhill) == {"variant_id", "variant_handles"}


def test_four_stores_hold_at_least_two_thousand_products_once_they_are_asked_for() -> None:
    catalog = Catalog(merchants(4), generate)
    assert not catalog._shelves, "a simulator that starts grows no store"
    shelves = [catalog.shelf(domain) for domain in catalog.merchants]
    assert sum(len(shelf.products) for shelf in shelves) >= 2_000
    for shelf in shelves:
        assert len({product.handle for product in shelf.products}) == len(shelf.products)
        skus = [variant.sku for product in shelf.products for variant in product.variants]
        assert len(set(skus)) == len(skus)


def test_the_same_seed_grows_the_same_products_and_another_grows_others() -> None:
    one, same, another = (Catalog(merchants(2), generate, seed).shelf(VOLTA).products for seed in (7, 7, 8))
    assert list(one) == list(same)
    assert list(one) != list(another)


def test_more_stores_are_a_parameter() -> None:
    domains = [merchant.domain for merchant in merchants(40)]
    assert len(set(domains)) == 40
    assert Catalog(merchants(40), generate).shelf(domains[-1]).products
