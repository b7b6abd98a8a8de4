"""Missing is normal, unknown is ignored, wrong types are a clear error, and no JSON at all does anything else."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.api.error_codes import envelope, error_from_response
from firmly_mcp.api.fields import parse_json, plain_json, read
from firmly_mcp.api.models import Address, Cart, Order
from firmly_mcp.api.order_status import Availability, OrderStatus
from firmly_mcp.api.payments import order_event
from firmly_mcp.api.products import DiscoveryHit, Product, listings, search_page
from firmly_mcp.errors import UnexpectedAnswer
from firmly_mcp.money import Money

CANARY = "do-not-repeat-me"

leaves = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
models = (Cart, Order, Product, DiscoveryHit, OrderStatus, Address)
names = st.sampled_from(
    sorted({name for model in models for name in model.model_fields} | {"value", "number", "currency", "src", "tax"})
)
likely = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=25
)


@pytest.mark.parametrize("model", [Cart, Order, Product, DiscoveryHit, OrderStatus, Availability])
@given(raw=anything | likely)
def test_any_json_becomes_a_value_or_a_clear_error(model: type[Cart], raw: object) -> None:
    with suppress(UnexpectedAnswer):
        read(model, raw)


@given(anything | likely)
def test_any_json_as_a_list_an_error_or_an_event_is_read_or_refused(raw: object) -> None:
    for reading in (listings, search_page):
        with suppress(UnexpectedAnswer):
            reading(raw)
    envelope(raw)
    error_from_response(418, raw, {})
    for name in ("creating-cart", "item-added", "order-placed", "error", "else"):
        order_event(name, json.dumps(raw, default=float))


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_json_or_a_value_error(content: bytes) -> None:
    with suppress(ValueError):
        parse_json(content)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000, b"NaN", b"-Infinity", b"1e99999999999999999999"]
)
def test_hostile_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever ValueError; its words are not shown
        parse_json(content)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"line_items": CANARY}, "line_items should be a list"),
        ({"line_items": [{"quantity": CANARY}]}, "line_items.0.quantity should be a number"),
        ({"line_items": [CANARY]}, "line_items.0 should be"),
        ({"total": {"value": CANARY, "currency": "USD"}}, "total should be a number"),
        ({"total": {"value": True, "currency": "USD"}}, "total should be a number"),
        ({"total": {"value": 1, "currency": CANARY}}, "total should be a currency"),
        ({"total": {"value": Decimal("1e400"), "currency": "USD"}}, "total should be a number of a sensible size"),
        ({"total": 12}, "total should be an amount"),
        ({"cart_status": 7}, "cart_status should be text"),
        ({"coupons": [{"code": CANARY}]}, "coupons.0 should be text"),
        ({"shipping_info": CANARY}, "shipping_info should be"),
        (CANARY, "the answer should be"),
        (None, "the answer should be"),
    ],
)
def test_a_wrong_type_is_told_by_its_place_and_never_by_its_value(raw: object, place: str) -> None:
    with pytest.raises(UnexpectedAnswer) as refused:
        read(Cart, raw)
    assert place in refused.value.message
    assert CANARY not in refused.value.message
    assert refused.value.__cause__ is None


def amount(raw: object) -> Money | None:
    return read(Cart, {"total": raw}).total


def test_an_amount_is_exact() -> None:
    raw = parse_json(b'{"value": 1234567.10, "number": 123456710, "currency": "USD", "symbol": "$"}')
    assert amount(raw) == Money(Decimal("1234567.10"), "USD")


def test_an_amount_without_a_value_is_read_from_its_minor_units() -> None:
    assert amount({"number": 5400, "currency": "USD"}) == Money.parse("54.00", "USD")
    assert amount({"number": 5400, "currency": "JPY"}) == Money.parse("5400", "JPY")


def test_the_noise_of_doubles_is_no_part_of_an_amount() -> None:
    cart = read(Cart, {"total": {"value": Decimal("53.400000000000006"), "number": 5340, "currency": "USD"}})
    assert cart.total == Money.parse("53.40", "USD")
    assert cart.inconsistencies == ()
    assert amount({"value": Decimal("100000.10000000001"), "currency": "USD"}) == Money.parse("100000.10", "USD")
    assert amount({"value": Decimal("1e-300"), "currency": "USD"}) == Money.parse("0.00", "USD")
    assert amount({"number": Decimal("2198.9999999999995"), "currency": "USD"}) == Money.parse("21.99", "USD")
    endless = amount({"value": Decimal("1.23" + "7" * 5000), "currency": "USD"})
    assert endless is not None
    assert len(endless.plain) < 20
    assert amount({"value": Decimal("0.0125"), "currency": "USD"}) == Money.parse("0.0125", "USD")


def test_a_decimal_in_what_is_sent_back_is_the_same_number() -> None:
    assert json.dumps(plain_json(parse_json(b'{"a":[1,2.5,"x",null]}'))) == '{"a": [1, 2.5, "x", null]}'


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text()), min_size=1))
def test_an_add_to_cart_ref_is_kept_verbatim(reference: dict[str, object]) -> None:
    product = read(Product, {"variants": [{"add_to_cart_ref": reference}]})
    assert product.variants[0].add_to_cart_ref == reference


def test_an_answer_cannot_speak_as_our_doubts() -> None:
    assert read(Cart, {"inconsistencies": [CANARY]}).inconsistencies == ()
    assert search_page({"products": [{"inconsistencies": CANARY}], "inconsistencies": [CANARY]}).inconsistencies == ()
