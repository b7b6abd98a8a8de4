from decimal import Decimal
from typing import Any

from firmly_mcp.api.fields import read
from firmly_mcp.api.models import Cart
from firmly_mcp.checkout.text import Receipt, receipt
from firmly_mcp.money import Money

BILLING = {"first_name": "Ana", "last_name": "Lima", "address1": "1 Test Street", "city": "Seattle", "country": "US"}


def amount(number: float) -> dict[str, Any]:
    return {"currency": "USD", "value": number, "number": round(number * 100), "symbol": "$"}


def of(**cart: Any) -> Receipt:
    return receipt(read(Cart, {"cart_id": "c", "total": amount(10), **cart}), BILLING)


def test_what_a_store_leaves_out_is_left_out() -> None:
    arranged = of()
    assert (arranged.lines, arranged.deliveries, arranged.recipient, arranged.amounts) == ((), (), None, ())
    assert arranged.billing.lines == ("Ana Lima", "1 Test Street", "Seattle", "US")


def test_what_is_taken_off_has_a_minus_whatever_sign_the_store_sends() -> None:
    for discount in (5, -5):
        amounts = dict(of(sub_total=amount(20), cart_discount=amount(discount), store_credit=amount(0)).amounts)
        assert amounts == {"Subtotal": Money(Decimal(20), "USD"), "Discount": Money(Decimal(-5), "USD")}


def test_a_line_without_a_title_is_named_by_its_sku() -> None:
    (line,) = of(line_items=[{"sku": "WS12", "quantity": 2, "recurring": {"every": "month"}}]).lines
    assert (line.title, line.quantity, line.is_recurring) == ("WS12", 2, True)


def test_a_shipment_says_when_and_where() -> None:
    (delivery,) = of(
        shipments=[
            {
                "fulfillment_type": {"id": "PICKUP_IN_STORE", "name": "Pick up in store"},
                "selected_location": {"id": "l1", "name": "Volta Seattle", "city": "Seattle", "hours": {"mon": "9-5"}},
                "selected_date": "2030-01-31",
                "notes": "Ring twice\u202e",
            }
        ]
    ).deliveries
    assert (delivery.kind, delivery.place) == ("Pick up in store", "Volta Seattle, Seattle")
    assert (delivery.date, delivery.notes, delivery.price) == ("2030-01-31", "Ring twice", None)


def test_an_addon_has_the_name_that_it_was_offered_under() -> None:
    offers = [{"addon_id": "a1", "display": {"name": "Gift wrap"}}]
    assert of(addons={"offers": offers, "selections": [{"addon_id": "a1"}, {"addon_id": "a2"}]}).addons == (
        "Gift wrap",
        "a2",
    )
