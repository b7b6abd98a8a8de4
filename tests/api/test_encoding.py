"""Nothing enters a path unchecked."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.api.encoding import Hosts, page_url, query, segment, store_name
from firmly_mcp.errors import InvalidRequest, SettingsError


def test_a_store_name_is_lower_cased() -> None:
    assert store_name("Staging.Luma.GIFT") == "staging.luma.gift"


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", "a.", "-a.b", "a-.b", "a b", " a.b", "a.b\n", "a/b", "a.b/cart", "a.b?x", "a.b#x",
        "a%2Fb", "user@a.b", "a.b:443", "https://a.b", "münchen.de", "a_b.c", "a" * 64 + ".b", "a." * 127 + "a",
        "\u212a.com",
    ],
)  # fmt: skip
def test_what_is_not_a_host_name_alone_is_no_store(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        store_name(text)
    assert refused.value.name == "InvalidStore"
    assert refused.value.status == 0
    assert text not in refused.value.message or text in {"", ".", "a."}


@given(st.text())
def test_any_text_is_a_store_of_plain_letters_or_refused(text: str) -> None:
    try:
        name = store_name(text)
    except InvalidRequest:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


@given(st.text(min_size=1))
def test_a_path_segment_is_one_segment_or_refused(text: str) -> None:
    try:
        encoded = segment(text)
    except InvalidRequest:
        return
    assert unquote(encoded) == text
    assert not set(encoded) & set("/?#&;% ".replace("%", ""))
    assert encoded.strip(".")


def test_a_handle_with_slashes_is_encoded_wholly_in_upper_case_hex() -> None:
    assert segment("/us/tvs/the-frame") == "%2Fus%2Ftvs%2Fthe-frame"


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a\x00b", "a\nb"])
def test_dots_and_controls_are_no_path_segment(text: str) -> None:
    with pytest.raises(InvalidRequest):
        segment(text)


def test_a_page_with_its_own_query_is_encoded_once() -> None:
    page = "https://shop.example/p?color=r%C3%A9d&size=1"
    encoded = "?url=https%3A%2F%2Fshop.example%2Fp%3Fcolor%3Dr%25C3%25A9d%26size%3D1"
    assert query(url=page_url(page)) == encoded
    assert query(url=page_url(encoded.removeprefix("?url="))) == encoded


@pytest.mark.parametrize(
    "text", ["", "shop.example/p", "ftp://shop.example", "javascript:alert(1)", "https://", "https:// a"]
)
def test_what_is_no_web_address_is_no_page(text: str) -> None:
    with pytest.raises(InvalidRequest):
        page_url(text)


@pytest.mark.parametrize(
    "url",
    ["", "api.firmly.work", "http://api.firmly.work", "https://api.firmly.work/v1", "https://u@api.firmly.work",
     "https://api.firmly.work?x", "https://api.firmly.work:99999", "ftp://api.firmly.work", "http://127.0.0.1.evil.example"],
)  # fmt: skip
def test_an_address_that_is_not_a_safe_origin_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Hosts(url, "https://cc.firmly.work")
