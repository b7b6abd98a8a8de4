"""A quote: what would be bought, with every term that an approval binds.

It is a cart with a final total at a moment. Its digest is over the codes and values of its terms, never over words.
Only amounts may fall between what was authorized and what is paid, and only in the same currency.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from firmly_mcp.api.models import Address, Cart, LineItem, Shipment
from firmly_mcp.api.models import Address as CartAddress
from firmly_mcp.money import Money
from firmly_mcp.untrusted import clean, clean_markup, named
from firmly_mcp.wallet.addresses import FIELDS, AddressSource
from firmly_mcp.wallet.addresses import Address as WalletAddress
from firmly_mcp.wallet.entries import label_key, one_line

from .models import CardRef
from .payable import require_payable
from .text import AMOUNT_ROWS, Receipt, receipt

_TOTAL_KEY: Final = ("total", "", "total")

TermValue = str | int | Money | CardRef | None


class TermKind(StrEnum):
    """What a term is about."""

    STORE = "store"
    ENVIRONMENT = "environment"
    PAYMENT_HOST = "payment_host"
    CARD = "card"
    LINE = "line"
    SHIP_TO = "ship_to"
    BILL_TO = "bill_to"
    SHIPMENT = "shipment"
    ADDON = "addon"
    PROMO = "promo"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Term:
    """One fact that an approval binds: `field` of the line, shipment or addon `subject`. A quote has each key once.

    `label` is what a person reads; it is no part of what is bound.
    """

    kind: TermKind
    subject: str
    field: str
    value: TermValue
    label: str = dataclasses.field(compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two terms of two quotes the same fact."""
        return self.kind, self.subject, self.field


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """Whose card pays, and where the payment goes: the terms that are ours rather than the store's.

    `billing` holds Firmly's address fields; `payment_host` is the origin that the sealed card is sent to. `address_key`
    turns an address into what the journal knows it by. `ships_to` has the fields of the address that the order request
    carries; None where it carries none, and the cart's own counts.
    """

    environment: str
    shopper: str
    payment_host: str
    card: CardRef
    billing: Mapping[str, str]
    address_key: bytes = dataclasses.field(default=b"", repr=False)
    ships_to: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A cart that can be paid: its store, id, total, and all its terms; `receipt` is the same for a person.

    `quantities` has how many of each variant, `address_hash` the keyed hash of where it goes: what rules look at.
    """

    store: str
    cart_id: str
    total: Money
    lines: tuple[str, ...]
    payer: PaymentMethod
    terms: tuple[Term, ...]
    purchase_key: str
    receipt: Receipt
    quantities: tuple[int, ...] = ()
    address_hash: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over every term; two quotes with one digest are the same purchase to the last cent."""
        return _digest(sorted([*term.key, _plain(term.value)] for term in self.terms))


def quote(store: str, cart: Cart, payer: PaymentMethod) -> Quote:
    """Read a cart as something to pay.

    Raises:
        NotAllowed: the cart cannot be paid as it is; the message says what is missing and which tool supplies it.
    """
    require_payable(store, cart)
    cart_id, total = cart.cart_id, cart.total
    key = purchase_key(payer.environment, payer.shopper, store, cart)
    assert cart_id is not None
    assert total is not None
    assert key is not None
    # What a store writes about an address that goes out with the order is not what is sent.
    cart = cart.model_copy(update={"shipping_info": shipping_of(cart, payer)})
    return Quote(
        store=store,
        cart_id=cart_id,
        total=total,
        lines=tuple(_line_in_words(line) for line in cart.line_items),
        payer=payer,
        terms=tuple(_terms(store, cart, payer)),
        purchase_key=key,
        receipt=receipt(cart, payer.billing),
        quantities=tuple(_wanted(cart).values()),
        address_hash=address_hash(payer.address_key, cart.shipping_info),
    )


def purchase_key(environment: str, shopper: str, store: str, cart: Cart) -> str | None:
    """What finds attempts: who buys what and how many, whatever the price, card, address, cart or tool.

    None where the cart is empty, or does not state how many of a line it holds.
    """
    if cart.is_empty or any(line.quantity is None for line in cart.line_items):
        return None
    return _digest([environment, shopper, store, sorted(_wanted(cart).items())])


def shipping_of(cart: Cart, payer: PaymentMethod) -> Address | None:
    """Where the order goes: the address that is sent with it, or else the cart's."""
    return cart.shipping_info if payer.ships_to is None else Address.model_validate(dict(payer.ships_to))


