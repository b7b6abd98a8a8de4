"""What would be bought, with every term that a yes is bound to.

A quote is a cart with a final total at a moment. Its digest changes with any term; `rises` says in words what moved
against the shopper. Only amounts may fall between what was shown and what is paid, and only in the same currency.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

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

T = TypeVar("T")

Term = str | int | Money | None


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
    address_key: bytes = field(default=b"", repr=False)
    ships_to: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A cart that can be paid: its store, id, total, and all its terms by name; `receipt` is the same for a person.

    `quantities` has how many of each variant, `address_hash` the keyed hash of where it goes: what rules look at.
    """

    store: str
    cart_id: str
    total: Money
    lines: tuple[str, ...]
    payer: PaymentMethod
    terms: Mapping[str, Term]
    purchase_key: str
    receipt: Receipt
    quantities: tuple[int, ...] = ()
    address_hash: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over every term; two quotes with one digest are the same purchase to the last cent."""
        return _digest({name: _plain(term) for name, term in self.terms.items()})


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
        terms=dict(_terms(store, cart, payer)),
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


def rises(shown: Quote, now: Quote) -> tuple[str, ...]:
    """What moved against the shopper since the quote was shown, a sentence each; empty if nothing did.

    An amount that fell is no reason to stop; an amount that rose, another currency or any other change is. So is a
    total that fell to zero: zero always asks.
    """
    names = list(dict.fromkeys((*shown.terms, *now.terms)))
    return tuple(
        f"{name}: {in_words(before)} → {in_words(after)}"
        for name in names
        if _moved_against(before := shown.terms.get(name), after := now.terms.get(name))
        or (name == "total" and before != after and not now.total.amount)
    )


def changes(shown: Mapping[str, Term], now: Mapping[str, Term]) -> tuple[tuple[str, str, str], ...]:
    """Every term that is another now, for better or worse: its name, as it was, as it is."""
    names = dict.fromkeys((*shown, *now))
    moved = (name for name in names if shown.get(name) != now.get(name))
    return tuple((name, in_words(shown.get(name)), in_words(now.get(name))) for name in moved)


def _moved_against(before: Term, after: Term) -> bool:
    if isinstance(before, Money) and isinstance(after, Money) and before.currency == after.currency:
        return after > before
    return before != after


def _terms(store: str, cart: Cart, payer: PaymentMethod) -> Iterator[tuple[str, Term]]:
    yield "store", store
    yield "environment", payer.environment
    yield "payment host", payer.payment_host
    yield "card", str(payer.card)
    for name, line in _named(cart.line_items):
        yield from _line_terms(name, line)
    yield from _address_terms("ship to", cart.shipping_info)
    yield from ((f"bill to {field}", value) for field, value in payer.billing.items())
    for number, shipment in enumerate(cart.shipments, start=1):
        yield from _shipment_terms(f"shipment {number}", shipment)
    addons = sorted((_canonical(each.model_dump(mode="json")), each.addon_id) for each in cart.addons.selections)
    for name, term in _distinct((_behind("addon", addon_id, 60), term) for term, addon_id in addons):
        yield f"{name}: choice", term
    yield "promo codes", ", ".join(sorted(cart.coupons))
    yield from ((row.term, row.of(cart)) for row in AMOUNT_ROWS if row.is_term)


def _named(lines: Iterable[LineItem]) -> Iterator[tuple[str, LineItem]]:
    """Lines by their sku, in its order: the ids and the order of lines are the cart's own, and no terms."""
    ordered = sorted(lines, key=lambda line: (_variant(line), _quantity(line)))
    return _distinct((_behind("line", _variant(line), 80), line) for line in ordered)


def _behind(label: str, store_id: str | None, limit: int) -> str:
    """A store's id in the name of a term: behind a word of ours, so that no id is taken for a term of ours."""
    return f"{label} {named(clean(store_id, limit))}"


def _distinct(named: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """The same, each under a name that no other has: a second one of a name would hide the first one's terms."""
    given: set[str] = set()
    last: dict[str, int] = {}
    for stem, value in named:
        name, number = stem, last.get(stem, 1)
        while name in given:
            number += 1
            name = f"{stem} #{number}"
        last[stem] = number
        given.add(name)
        yield name, value


def _line_terms(name: str, line: LineItem) -> Iterator[tuple[str, Term]]:
    if name != f"line {_variant(line)}":
        # The name is for reading: cleaned, cut, in quotes where it is no word, and numbered where two lines have one.
        yield f"{name}: sku", _variant(line)
    yield f"{name}: variant", line.variant_id
    yield f"{name}: quantity", line.quantity
    yield f"{name}: price", line.price
    yield f"{name}: line price", line.line_price
    yield f"{name}: recurring", _canonical(line.recurring) if line.recurring else None


def _shipment_terms(name: str, shipment: Shipment) -> Iterator[tuple[str, Term]]:
    yield f"{name}: type", shipment.fulfillment_type.id if shipment.fulfillment_type else None
    yield f"{name}: method", shipment.shipping_method.id if shipment.shipping_method else None
    yield f"{name}: method price", shipment.shipping_method.price if shipment.shipping_method else None
    yield f"{name}: location", _canonical(shipment.selected_location) if shipment.selected_location else None
    yield f"{name}: date", shipment.selected_date
    yield f"{name}: notes", shipment.notes


def _address_terms(name: str, address: Address | None) -> Iterator[tuple[str, Term]]:
    if address is not None:
        fields = address.model_dump(mode="json", exclude_none=True)
        yield from ((f"{name} {field}", str(value)) for field, value in fields.items())


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


def _plain(term: Term) -> Any:
    return [str(term.amount.normalize()), term.currency] if isinstance(term, Money) else term


def in_words(term: Term) -> str:
    """A term as a person reads it."""
    return "nothing" if term is None or term == "" else clean(str(term), 120)


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
