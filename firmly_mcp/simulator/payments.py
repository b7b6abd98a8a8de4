"""The steps of an order: make a cart, fill it, set its address, pay. Money is taken in one place: `_charge`.

The charge, the order, the submitted cart and the sold stock are kept in one transaction.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.carts import Cart, missing_addons
from firmly_mcp.simulator.faults import at
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.ledger import Charge, ChargedLine, Order
from firmly_mcp.simulator.merchants import SCHEDULED
from firmly_mcp.simulator.pricing import PricedCart
from firmly_mcp.simulator.security import PaidCard, UnreadableJwe, decrypt_jwe, parse_jwe, read_card
from firmly_mcp.simulator.stream import Event
from firmly_mcp.simulator.views import full_cart, order_view, simple_cart
from firmly_mcp.simulator.world import Received, World

HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class Payment:
    """The card that pays, as far as it may be kept, and the billing address."""

    card: PaidCard
    billing_info: Json


@dataclass(frozen=True, slots=True)
class Item:
    """One item to order: by its sku, or by its ref where the sku is None."""

    sku: str | None
    ref: Json
    quantity: int


def read_payment(call: Call, body: Json) -> Payment:
    """Open the encrypted card and read the billing address; what does not open is `ErrorInvalidInputBody`."""
    text = body.get("encrypted_card")
    if not isinstance(text, str):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card is required")
    try:
        card = read_card(_plaintext(call, text), call.world.now())
    except UnreadableJwe as unreadable:
        raise Refusal("ErrorInvalidInputBody", f"encrypted_card: {unreadable}") from None
    if "captcha_token" in body and not isinstance(body["captcha_token"], str):
        raise Refusal("ErrorInvalidInputBody", "captcha_token must be a string")
    return Payment(card, read_address(body.get("billing_info"), what="billing_info"))


def _plaintext(call: Call, text: str) -> Any:
    jwe = parse_jwe(text)
    fields: tuple[str, ...] = ()
    try:
        key = call.world.keys.of_kid(jwe.header.get("kid"))
        if key is None:
            raise UnreadableJwe("kid is not the current key's")
        if jwe.header != {**HEADER, "kid": call.world.keys.kid}:
            raise UnreadableJwe("the header must be exactly alg RSA-OAEP-256, enc A256GCM and kid")
        plain = json.loads(decrypt_jwe(jwe, key, hashes.SHA256()))
        fields = tuple(plain) if isinstance(plain, dict) else ()
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise UnreadableJwe("the card is not JSON") from None
    finally:
        call.world.received.append(Received(call.path, jwe.header, jwe.lengths, fields, call.world.now()))
    return plain


def place(call: Call, items: Sequence[Item], shipping_info: Any, payment: Payment, *, simple: bool) -> Iterator[Event]:
    """Return the steps of place-order, one per event; taking the next does the next step (contract 7.1)."""
    world, store, shelf = call.world, call.store, call.world.catalog.shelf(call.store)
    yield Event("creating-cart", {})
    cart = world.carts.new(call.device.device_id, store)
    shown = world.carts.current(cart.device_id, store)
    if shown is None or shown.is_submitted(world.now()) or not shown.lines:
        world.carts.show(cart)  # U-21: a filled cart stays the one that a read shows
    for item in items:
        product, variant = shelf.of_ref(item.ref) if item.sku is None else shelf.of_sku(item.sku)
        held = cart.line_of_sku(variant.sku)
        call.check_stock(product, variant, item.quantity + (held.quantity if held else 0))
        cart.add(variant.sku, item.quantity, world.stock.price(store, variant))
        yield _saved("item-added", world, cart, simple)
    ships_to = world.merchant(store).ships_to
    cart.shipping_info = read_address(shipping_info, ships_to=ships_to, what="shipping_info")
    yield _saved("shipping-updated", world, cart, simple)
    yield Event("order-placed", {"order": complete(call, cart, payment, simple=simple)})


def _saved(event: str, world: World, cart: Cart, simple: bool) -> Event:
    world.save(cart)
    view = world.view(cart)
    return Event(event, {"cart": simple_cart(view) if simple else view})


def complete(call: Call, cart: Cart, payment: Payment, *, simple: bool) -> Json:
    """Check that the cart can be ordered, take the money, and return the order."""
    world = call.world
    for fault in at("pay", call.faults):
        world.change(fault)
    priced = world.price(cart)
    _check(priced, simple)
    if payment.card.declined is not None:
        raise Refusal("ErrorPaymentDeclined", payment.card.declined)
    view = _charge(world, priced, payment)
    for fault in at("charged", call.faults):
        seconds = fault.options["seconds"]
        until = float("inf") if seconds is None else world.now().timestamp() + seconds
        if fault.action == "hide-cart":
            cart.gone_until = until
        else:
            cart.hidden_until = until
        world.save(cart)
    return order_view(view, simple=simple)


def _check(priced: PricedCart, simple: bool) -> None:
    cart = priced.cart
    if not cart.lines:
        raise Refusal("ErrorMissingRequiredParameters", "The cart is empty")
    if cart.shipping_info is None:
        raise Refusal("ErrorMissingRequiredParameters", "Shipping information is missing")
    missing = [] if simple else [addon.id for addon in missing_addons(cart, priced.merchant, priced.lines)]
    if missing:
        raise Refusal("ErrorMissingRequiredParameters", f"A required addon is missing: {', '.join(missing)}")
    if any(choice.fulfillment_type == SCHEDULED and choice.selected_date is None for choice in cart.choices):
        raise Refusal("ErrorMissingRequiredParameters", "A scheduled delivery needs a date")
    codes = dict(priced.notices)
    if "ITEM_OUT_OF_STOCK" in codes:
        raise Refusal("ErrorNotEnoughStock", codes["ITEM_OUT_OF_STOCK"])
    if priced.status != "active":
        raise Refusal("ErrorCheckoutBlocked", f"The cart cannot be ordered: {', '.join(codes.values())}")


def _charge(world: World, priced: PricedCart, payment: Payment) -> Json:
    """Take the money: books, stock, order and cart together. Return the view of the submitted cart."""
    cart, card, now, number = priced.cart, payment.card, world.now(), world.orders.new_number()
    currency = priced.merchant.currency
    view: Json = {
        **full_cart(priced),
        "billing_info": payment.billing_info,
        "cart_status": "submitted",
        "platform_order_number": number,
        "submitted_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "urls": {"thank_you_page": f"https://{cart.store}/checkout/success/{number}"},
        "payment_summary": {
            "payment_type": "CreditCard",
            "last_four": card.last_four,
            "card_type": card.brand,
            "month": card.month,
            "year": card.year,
        },
    }
    charged = []
    for line in priced.lines:
        world.stock.sell(cart.store, line.variant.sku, line.line.quantity)
        charged.append(ChargedLine(line.variant.sku, line.line.quantity, line.price, line.line_price))
    cart.billing_info, cart.order_number, cart.submitted = payment.billing_info, number, view
    world.save(cart)
    order = Order(
        number=number,
        store=cart.store,
        device_id=cart.device_id,
        placed_at=now.isoformat(),
        currency=currency,
        lines=view["line_items"],
        goods=priced.sub_total,
        tax=priced.tax,
    )
    world.orders.save(order)
    charge = Charge(
        order_number=number,
        store=cart.store,
        device_id=cart.device_id,
        cart_id=cart.cart_id,
        amount=priced.total,
        currency=currency,
        last_four=card.last_four,
        brand=card.brand,
        placed_at=now,
        lines=tuple(charged),
    )
    world.books.record(charge, world.state)
    return view
