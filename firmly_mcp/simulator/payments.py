"""The steps of an order: a cart made, filled, sent somewhere, paid. Money is taken in one place: `charge`.

The charge, the order, the submitted cart and the sold stock are kept in one transaction.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes

from firmly_mcp.simulator.answers import Json, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.carts import Cart, missing_addons
from firmly_mcp.simulator.faults import Fault, at
from firmly_mcp.simulator.geography import read_address
from firmly_mcp.simulator.ledger import Charge, ChargedLine, Order, enter
from firmly_mcp.simulator.merchants import SCHEDULED
from firmly_mcp.simulator.pricing import Priced
from firmly_mcp.simulator.security import Paid, Unreadable, decrypt_jwe, parse_jwe, read_card
from firmly_mcp.simulator.stream import Event
from firmly_mcp.simulator.views import full_cart, order_view, simple_cart
from firmly_mcp.simulator.world import Received, World

HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class Payment:
    """What pays: the card as far as it may be remembered, and who is billed."""

    card: Paid
    billing_info: Json


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to order."""

    sku: str | None
    ref: dict[str, Any]
    quantity: int


def read_payment(call: Call, body: Json) -> Payment:
    """Open the sealed card and read the billing address; `ErrorInvalidInputBody` for what does not open."""
    text = body.get("encrypted_card")
    if not isinstance(text, str):
        raise Refusal("ErrorInvalidInputBody", "encrypted_card is required")
    try:
        card = read_card(_plaintext(call, text), call.world.now())
    except Unreadable as unreadable:
        raise Refusal("ErrorInvalidInputBody", f"encrypted_card: {unreadable}") from None
    if "captcha_token" in body and not isinstance(body["captcha_token"], str):
        raise Refusal("ErrorInvalidInputBody", "captcha_token must be a string")
    return Payment(card, read_address(body.get("billing_info"), what="billing_info"))


def place(call: Call, items: Sequence[Item], shipping_info: Any, payment: Payment, *, simple: bool) -> Iterator[Event]:
    """The steps of place-order, one per event; taking the next does the next step (contract 7.1)."""
    world, store = call.world, call.store
    yield Event("creating-cart", {})
    cart = world.carts.new(call.device.device_id, store)
    _show_unless_busy(world, cart)
    for item in items:
        _put_in(world, cart, item)
        yield Event("item-added", {"cart": _shown(world.view(cart), simple)})
    ships_to = world.merchant(store).ships_to
    cart.shipping_info = read_address(shipping_info, ships_to=ships_to, what="shipping_info")
    world.changed(cart)
    yield Event("shipping-updated", {"cart": _shown(world.view(cart), simple)})
    yield Event("order-placed", {"order": complete(call, cart, payment, simple)})


def complete(call: Call, cart: Cart, payment: Payment, simple: bool) -> Json:
    """Check that the cart can be ordered, take the money, and give the order."""
    world = call.world
    for fault in at("pay", call.faults):
        turn(world, fault)
    priced = world.priced(cart)
    _check(priced, simple)
    if payment.card.declined is not None:
        raise Refusal("ErrorPaymentDeclined", payment.card.declined)
    order = charge(world, priced, payment)
    for fault in at("charged", call.faults):
        seconds = fault.options["seconds"]
        until = float("inf") if seconds is None else world.now().timestamp() + seconds
        if fault.action == "hide-cart":
            cart.gone_until = until
        else:
            cart.hidden_until = until
        world.changed(cart)
    return order_view(order, simple=simple)


def charge(world: World, priced: Priced, payment: Payment) -> Json:
    """Take the money: books, stock, order and cart together. Gives the submitted cart's view."""
    cart, now = priced.cart, world.now()
    number = world.orders.fresh_number()
    view = _submitted(priced, payment, number, now)
    for line in priced.lines:
        world.stock.take(cart.store, line.variant.sku, line.line.quantity)
    cart.billing_info, cart.order_number, cart.submitted = payment.billing_info, number, view
    world.changed(cart)
    world.orders.enter(
        Order(
            number=number,
            store=cart.store,
            device_id=cart.device_id,
            placed_at=now.isoformat(),
            currency=priced.merchant.currency,
            lines=view["line_items"],
            goods=priced.sub_total,
            tax=priced.tax,
        )
    )
    enter(world.books, world.state, _charge(priced, payment, number, now))
    return view