def price_increases(authorized: Quote, now: Quote) -> tuple[str, ...]:
    """Return what moved against the shopper since the quote was authorized, a sentence each; empty if nothing did.

    An amount that fell is no reason to stop. An amount that rose, another currency or any other change is, and so is a
    total that fell to zero: zero always asks.
    """
    return tuple(
        f"{label}: {term_text(before)} → {term_text(after)}"
        for key, label, before, after in _pairs(authorized, now)
        if _moved_against(before, after) or (key == _TOTAL_KEY and before != after and not now.total.amount)
    )


def changed_terms(shown: Quote, now: Quote) -> tuple[tuple[str, str, str], ...]:
    """Return every term that is another now, for better or worse: its label, as it was, as it is."""
    pairs = _pairs(shown, now)
    return tuple((label, term_text(before), term_text(after)) for _, label, before, after in pairs if before != after)


def _pairs(before: Quote, after: Quote) -> Iterator[tuple[tuple[str, str, str], str, TermValue, TermValue]]:
    """Yield each term of either quote: its key, its label, its value in both; None where one quote has it not."""
    were, are = ({term.key: term for term in quote.terms} for quote in (before, after))
    for key, term in {**were, **are}.items():
        was, now = were.get(key), are.get(key)
        yield key, term.label, None if was is None else was.value, None if now is None else now.value


def _moved_against(before: TermValue, after: TermValue) -> bool:
    if isinstance(before, Money) and isinstance(after, Money) and before.currency == after.currency:
        return after > before
    return before != after


def _terms(store: str, cart: Cart, payer: PaymentMethod) -> Iterator[Term]:
    yield Term(TermKind.STORE, "", "", store, "store")
    yield Term(TermKind.ENVIRONMENT, "", "", payer.environment, "environment")
    yield Term(TermKind.PAYMENT_HOST, "", "", payer.payment_host, "payment host")
    yield Term(TermKind.CARD, "", "", payer.card, "card")
    yield from _line_terms(cart.line_items)
    shipping = {} if cart.shipping_info is None else cart.shipping_info.model_dump(mode="json", exclude_none=True)
    yield from (Term(TermKind.SHIP_TO, "", name, str(value), f"ship to {name}") for name, value in shipping.items())
    yield from (Term(TermKind.BILL_TO, "", name, value, f"bill to {name}") for name, value in payer.billing.items())
    for number, shipment in enumerate(cart.shipments, start=1):
        for name, value in _shipment_values(shipment):
            yield Term(TermKind.SHIPMENT, str(number), name, value, f"shipment {number}: {name}")
    yield from _addon_terms(cart)
    yield Term(TermKind.PROMO, "", "", ", ".join(sorted(cart.coupons)), "promo codes")
    yield from (Term(TermKind.TOTAL, "", row.attribute, row.of(cart), row.term) for row in AMOUNT_ROWS if row.is_term)


def _line_terms(lines: Iterable[LineItem]) -> Iterator[Term]:
    """Yield the terms of lines, by their sku: the ids and the order of lines are the cart's own, and no terms."""
    ordered = sorted(lines, key=lambda line: (_variant(line), _quantity(line)))
    subjects = _distinct(_variant(line) for line in ordered)
    labels = _distinct(_behind("line", _variant(line), 80) for line in ordered)
    for line, subject, label in zip(ordered, subjects, labels, strict=True):
        for name, value in _line_values(line, label):
            yield Term(TermKind.LINE, subject, name, value, f"{label}: {name}")


def _line_values(line: LineItem, label: str) -> Iterator[tuple[str, TermValue]]:
    if label != f"line {_variant(line)}":
        # A label is for reading: cleaned, cut, in quotes where it is no word, and numbered where two lines have one.
        yield "sku", _variant(line)
    yield "variant", line.variant_id
    yield "quantity", line.quantity
    yield "price", line.price
    yield "line price", line.line_price
    yield "recurring", _canonical(line.recurring) if line.recurring else None


def _shipment_values(shipment: Shipment) -> Iterator[tuple[str, TermValue]]:
    yield "type", shipment.fulfillment_type.id if shipment.fulfillment_type else None
    yield "method", shipment.shipping_method.id if shipment.shipping_method else None
    yield "method price", shipment.shipping_method.price if shipment.shipping_method else None
    yield "location", _canonical(shipment.selected_location) if shipment.selected_location else None
    yield "date", shipment.selected_date
    yield "notes", shipment.notes


