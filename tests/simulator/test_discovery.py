"""Discovery, contract sections 5.2 and 8.12."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.shopping import FERNHILL, LUMA, Shopper, cents, error

pytestmark = pytest.mark.anyio
SEARCH = "/api/v1/discovery/search"


async def search(shopper: Shopper, query: str, **body: Any) -> dict[str, Any]:
    answer = await shopper.api("POST", SEARCH, {"query": query, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("orange tee xs under 30", "Radiant Tee"),
        ("radiant tee", "Radiant Tee"),
        ("Radiant tees, size XS in orange", "Radiant Tee"),
        ("gray hoodie hero", "Hero Hoodie"),
        ("juno jacket blue S", "Juno Jacket"),
        ("WS12", "Radiant Tee"),
    ],
)
async def test_the_best_match_comes_first(shopper: Shopper, query: str, title: str) -> None:
    assert (await search(shopper, query))["products"][0]["title"] == title


async def test_what_can_be_bought_comes_before_what_cannot(shopper: Shopper) -> None:
    titles = [hit["title"] for hit in (await search(shopper, "orange tee m"))["products"]]
    assert "Radiant Tee" not in titles[:5]


async def test_words_of_brand_tag_type_and_option_are_found(shopper: Shopper) -> None:
    for query, part in [("fernhill", "brand"), ("couch", "tags"), ("bookcase oak", "title")]:
        first = (await search(shopper, query))["products"][0]
        assert query.split()[0] in str(first[part]).lower()


async def test_a_hit_looks_like_the_contract_says(shopper: Shopper) -> None:
    hit = (await search(shopper, "radiant tee"))["products"][0]
    assert (hit["base_sku"], hit["handle"], hit["domain"]) == ("WS12", "radiant-tee", LUMA)
    assert hit["price_range"] == {"min": 2200, "max": 2200}
    assert hit["has_available_variants"] is True
    variant = next(variant for variant in hit["variants"] if variant["sku"] == "WS12-XS-Orange")
    assert variant["add_to_cart_ref"] == {"variant_id": "WS12-XS-Orange"}
    assert cents(variant["price"]) == 2200
    assert variant["variant_option_list"] == [variant["option1"], variant["option2"]] == ["XS", "Orange"]


async def test_pages_follow_each_other_without_gap_or_overlap(shopper: Shopper) -> None:
    whole = await search(shopper, "jacket", page_size=100)
    seen: list[str] = []
    page = await search(shopper, "jacket", page_size=7)
    while True:
        seen += [hit["handle"] for hit in page["products"]]
        if page["next_page"] is None or len(seen) >= 100:
            break
        link = urlsplit(page["next_page"])
        assert f"{link.scheme}://{link.netloc}" == shopper.sim.api_url
        assert set(parse_qs(link.query)) == {"query", "page_size", "cursor"}
        page = (await shopper.api("GET", f"{link.path}?{link.query}")).json()
    expected = [hit["handle"] for hit in whole["products"]]
    assert seen[: len(expected)] == expected[: len(seen)]
    assert len(seen) == len(set(seen))


async def test_the_last_page_has_no_next_page(shopper: Shopper) -> None:
    assert (await search(shopper, "radiant", page_size=100))["next_page"] is None


async def test_the_next_page_keeps_the_filters(shopper: Shopper) -> None:
    page = await search(shopper, "tee", page_size=3, filters={"max_price": 3000, "domains": [LUMA]})
    link = urlsplit(page["next_page"])
    after = (await shopper.api("GET", f"{link.path}?{link.query}")).json()
    assert all(hit["price_range"]["min"] <= 3000 and hit["domain"] == LUMA for hit in after["products"])


async def test_page_numbers_work_too(shopper: Shopper) -> None:
    both = await search(shopper, "hoodie", page_size=4)
    second = await search(shopper, "hoodie", page_size=2, page=2)
    assert both["products"][2:] == second["products"]


async def test_price_filters_are_in_cents_and_hold_for_one_variant(shopper: Shopper) -> None:
    filters = {"min_price": 2500, "max_price": 3000}
    for hit in (await search(shopper, "tee", page_size=100, filters=filters))["products"]:
        assert any(2500 <= variant["price"]["number"] <= 3000 for variant in hit["variants"])


async def test_domains_narrow_and_unknown_domains_give_nothing(shopper: Shopper) -> None:
    found = await search(shopper, "rose", filters={"domains": [FERNHILL]})
    assert {hit["domain"] for hit in found["products"]} == {FERNHILL}
    assert found["products"][0]["variants"][0]["price"]["currency"] == "GBP"
    assert (await search(shopper, "rose", filters={"domains": ["nowhere.example"]}))["products"] == []


async def test_variant_filters_match_exactly(shopper: Shopper) -> None:
    wanted = {"variants": [{"option": "size", "values": ["XS"]}, {"option": "color", "values": ["Orange", "Red"]}]}
    for hit in (await search(shopper, "tee", page_size=100, filters=wanted))["products"]:
        assert any(v["option1"] == "XS" and v["option2"] in {"Orange", "Red"} for v in hit["variants"])
    wrong = {"variants": [{"option": "size", "values": ["xs"]}]}
    assert (await search(shopper, "tee", filters=wrong))["products"] == []


async def test_in_stock_hides_what_cannot_be_bought(shopper: Shopper) -> None:
    wanted = {
        "in_stock": True,
        "variants": [{"option": "size", "values": ["M"]}, {"option": "color", "values": ["Orange"]}],
    }
    assert "Radiant Tee" not in [hit["title"] for hit in (await search(shopper, "radiant", filters=wanted))["products"]]


async def test_nothing_found_is_an_empty_list(shopper: Shopper) -> None:
    found = await search(shopper, "zzyzx")
    assert (found["products"], found["next_page"]) == ([], None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": 7},
        {"query": "tee", "page_size": 0},
        {"query": "tee", "page_size": 101},
        {"query": "tee", "page_size": "20"},
        {"query": "tee", "page": 0},
        {"query": "tee", "filters": []},
        {"query": "tee", "filters": {"min_price": 10.5}},
        {"query": "tee", "filters": {"max_price": -1}},
        {"query": "tee", "filters": {"domains": "x"}},
        {"query": "tee", "filters": {"in_stock": "yes"}},
        {"query": "tee", "filters": {"variants": {"option": "size"}}},
        {"query": "tee", "filters": {"variants": [{"option": "size"}]}},
        ["tee"],
    ],
)
async def test_a_malformed_search_is_an_invalid_request(shopper: Shopper, body: Any) -> None:
    assert error(await shopper.api("POST", SEARCH, body)) == (400, "InvalidRequest")


@pytest.mark.parametrize("rest", ["", "&cursor=x", "&cursor=e30", "&cursor=bnVsbA", "&cursor=%%%", "&page_size=x"])
async def test_a_broken_cursor_is_an_invalid_request(shopper: Shopper, rest: str) -> None:
    assert error(await shopper.api("GET", f"{SEARCH}?query=tee{rest}")) == (400, "InvalidRequest")


async def test_the_options_list_every_value_there_is(shopper: Shopper) -> None:
    found = (await shopper.api("GET", "/api/v1/discovery/options")).json()["options"]["variant_options"]
    values = {entry["option"]: entry["values"] for entry in found}
    assert "Orange" in values["color"]
    assert {"XS", "S", "M", "L", "XL"} <= set(values["size"])