def _submitted(priced: Priced, payment: Payment, number: str, now: datetime) -> Json:
    """The cart's view from now on."""
    card, store = payment.card, priced.cart.store
    return {
        **full_cart(priced),
        "billing_info": payment.billing_info,
        "cart_status": "submitted",
        "platform_order_number": number,
        "submitted_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "urls": {"thank_you_page": f"https://{store}/checkout/success/{number}"},
        "payment_summary": {
            "payment_type": "CreditCard",
            "last_four": card.last_four,
            "card_type": card.brand,
            "month": card.month,
            "year": card.year,
        },
    }


def _charge(priced: Priced, payment: Payment, number: str, now: datetime) -> Charge:
    return Charge(
        order_number=number,
        store=priced.cart.store,
        device_id=priced.cart.device_id,
        cart_id=priced.cart.cart_id,
        amount=priced.total,
        currency=priced.merchant.currency,
        last_four=payment.card.last_four,
        brand=payment.card.brand,
        placed_at=now,
        lines=tuple(
            ChargedLine(line.variant.sku, line.line.quantity, line.price, line.line_price) for line in priced.lines
        ),
    )


def _check(priced: Priced, simple: bool) -> None:
    cart = priced.cart
    if not cart.lines:
        raise Refusal("ErrorMissingRequiredParameters", "The cart is empty")
    if cart.shipping_info is None:
        raise Refusal("ErrorMissingRequiredParameters", "Shipping information is missing")
    lacking = [] if simple else missing_addons(cart, priced.merchant, priced.lines)
    if lacking:
        raise Refusal(
            "ErrorMissingRequiredParameters", f"A required addon is missing: {', '.join(a.id for a in lacking)}"
        )
    if any(c.fulfillment_type == SCHEDULED and c.selected_date is None for c in cart.choices):
        raise Refusal("ErrorMissingRequiredParameters", "A scheduled delivery needs a date")
    codes = dict(priced.notices)
    if "ITEM_OUT_OF_STOCK" in codes:
        raise Refusal("ErrorNotEnoughStock", codes["ITEM_OUT_OF_STOCK"])
    if priced.status != "active":
        raise Refusal("ErrorCheckoutBlocked", f"The cart cannot be ordered: {', '.join(codes.values())}")


def _plaintext(call: Call, text: str) -> Any:
    sealed = parse_jwe(text)
    fields: tuple[str, ...] = ()
    try:
        key = call.world.keys.of_kid(sealed.header.get("kid"))
        if key is None:
            raise Unreadable("kid is not the current key's")
        if sealed.header != {**HEADER, "kid": call.world.keys.kid}:
            raise Unreadable("the header must be exactly alg RSA-OAEP-256, enc A256GCM and kid")
        plain = json.loads(decrypt_jwe(sealed, key, hashes.SHA256()))
        fields = tuple(plain) if isinstance(plain, dict) else ()
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise Unreadable("the card is not JSON") from None
    finally:
        call.world.received.append(Received(call.path, sealed.header, sealed.lengths, fields, call.world.now()))
    return plain


def _put_in(world: World, cart: Cart, item: Item) -> None:
    shelf = world.catalog.shelf(cart.store)
    product, variant = shelf.of_ref(item.ref) if item.sku is None else shelf.of_sku(item.sku)
    here = cart.line_of_sku(variant.sku)
    left = world.stock.left(cart.store, variant)
    if item.quantity + (here.quantity if here else 0) > left:
        raise Refusal("ErrorNotEnoughStock", f"Only {left} of {product.title} left")
    cart.add(variant.sku, item.quantity, world.stock.price(cart.store, variant))
    world.changed(cart)


def _show_unless_busy(world: World, cart: Cart) -> None:
    """A filled cart stays the one that a read shows (U-21)."""
    old = world.carts.current(cart.device_id, cart.store)
    if old is None or old.is_submitted(world.now()) or not old.lines:
        world.carts.show(cart)


def _shown(view: Json, simple: bool) -> Json:
    return simple_cart(view) if simple else view


def turn(world: World, fault: Fault) -> None:
    """Do what a fault of the WORLD table says."""
    told = {name: value for name, value in fault.options.items() if name != "inside"}
    match fault.action:
        case "set-price":
            world.stock.set_price(told["store"], told["sku"], told["cents"])
        case "set-stock":
            world.stock.set_stock(told["store"], told["sku"], told["left"])
        case "change-terms":
            world.terms.change(told.pop("store"), **told)
        case "rotate-key":
            world.keys.rotate(same_kid=told.get("same_kid") is True)
        case "advance-clock":
            world.advance(timedelta(seconds=told["seconds"]))