def _addon_terms(cart: Cart) -> Iterator[Term]:
    chosen = sorted((_canonical(each.model_dump(mode="json")), each.addon_id) for each in cart.addons.selections)
    subjects = _distinct(addon_id or "" for _, addon_id in chosen)
    labels = _distinct(_behind("addon", addon_id, 60) for _, addon_id in chosen)
    for (choice, _), subject, label in zip(chosen, subjects, labels, strict=True):
        yield Term(TermKind.ADDON, subject, "choice", choice, f"{label}: choice")


def _behind(word: str, store_id: str | None, limit: int) -> str:
    """Return a store's id in a label: behind a word of ours, so that no id is taken for a term of ours."""
    return f"{word} {named(clean(store_id, limit))}"


def _distinct(stems: Iterable[str]) -> Iterator[str]:
    """Yield the same, each numbered where another has it: two terms of one key would hide each other."""
    given: set[str] = set()
    last: dict[str, int] = {}
    for stem in stems:
        name, number = stem, last.get(stem, 1)
        while name in given:
            number += 1
            name = f"{stem} #{number}"
        last[stem] = number
        given.add(name)
        yield name


def _line_in_words(line: LineItem) -> str:
    title = clean_markup(line.description, 80) or clean(line.sku, 80) or "item"
    variant = clean_markup(line.variant_description, 60)
    return f"{line.quantity} x {title}" + (f" ({variant})" if variant else "")


def _wanted(cart: Cart) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in cart.line_items:
        variant = _variant(line)
        wanted[variant] = wanted.get(variant, 0) + _quantity(line)
    return wanted


def _quantity(line: LineItem) -> int:
    # Only keys are made of an unknown quantity: `require_payable` refuses the cart before it is a quote.
    return line.quantity or 0


def _variant(line: LineItem) -> str:
    return line.sku or line.variant_id or line.line_item_id or ""


def _plain(value: TermValue) -> Any:
    if isinstance(value, CardRef):
        return [value.label, value.brand, value.last_four]
    return [str(value.amount.normalize()), value.currency] if isinstance(value, Money) else value


def term_text(value: TermValue) -> str:
    """Return a term's value as a person reads it."""
    return "nothing" if value is None or value == "" else clean(str(value), 120)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


# Whether an order goes to an address that is the person's own: one that they entered, or approved an order to
# before.


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where an order goes, as the address book knows it.

    `entries` are all those that it is equal to. `shipped_to` is the entry that the order was made with, where there is
    no doubt which one that is: an approved order makes this one the person's own, and no other.
    """

    entries: tuple[WalletAddress, ...] = ()
    shipped_to: WalletAddress | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is in the book, and only the person's word put it there."""
        return self.origin == "person"

    @property
    def origin(self) -> AddressSource | None:
        """Who entered it; of several entries the one that is not the person's decides. None: it is not in the book."""
        origins = [entry.origin for entry in self.entries]
        return next((origin for origin in origins if origin != "person"), origins[0] if origins else None)


def recipient(book: Iterable[WalletAddress], sent: CartAddress | None, label: str | None = None) -> Recipient:
    """The book's entries that an order's address is equal to; `label` is the entry's that the order call named."""
    if sent is None:
        return Recipient()
    entries = tuple(entry for entry in book if _compared(as_sent(entry)) == _compared(sent))
    meant = [entry for entry in entries if label is None or label_key(entry.label) == label_key(label)]
    return Recipient(entries, meant[0] if len(meant) == 1 else None)


def as_sent(entry: WalletAddress) -> CartAddress:
    """An entry in the form in which a cart holds it."""
    return CartAddress.model_validate(entry.as_firmly())


def address_hash(key: bytes, shipping: CartAddress | None) -> str | None:
    """What the journal knows an address by: HMAC-SHA256 over every field, so that the file alone tells none of them.

    Two addresses have one hash if and only if they are equal here.
    """
    if shipping is None:
        return None
    return hmac.new(key, json.dumps(_compared(shipping)).encode(), hashlib.sha256).hexdigest()


def _compared(address: CartAddress) -> list[str]:
    """Every field of the book, in its order; `state_name` is a store's own addition and stands in no entry."""
    return [_comparable(getattr(address, name)) for name in FIELDS]


def _comparable(text: str | None) -> str:
    # Folded case may leave the one Unicode form that the text was in.
    return one_line(label_key(text or ""))
