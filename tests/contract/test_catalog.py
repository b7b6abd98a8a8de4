"""What a store sells, from the store itself (contract rows 2 to 4)."""

from urllib.parse import quote, urlsplit

import pytest
from pydantic import TypeAdapter

from .schemas import Listed, Product, read, refused
from .service import Place
from .shopper import Shopper

pytestmark = pytest.mark.anyio
LIST = TypeAdapter(list[Listed])


async def listed(shopper: Shopper, query: str = "", at: Place | None = None) -> list[Listed]:
    answer = await shopper.api("GET", f"/api/v1/domains-products/{(at or shopper.place).domain}{query}")
    assert answer.status_code == 200, answer.text
    return LIST.validate_json(answer.content)


async def test_a_store_lists_its_products_and_each_leads_to_its_page(shopper: Shopper) -> None:
    first, *_ = await listed(shopper, "?page=1&size=100&countryCode=us")
    by_address = read(Product, await shopper.api("GET", urlsplit(first.loc).path))
    handle = quote(first.handle, safe="")
    by_handle = read(Product, await shopper.api("GET", f"/api/v1/domains-products/{shopper.place.domain}/{handle}"))
    assert by_address == by_handle
    assert (by_address.handle, by_address.title) == (first.handle, first.title)
    assert first.loc.startswith(f"{shopper.service.api}/")


async def test_a_list_comes_in_pages_that_end(shopper: Shopper) -> None:
    whole = [entry.handle for entry in await listed(shopper)]
    page, handles = 1, [entry.handle for entry in await listed(shopper, "?page=1&size=100")]
    while len(handles) == 100 * page:
        page += 1
        handles += [entry.handle for entry in await listed(shopper, f"?page={page}&size=100")]
        assert len(set(handles)) == len(handles)
    assert handles[: len(whole)] == whole
    assert await listed(shopper, f"?page={page + 1}&size=100") == []


@pytest.mark.parametrize("size", ["1", "99", "2001", "many"])
async def test_a_page_of_another_size_is_refused(shopper: Shopper, size: str) -> None:
    status, _ = refused(await shopper.api("GET", f"/api/v1/domains-products/{shopper.place.domain}?size={size}"))
    assert status == 400


async def test_a_store_that_cannot_list_says_so(shopper: Shopper) -> None:
    for place in shopper.service.places:
        answer = await shopper.api("GET", f"/api/v1/domains-products/{place.domain}?size=100")
        if answer.status_code != 200:
            assert refused(answer) == (404, "AllProductsNotImplemented")
            return
    shopper.lacks("a store that cannot list its catalog")


async def test_a_products_page_has_variants_that_can_be_bought(shopper: Shopper) -> None:
    product = await shopper.product()
    assert product.handle == shopper.place.handle
    assert all(variant.add_to_cart_ref.variant_id for variant in product.variants)
    assert len({variant.sku for variant in product.variants}) == len(product.variants)


async def test_an_options_accessor_names_the_variants_field(shopper: Shopper) -> None:
    product = await shopper.product()
    assert [option.position for option in product.variant_option_values] == list(
        range(len(product.variant_option_values))
    )
    for variant in product.variants:
        fields = variant.model_extra or {}
        chosen = [fields[option.property_accessor] for option in product.variant_option_values]
        assert chosen == variant.variant_option_list
    for option in product.variant_option_values:
        values = {value.value for value in option.option_values}
        assert {variant.variant_option_list[option.position] for variant in product.variants} <= values


async def test_a_handle_with_slashes_is_one_part_of_the_path(shopper: Shopper) -> None:
    place = next((place for place in shopper.service.places if "/" in place.handle), None)
    if place is None:
        shopper.lacks("a store whose handles hold slashes")
    product = await shopper.product(place)
    assert product.handle.strip("/") == place.handle.strip("/")


async def test_a_product_is_asked_for_with_a_postal_code(shopper: Shopper) -> None:
    path = f"/api/v1/domains-products/{shopper.place.domain}/{quote(shopper.place.handle, safe='')}"
    assert read(Product, await shopper.api("GET", f"{path}?postal_code=98101")).handle == shopper.place.handle


async def test_a_handle_that_no_product_has_is_not_found(shopper: Shopper) -> None:
    answer = await shopper.api("GET", f"/api/v1/domains-products/{shopper.place.domain}/no-product-is-called-this")
    assert refused(answer) == (404, "ErrorProductNotFound")


@pytest.mark.parametrize("query", ["", "?utm_source=mail&color=50"])
async def test_a_product_is_found_by_the_address_of_its_page(shopper: Shopper, query: str) -> None:
    product = await shopper.product()
    assert product.pdp_url
    url = quote(product.pdp_url + query, safe="")
    assert read(Product, await shopper.api("GET", f"/api/v1/domains-pdp?url={url}&postal_code=98101")) == product


async def test_a_plain_address_will_do_where_it_has_no_query(shopper: Shopper) -> None:
    product = await shopper.product()
    assert read(Product, await shopper.api("GET", f"/api/v1/domains-pdp?url={product.pdp_url}")) == product


async def test_a_store_that_does_not_know_its_pages_says_so(shopper: Shopper) -> None:
    for place in shopper.service.places:
        product = await shopper.product(place)
        answer = await shopper.api("GET", f"/api/v1/domains-pdp?url={quote(product.pdp_url or '', safe='')}")
        if answer.status_code != 200:
            assert refused(answer) == (404, "ProductUrlNotImplemented")
            return
    shopper.lacks("a store that cannot be asked by a page's address")
