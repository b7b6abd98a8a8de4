"""What Firmly really sent, read right: the variant's price and not the index's, no broken picture, cents."""

from pathlib import Path

from firmly_mcp.api import encoding
from firmly_mcp.api.fields import parse_json, read
from firmly_mcp.api.products import DiscoveryHit, Product, search_page
from firmly_mcp.money import Money

OBSERVED = Path(__file__).parent / "observed"


def observed(name: str) -> object:
    """A payload as it was recorded (winstonchen/firmly-instant-shopping, MIT), cut down."""
    return parse_json((OBSERVED / name).read_bytes())


def test_the_index_and_the_page_disagree_and_both_are_read() -> None:
    hit = read(DiscoveryHit, observed("discovery-hit.json"))
    page = read(Product, observed("product-detail.json"))
    indexed = {variant.sku: variant for variant in hit.variants}
    real = {variant.sku: variant for variant in page.variants}
    assert indexed["QN55LS03FAFXZA"].price == Money.parse("899.99", "USD")
    assert real["QN55LS03FAFXZA"].price == Money.parse("799.99", "USD")
    assert indexed["QN43LS03FAFXZA"].available is True
    assert real["QN43LS03FAFXZA"].available is False
    assert (hit.inconsistencies, page.inconsistencies) == ((), ())


def test_a_price_range_is_cents() -> None:
    hit = read(DiscoveryHit, observed("discovery-hit.json"))
    assert (hit.price_from, hit.price_to) == (Money.parse("699.99", "USD"), Money.parse("3299.99", "USD"))


def test_no_picture_is_undefined() -> None:
    for model, name in ((DiscoveryHit, "discovery-hit.json"), (Product, "product-detail.json")):
        product = read(model, observed(name))
        pictures = [*product.images, *(image for variant in product.variants for image in variant.images)]
        assert pictures
        assert all((image.url or "").startswith("https://") for image in pictures)


def test_nulls_and_empty_texts_are_kept_apart_from_words() -> None:
    hit = read(DiscoveryHit, observed("discovery-hit.json"))
    assert hit.brand is None
    assert hit.description == ""


def test_a_variant_is_named_by_its_id() -> None:
    page = read(Product, observed("product-detail.json"))
    assert page.variants[2].ref == "QN55LS03FAFXZA"
    assert encoding.unpack(page.variants[2].ref) == {"variant_id": "QN55LS03FAFXZA"}


def test_the_store_of_a_product_without_a_domain_is_its_pages_host() -> None:
    assert read(Product, observed("product-detail.json")).store == "samsung.com"
    assert read(Product, {"pdp_url": "https://[broken"}).store is None
    assert read(DiscoveryHit, {"domain": "luma.gift", "pdp_url": "https://www.x.example"}).store == "luma.gift"


def test_a_price_range_without_a_currency_that_has_cents_is_no_amount() -> None:
    cents = {"price_range": {"min": 100, "max": 200}}
    assert read(DiscoveryHit, cents).price_from is None
    yen = {"variants": [{"price": {"value": 100, "currency": "JPY"}}]}
    assert read(DiscoveryHit, cents | yen).price_from is None


def test_options_are_named_by_position_or_by_the_field_they_say() -> None:
    options = [
        {"display_name": "Color", "property_accessor": "option2", "position": 1},
        {"display_name": "Size", "property_accessor": "option1", "position": 0},
    ]
    by_list = {"variant_option_list": ["XS", "Orange"]}
    by_field = {"option1": "XS", "option2": "Orange", "variant_option_list": None}
    product = read(Product, {"variant_option_values": options, "variants": [by_list, by_field, {}]})
    named = [product.choices(variant) for variant in product.variants]
    assert named == [{"Size": "XS", "Color": "Orange"}, {"Size": "XS", "Color": "Orange"}, {}]


def test_one_stores_broken_hit_hides_no_other() -> None:
    page = search_page({"products": [{"title": "good"}, {"title": 7}, None], "next_page": None})
    assert [hit.title for hit in page.products] == ["good"]
    assert page.inconsistencies == ("2 of 3 results could not be read and are left out",)
